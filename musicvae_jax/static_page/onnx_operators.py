"""The primitives of JAX that models use, as operators of ONNX."""

import string
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from jax.lax import GatherScatterMode
from onnx import helper

from musicvae_jax.system.errors import UserError


class Builder(Protocol):
    """What an operator needs of `onnx_graph.Graph`."""

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str: ...

    def add_all(
        self, operator: str, *inputs: str, outputs: int, **attributes: Any
    ) -> list[str]: ...

    def constant(self, value: Any) -> str: ...


Operator = Callable[..., "str | Sequence[str]"]


def _plain(operator: str) -> Operator:
    """A primitive that has an operator of its own."""
    return lambda graph, equation, *operands: graph.add(operator, *operands)


def _integers(graph: Builder, values: Sequence[int]) -> str:
    return graph.constant(np.array(values, np.int64))


def _cast(graph: Builder, name: str, dtype: Any) -> str:
    return graph.add("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _reshape(graph: Builder, equation: Any, name: str) -> str:
    return graph.add("Reshape", name, _integers(graph, equation.outvars[0].aval.shape))


def _convert(graph: Builder, equation: Any, name: str) -> str:
    return _cast(graph, name, equation.params["new_dtype"])


def _integer_pow(graph: Builder, equation: Any, name: str) -> str:
    exponent = np.array(equation.params["y"], equation.invars[0].aval.dtype)
    return graph.add("Pow", name, graph.constant(exponent))


def _rsqrt(graph: Builder, equation: Any, name: str) -> str:
    return graph.add("Reciprocal", graph.add("Sqrt", name))


def _not_equal(graph: Builder, equation: Any, one: str, two: str) -> str:
    return graph.add("Not", graph.add("Equal", one, two))


def _select(graph: Builder, equation: Any, which: str, no: str, yes: str) -> str:
    return graph.add("Where", which, yes, no)


def _clamp(graph: Builder, equation: Any, low: str, name: str, high: str) -> str:
    return graph.add("Min", graph.add("Max", name, low), high)


def _broadcast(graph: Builder, equation: Any, name: str) -> str:
    shape, places = equation.params["shape"], equation.params["broadcast_dimensions"]
    before = equation.invars[0].aval.shape
    aligned = [1] * len(shape)
    for size, place in zip(before, places, strict=True):
        aligned[place] = size
    if tuple(aligned) != before:
        name = graph.add("Reshape", name, _integers(graph, aligned))
    if tuple(aligned) != tuple(shape):
        name = graph.add("Expand", name, _integers(graph, shape))
    return name


def _transpose(graph: Builder, equation: Any, name: str) -> str:
    return graph.add("Transpose", name, perm=list(equation.params["permutation"]))


def _concatenate(graph: Builder, equation: Any, *names: str) -> str:
    return graph.add("Concat", *names, axis=equation.params["dimension"])


def _stack(graph: Builder, equation: Any, *names: str) -> str:
    axis = equation.params["axis"]
    rows = [graph.add("Unsqueeze", name, _integers(graph, [axis])) for name in names]
    return graph.add("Concat", *rows, axis=axis)


def _split(graph: Builder, equation: Any, name: str) -> Sequence[str]:
    sizes, axis = equation.params["sizes"], equation.params["axis"]
    return graph.add_all("Split", name, _integers(graph, sizes), outputs=len(sizes), axis=axis)


def _unstack(graph: Builder, equation: Any, name: str) -> Sequence[str]:
    axis, count = equation.params["axis"], len(equation.outvars)
    rows = graph.add_all("Split", name, _integers(graph, [1] * count), outputs=count, axis=axis)
    return [graph.add("Squeeze", row, _integers(graph, [axis])) for row in rows]


def _slice(graph: Builder, equation: Any, name: str) -> str:
    params = equation.params
    starts, ends = params["start_indices"], params["limit_indices"]
    strides = params["strides"] or [1] * len(starts)
    axes = range(len(starts))
    return graph.add("Slice", name, *(_integers(graph, v) for v in (starts, ends, axes, strides)))


def _reverse(graph: Builder, equation: Any, name: str) -> str:
    axes = equation.params["dimensions"]
    last, first, back = ([end] * len(axes) for end in (-1, np.iinfo(np.int64).min, -1))
    return graph.add("Slice", name, *(_integers(graph, v) for v in (last, first, axes, back)))


def _pad(graph: Builder, equation: Any, name: str, value: str) -> str:
    low, high, inner = zip(*equation.params["padding_config"], strict=True)
    if any(inner) or min(low + high) < 0:
        raise UserError("the model cannot be exported: it pads within an array")
    return graph.add("Pad", name, _integers(graph, low + high), value)


def _iota(graph: Builder, equation: Any) -> str:
    params = equation.params
    shape, axis = params["shape"], params["dimension"]
    along = np.arange(shape[axis], dtype=params["dtype"])
    along = along.reshape([-1 if place == axis else 1 for place in range(len(shape))])
    return graph.constant(np.ascontiguousarray(np.broadcast_to(along, shape)))


def _reduction(operator: str) -> Operator:
    def reduce(graph: Builder, equation: Any, name: str) -> str:
        axes = _integers(graph, equation.params["axes"])
        return graph.add(operator, name, axes, keepdims=0)

    return reduce


def _argmax(graph: Builder, equation: Any, name: str) -> str:
    [axis] = equation.params["axes"]
    found = graph.add("ArgMax", name, axis=axis, keepdims=0)
    return _cast(graph, found, equation.params["index_dtype"])


def _dot(graph: Builder, equation: Any, one: str, two: str) -> str:
    (lhs_sum, rhs_sum), (lhs_batch, rhs_batch) = equation.params["dimension_numbers"]
    lhs, rhs = (len(var.aval.shape) for var in equation.invars)
    lhs_sum, rhs_sum = tuple(lhs_sum), tuple(rhs_sum)
    if (lhs_sum, rhs_sum, lhs_batch) == ((lhs - 1,), (0,), ()) and rhs == 2:
        return graph.add("MatMul", one, two)
    letters = iter(string.ascii_lowercase)
    first = [next(letters) for _ in range(lhs)]
    second = [""] * rhs
    pairs = [*zip(lhs_sum, rhs_sum, strict=True), *zip(lhs_batch, rhs_batch, strict=True)]
    for left, right in pairs:
        second[right] = first[left]
    second = [letter or next(letters) for letter in second]
    summed = {first[axis] for axis in lhs_sum}
    shared = [first[axis] for axis in lhs_batch]
    own = [[c for c in term if c not in summed and c not in shared] for term in (first, second)]
    result = "".join(shared + own[0] + own[1])
    told = f"{''.join(first)},{''.join(second)}->{result}"
    return graph.add("Einsum", one, two, equation=told)


def _gather(graph: Builder, equation: Any, operand: str, indices: str) -> str:
    """Indexing by arrays, as `table[tokens]` and `slices[bar, :, bar]` do it."""
    numbers, shapes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    shape, index_shape = (var.aval.shape for var in equation.invars)
    indexed, batch = tuple(numbers.start_index_map), tuple(numbers.operand_batching_dims)
    others = [axis for axis in range(len(shape)) if axis not in indexed]
    is_usual = (
        not batch
        and tuple(numbers.collapsed_slice_dims) == tuple(sorted(indexed))
        and all(shapes[axis] == shape[axis] for axis in others)
    )
    if not is_usual:
        raise UserError("the model cannot be exported: it indexes in a way that is not known")
    last = np.array([shape[axis] - 1 for axis in indexed], equation.invars[1].aval.dtype)
    within = graph.add(
        "Min", graph.add("Max", indices, graph.constant(0 * last)), graph.constant(last)
    )
    order = [*indexed, *others]
    if order != list(range(len(shape))):
        operand = graph.add("Transpose", operand, perm=order)
    picked = graph.add("GatherND", operand, _cast(graph, within, np.int64))
    if equation.params["mode"] == GatherScatterMode.FILL_OR_DROP:
        picked = _filled(graph, equation, picked, indices, within, len(others))
    # The axes of the indices come first here; there, the others stand where it is told.
    rank = len(index_shape) - 1 + len(others)
    told = list(numbers.offset_dims)
    places = [axis for axis in range(rank) if axis not in told] + told
    return graph.add("Transpose", picked, perm=np.argsort(places).tolist())


def _filled(
    graph: Builder, equation: Any, picked: str, indices: str, within: str, others: int
) -> str:
    """What was picked, but another value where an index lies outside."""
    fill, result = equation.params["fill_value"], equation.outvars[0].aval
    if fill is None:
        is_float = np.issubdtype(result.dtype, np.floating)
        fill = np.nan if is_float else np.iinfo(result.dtype).min
    outside = graph.add("Not", graph.add("Equal", indices, within))
    count = graph.add(
        "ReduceMax", _cast(graph, outside, np.int32), _integers(graph, [-1]), keepdims=0
    )
    aligned = [*equation.invars[1].aval.shape[:-1], *[1] * others]
    is_out = graph.add("Reshape", _cast(graph, count, bool), _integers(graph, aligned))
    return graph.add("Where", is_out, graph.constant(np.array(fill, result.dtype)), picked)


OPERATORS: dict[str, Operator] = {
    "abs": _plain("Abs"),
    "add": _plain("Add"),
    "and": _plain("And"),
    "argmax": _argmax,
    "broadcast_in_dim": _broadcast,
    "clamp": _clamp,
    "concatenate": _concatenate,
    "convert_element_type": _convert,
    "copy": _plain("Identity"),
    "cos": _plain("Cos"),
    "div": _plain("Div"),
    "dot_general": _dot,
    "eq": _plain("Equal"),
    "exp": _plain("Exp"),
    "expand_dims": _reshape,
    "gather": _gather,
    "ge": _plain("GreaterOrEqual"),
    "gt": _plain("Greater"),
    "integer_pow": _integer_pow,
    "iota": _iota,
    "le": _plain("LessOrEqual"),
    "log": _plain("Log"),
    "logistic": _plain("Sigmoid"),
    "lt": _plain("Less"),
    "max": _plain("Max"),
    "min": _plain("Min"),
    "mul": _plain("Mul"),
    "ne": _not_equal,
    "neg": _plain("Neg"),
    "not": _plain("Not"),
    "or": _plain("Or"),
    "pad": _pad,
    "reduce_max": _reduction("ReduceMax"),
    "reduce_min": _reduction("ReduceMin"),
    "reduce_sum": _reduction("ReduceSum"),
    "reshape": _reshape,
    "rev": _reverse,
    "rsqrt": _rsqrt,
    "select_n": _select,
    "sin": _plain("Sin"),
    "slice": _slice,
    "split": _split,
    "sqrt": _plain("Sqrt"),
    "square": lambda graph, equation, name: graph.add("Mul", name, name),
    "squeeze": _reshape,
    "stack": _stack,
    "stop_gradient": _plain("Identity"),
    "sub": _plain("Sub"),
    "tanh": _plain("Tanh"),
    "transpose": _transpose,
    "unstack": _unstack,  # from JAX 0.12 on
}
