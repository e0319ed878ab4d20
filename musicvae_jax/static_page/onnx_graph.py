"""Functions of JAX as ONNX models, from their jaxprs.

The model is defined once, in JAX; what a browser runs is translated from what JAX traces of it.
Only what occurs there is translated: arithmetic, matrix products, indexing by arrays, and
`lax.scan`, which becomes the operator of the same name. Packages that translate more need other
versions of Orbax than this one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.extend
import numpy as np
import onnx
from onnx import helper, numpy_helper

from musicvae_jax.static_page import onnx_operators
from musicvae_jax.system.errors import UserError

_OPSET, _IR_VERSION = 18, 9
# Smaller arrays, such as biases, stay as they are.
_MIN_SIZE_16_BITS = 1024
_INLINED = ("jaxpr", "call_jaxpr")  # parameters of primitives that only call a function


class Graph:
    """Nodes that are added one after the other, and the constants that all of them share.

    Attributes:
      nodes: those of this graph; a loop's body is a graph of its own.
      constants: arrays by name, of the outermost graph.
    """

    def __init__(self, outer: "Graph | None" = None):
        self.nodes: list[onnx.NodeProto] = []
        self._top = self if outer is None else outer._top
        if outer is None:
            self.constants: list[onnx.TensorProto] = []
            self.casts: list[onnx.NodeProto] = []
            self._known: dict[int, tuple[Any, str]] = {}
            self._count = 0

    def name(self) -> str:
        """A name that no other value has."""
        self._top._count += 1
        return f"v{self._top._count}"

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output, and returns its name."""
        [name] = self.add_all(operator, *inputs, outputs=1, **attributes)
        return name

    def add_all(self, operator: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """Adds a node with several outputs, and returns their names."""
        names = [self.name() for _ in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names

    def constant(self, value: Any) -> str:
        """The name of an array; large ones of numbers are stored in 16 bits."""
        top, array = self._top, np.asarray(value)
        if id(value) in top._known:
            return top._known[id(value)][1]
        name = self.name()
        is_large = array.dtype == np.float32 and array.size >= _MIN_SIZE_16_BITS
        if is_large:
            stored = array.astype(np.float16)
            top.constants.append(numpy_helper.from_array(stored, f"{name}_16"))
            cast = helper.make_node("Cast", [f"{name}_16"], [name], to=onnx.TensorProto.FLOAT)
            top.casts.append(cast)
        else:
            top.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        top._known[id(value)] = (value, name)  # which keeps the identity taken
        return name


def value_info(name: str, aval: Any) -> onnx.ValueInfoProto:
    """A value of a graph with its type and shape."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(aval.dtype))
    return helper.make_tensor_value_info(name, kind, aval.shape)


def translate(
    graph: Graph,
    jaxpr: Any,
    consts: Sequence[str],
    inputs: Sequence[str],
    is_wanted: Sequence[bool],
) -> list[str]:
    """Adds the nodes of a jaxpr to a graph.

    Args:
      graph: to be added to.
      jaxpr: what is computed.
      consts, inputs: the names of its constants and inputs.
      is_wanted: for each output, whether it is. What only others depend on is left out.

    Returns:
      The names of its outputs, empty for those that are not wanted.

    Raises:
      UserError: it has a primitive that is not known here.
    """
    names = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *inputs], strict=True))

    def name_of(atom: Any) -> str:
        is_literal = isinstance(atom, jax.extend.core.Literal)
        return graph.constant(np.asarray(atom.val, atom.aval.dtype)) if is_literal else names[atom]

    for equation, is_needed in _needed(jaxpr, is_wanted):
        operands = [name_of(atom) for atom in equation.invars]
        results = _equation(graph, equation, operands, is_needed)
        names |= zip(equation.outvars, results, strict=True)
    return [
        name_of(a) if wanted else "" for a, wanted in zip(jaxpr.outvars, is_wanted, strict=True)
    ]


def _needed(jaxpr: Any, is_wanted: Sequence[bool]) -> list[tuple[Any, list[bool]]]:
    """The equations on which outputs depend, and which of their results these need."""
    needed = {id(a) for a, wanted in zip(jaxpr.outvars, is_wanted, strict=True) if wanted}
    kept = []
    for equation in reversed(jaxpr.eqns):
        results = [id(var) in needed for var in equation.outvars]
        if any(results):
            kept.append((equation, results))
            needed |= set(map(id, equation.invars))
    return kept[::-1]


def _equation(
    graph: Graph, equation: Any, operands: Sequence[str], is_needed: Sequence[bool]
) -> list[str]:
    primitive, params = equation.primitive.name, equation.params
    if primitive == "scan":
        return _scan(graph, equation, operands, is_needed)
    for key in _INLINED:
        if key in params:
            return _call(graph, params[key], operands, is_needed)
    operator = onnx_operators.OPERATORS.get(primitive)
    if operator is None:
        raise UserError(f"the model cannot be exported: {primitive} is not known to the export")
    made = operator(graph, equation, *operands)
    return [made] if isinstance(made, str) else list(made)


def _call(
    graph: Graph, jaxpr: Any, operands: Sequence[str], is_needed: Sequence[bool]
) -> list[str]:
    """A function within a function, in place."""
    consts = [graph.constant(value) for value in getattr(jaxpr, "consts", ())]
    return translate(graph, getattr(jaxpr, "jaxpr", jaxpr), consts, operands, is_needed)


def _scan(
    graph: Graph, equation: Any, operands: Sequence[str], is_needed: Sequence[bool]
) -> list[str]:
    """`lax.scan`; what does not change in the loop is seen from within, as names of the outside."""
    params = equation.params
    if params["reverse"]:
        raise UserError("the model cannot be exported: it has a loop that runs backwards")
    closed, (num_consts, num_carry) = params["jaxpr"], _constants_and_state(params)
    first = num_consts + num_carry  # of what is looped over
    changing = closed.jaxpr.invars[num_consts:]
    body = Graph(graph)
    seen = [body.name() for _ in changing]
    infos = [value_info(name, var.aval) for name, var in zip(seen, changing, strict=True)]
    # The state goes round whether or not it is needed afterwards.
    is_made = [True] * num_carry + list(is_needed[num_carry:])
    outside = [graph.constant(value) for value in closed.consts]
    made = translate(body, closed.jaxpr, outside, [*operands[:num_consts], *seen], is_made)
    # An output may be an input, or from outside, which a body must not give back as it is.
    outputs = [
        value_info(body.add("Identity", name), atom.aval)
        for name, atom in zip(made, closed.jaxpr.outvars, strict=True)
        if name
    ]
    steps = list(operands[first:])
    if not steps:  # a loop has to run over something
        steps = [graph.constant(np.zeros((params["length"], 1), np.float32))]
        infos.append(helper.make_tensor_value_info(body.name(), onnx.TensorProto.FLOAT, (1,)))
    results = graph.add_all(
        "Scan",
        *operands[num_consts:first],
        *steps,
        outputs=len(outputs),
        body=helper.make_graph(body.nodes, body.name(), infos, outputs),
        num_scan_inputs=len(steps),
    )
    left = iter(results)
    return [next(left) if kept else "" for kept in is_made]


def _constants_and_state(params: Mapping[str, Any]) -> tuple[int, int]:
    """How many of the operands of a scan do not change, and how many are its state."""
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    constants, state, _ = params["ft_in"].unpack()  # from JAX 0.12 on
    return len(constants), len(state)


def to_onnx(
    function: Callable[..., Any], inputs: dict[str, jax.ShapeDtypeStruct], output: str
) -> bytes:
    """A function of arrays as an ONNX model.

    Args:
      function: of as many arrays as there are inputs; gives one array. Arrays that it holds
        become constants, those of at least 1,024 float32 numbers in 16 bits.
      inputs: shapes and types by name, in order.
      output: the name of the result.

    Raises:
      UserError: the function does something that is not known here.
    """
    closed = jax.make_jaxpr(function)(*inputs.values())
    graph = Graph()
    consts = [graph.constant(value) for value in closed.consts]
    [made] = translate(graph, closed.jaxpr, consts, list(inputs), [True])
    graph.nodes.append(helper.make_node("Identity", [made], [output]))
    [atom] = closed.jaxpr.outvars
    model = helper.make_model(
        helper.make_graph(
            [*graph.casts, *graph.nodes],
            output,
            [value_info(name, shape) for name, shape in inputs.items()],
            [value_info(output, atom.aval)],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="musicvae-jax",
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()
