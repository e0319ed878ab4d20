"""The loop of an LSTM layer for NVIDIA's GPUs, with one kernel for each step.

Scanned, a step is several kernels: the recurrent product, the activations, and what stores and
loads the arrays of all steps. Here each step is one, which computes the four gates of a tile of
rows and units and activates them while they are in registers, and which reads and writes the
arrays of all steps where they are.

What it computes is what scanning `lstm_step` computes, to rounding. Several directions lie side
by side: each has its own columns of every array.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

# Rows and units of a tile, and how many terms of its products are added at once.
_ROWS, _UNITS, _DEPTH = 32, 32, 64
# Steps in a turn of the loop, whose counter is a launch too.
_STEPS_OF_A_TURN = 8


def serves(features: int, dtype: jnp.dtype) -> bool:
    """Whether `lstm` can run such a layer: whole tiles, of any type."""
    del dtype
    return features % _DEPTH == 0


@dataclasses.dataclass(frozen=True)
class Step:
    """Where a kernel is: which tile of which step.

    Arrays of all steps have a place before the first step and one after the last, for the
    states from which the directions begin.

    Attributes:
      direction: as a number.
      now, previous, following: places of the step and of those next to it in its direction.
      rows: of the tile.
      units: the first unit of the tile.
      features: of a direction.
    """

    direction: Any
    now: Any
    previous: Any
    following: Any
    rows: Any
    units: Any
    features: int

    def columns(self, gate: int = 0, of: int = 1) -> Any:
        """The tile's columns of a gate, where a direction has so many gates (or one state)."""
        first = (self.direction * of + gate) * self.features + self.units
        return pl.ds(first, _UNITS)

    def product(self, rows: Any, place: Any, kernel: Any, wide: int, gates: int) -> Sequence[Any]:
        """Products of rows [_ROWS, wide * features] with each gate's columns of a kernel."""
        depth = wide * self.features

        def add(number, sums):
            own = pl.ds(self.direction * depth + number * _DEPTH, _DEPTH)
            left = rows[place, self.rows, own].astype(kernel.dtype)
            terms = pl.ds(number * _DEPTH, _DEPTH)
            right = (kernel[terms, self.columns(gate, gates)] for gate in range(gates))
            products = (jnp.dot(left, one, preferred_element_type=jnp.float32) for one in right)
            return tuple(map(jnp.add, sums, products))

        zeros = (jnp.zeros((_ROWS, _UNITS), jnp.float32),) * gates
        return jax.lax.fori_loop(0, depth // _DEPTH, add, zeros)


def _here(steps: int, features: int, is_reversed: bool, turn: Any) -> Step:
    direction = pl.program_id(0)
    backwards = (direction + is_reversed) % 2
    now = 1 + turn + backwards * (steps - 1 - 2 * turn)
    way = 1 - 2 * backwards
    rows, units = pl.ds(pl.program_id(1) * _ROWS, _ROWS), pl.program_id(2) * _UNITS
    return Step(direction, now, now - way, now + way, rows, units, features)


def _forward_kernel(here, turn, offset, drive, kernel, bias, *changed):
    """One step: its state, cell and, if they are kept, gates, written where the old ones are."""
    old, (new_states, new_cells, *new_gates) = _halves(changed)
    at = here(turn, offset)
    sums = []
    for gate, product in enumerate(at.product(old[0], at.previous, kernel, 1, 4)):
        own = at.columns(gate, 4)
        sums.append(drive[at.now - 1, at.rows, own] + product + bias[own])
    i, f, g, o = (jnp.tanh(x) if gate == 2 else jax.nn.sigmoid(x) for gate, x in enumerate(sums))
    units = at.columns()
    cell = f * old[1][at.previous, at.rows, units] + i * g
    new_cells[at.now, at.rows, units] = cell
    new_states[at.now, at.rows, units] = o * jnp.tanh(cell)
    for gates in new_gates:
        for gate, value in enumerate((i, f, g, o)):
            gates[at.now - 1, at.rows, at.columns(gate, 4)] = value


def _backward_kernel(here, turn, offset, gates, cells, d_outputs, kernel, *changed):
    """One step: the gradients of its gates, and of the cell before it."""
    (d_cells, d_gates), (new_d_cells, new_d_gates) = _halves(changed)
    at = here(turn, offset)
    (d_hidden,) = at.product(d_gates, at.following, kernel, 4, 1)
    units = at.columns()
    i, f, g, o = (gates[at.now - 1, at.rows, at.columns(gate, 4)] for gate in range(4))
    before = cells[at.previous, at.rows, units]
    cell = jnp.tanh(f * before + i * g)
    d_output = d_outputs[at.now - 1, at.rows, units] + d_hidden
    d_state = d_cells[at.following % 2, at.rows, units] + d_output * o * (1 - cell * cell)
    before_activation = (
        d_state * g * i * (1 - i),
        d_state * before * f * (1 - f),
        d_state * i * (1 - g * g),
        d_output * cell * o * (1 - o),
    )
    new_d_cells[at.now % 2, at.rows, units] = d_state * f
    for gate, value in enumerate(before_activation):
        new_d_gates[at.now, at.rows, at.columns(gate, 4)] = value


def _halves(refs: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    """What is changed in place, once as it is read and once as it is written."""
    return refs[: len(refs) // 2], refs[len(refs) // 2 :]


@dataclasses.dataclass(frozen=True)
class _Loop:
    """A loop over steps.

    Attributes:
      steps, features, directions: of the layer.
      is_reversed: whether the first direction runs from the last step to the first; the
        second one runs the other way.
      interpret: see `lstm`.
    """

    steps: int
    features: int
    directions: int
    is_reversed: bool
    interpret: bool

    def is_backwards(self, direction: int) -> bool:
        return bool((direction + self.is_reversed) % 2)

    def run(self, kernel, given, changed, is_undone=False):
        """Calls a kernel for each step, undone from the last; changes the arrays of `changed`."""

        unroll = math.gcd(self.steps, _STEPS_OF_A_TURN)

        def here(turn, offset):
            number = turn[0] * unroll + offset[0]
            number = self.steps - 1 - number if is_undone else number
            return _here(self.steps, self.features, self.is_reversed, number)

        batch = changed[0].shape[-2]
        call = pl.pallas_call(
            functools.partial(kernel, here),
            out_shape=[jax.ShapeDtypeStruct(x.shape, x.dtype) for x in changed],
            grid=(self.directions, batch // _ROWS, self.features // _UNITS),
            input_output_aliases={2 + len(given) + n: n for n in range(len(changed))},
            compiler_params=plgpu.CompilerParams(num_warps=4, num_stages=3),
            interpret=self.interpret,
            name=kernel.__name__.strip("_"),
        )

        def turn(number, changed):
            # A constant for each step: to add it to the number here would be a launch.
            for offset in range(unroll):
                changed = call(number.reshape(1), jnp.array([offset]), *given, *changed)
            return tuple(changed)

        return jax.lax.fori_loop(0, self.steps // unroll, turn, tuple(changed))

    def own(self, direction: int, width: int) -> slice:
        """A direction's columns of an array in which each has so many."""
        return slice(direction * width, (direction + 1) * width)

    def bounded(self, first: jax.Array) -> jax.Array:
        """[steps + 2, ...] with the first state at both ends; the rest is to be written."""
        empty = jnp.zeros((self.steps, *first.shape), first.dtype)
        return jnp.concatenate([first[None], empty, first[None]])


def _prepared(drive, kernel, is_reversed, interpret):
    """The loop, and what brings an array [..., batch, n] to whole tiles of rows."""
    features = kernel.shape[0]
    loop = _Loop(len(drive), features, kernel.shape[1] // (4 * features), is_reversed, interpret)
    missing = -drive.shape[1] % _ROWS

    def whole(array):
        return jnp.pad(array, [(0, 0)] * (array.ndim - 2) + [(0, missing), (0, 0)])

    return loop, whole


def _run_forward(saves, drive, kernel, bias, cell, hidden, is_reversed, interpret):
    """Last cells and outputs, and the arrays of all steps in whole tiles of rows."""
    loop, whole = _prepared(drive, kernel, is_reversed, interpret)
    batch = drive.shape[1]
    drive = whole(drive)
    changed = [loop.bounded(whole(hidden)), loop.bounded(whole(cell))]
    if saves:
        changed.append(jnp.zeros(drive.shape, jnp.float32))
    states, cells, *gates = loop.run(_forward_kernel, (drive, kernel, bias), changed)
    last = [
        cells[1 if loop.is_backwards(direction) else -2, :batch, loop.own(direction, loop.features)]
        for direction in range(loop.directions)
    ]
    return (jnp.concatenate(last, axis=-1), states[1:-1, :batch]), (states, cells, *gates)


@functools.partial(jax.custom_vjp, nondiff_argnums=(5, 6, 7))
def lstm(
    drive: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    cell: jax.Array,
    hidden: jax.Array,
    is_reversed: bool = False,
    dtype: jnp.dtype = jnp.float32,
    interpret: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """Runs one LSTM over time, or two side by side, the second in the other direction.

    Args:
      drive: [steps, batch, directions * 4 * features], the inputs' part of the gates.
      kernel: [features, directions * 4 * features] float32.
      bias: [directions * 4 * features] float32.
      cell, hidden: [batch, directions * features] float32, the state before the first step
        of each direction.
      is_reversed: run the first direction from the last step to the first.
      dtype: in which matrix products are computed.
      interpret: compute on any device, slowly, what the kernel does.

    Returns:
      The final cell state [batch, directions * features], and the hidden states of all
      steps: [steps, batch, directions * features].
    """
    arrays = drive, kernel.astype(dtype), bias, cell, hidden
    return _run_forward(False, *arrays, is_reversed, interpret)[0]


def _lstm_forward(drive, kernel, bias, cell, hidden, is_reversed, dtype, interpret):
    kernel = kernel.astype(dtype)
    arrays = drive, kernel, bias, cell, hidden
    made, saved = _run_forward(True, *arrays, is_reversed, interpret)
    # An empty array says of which type the drive is.
    return made, (drive[:, :, :0], kernel, *saved)


def _lstm_backward(is_reversed, dtype, interpret, saved, gradients):
    drive, kernel, states, cells, gates = saved
    loop, whole = _prepared(drive, kernel, is_reversed, interpret)
    d_last_cell, d_outputs = (whole(gradient) for gradient in gradients)
    width, batch = 4 * loop.features, drive.shape[1]
    transposed = jnp.concatenate(
        [kernel[:, loop.own(direction, width)].T for direction in range(loop.directions)], axis=1
    )
    nothing = jnp.zeros((loop.steps + 2, *gates.shape[1:]), jnp.float32)
    given = (gates, cells, d_outputs, transposed)
    # Of the cells' gradients two in turns: no kernel reads what it writes.
    changed = (jnp.stack([d_last_cell, d_last_cell]), nothing)
    d_cells, d_gates = loop.run(_backward_kernel, given, changed, is_undone=True)
    d_kernels, d_first_cells, d_hiddens = [], [], []
    for direction in range(loop.directions):
        own = d_gates[..., loop.own(direction, width)].astype(dtype)
        units = loop.own(direction, loop.features)
        backwards = loop.is_backwards(direction)
        first = loop.steps if backwards else 1
        d_first_cells.append(d_cells[first % 2, :batch, units])
        before = states[2:, :, units] if backwards else states[:-2, :, units]
        product = functools.partial(jnp.einsum, preferred_element_type=jnp.float32)
        d_kernels.append(product("tbh,tbg->hg", before.astype(dtype), own[1:-1]))
        d_hiddens.append(product("bg,gh->bh", own[first], transposed[:, units]))
    return (
        d_gates[1:-1, :batch].astype(drive.dtype),
        jnp.concatenate(d_kernels, axis=1),
        d_gates.sum((0, 1)),
        jnp.concatenate(d_first_cells, axis=1),
        jnp.concatenate(d_hiddens, axis=1)[:batch],
    )


lstm.defvjp(_lstm_forward, _lstm_backward)
