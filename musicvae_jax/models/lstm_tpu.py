"""The loop of an LSTM layer as one kernel for TPUs.

Scanned, each step is several programs, one after another, whose results go through memory.
Here all steps are one: the recurrent kernel and the state stay in the memory of the core (VMEM)
from the first step to the last, while the drive of the next steps is being read from the memory
of the device, and the outputs of the last ones are being written to it.

What it computes is what scanning `lstm_step` computes, to rounding. Several directions lie side
by side: each has its own columns of every array, and its own turn in the grid.
"""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu

# A core has 128 MiB of VMEM in a v5e or v6e, and 64 in a v5p or tpu7x (jax's `TpuInfo`).
VMEM_BYTES = 60 << 20
# Of these, the recurrent kernel has at most, and what is read and written beside it.
_KERNEL_BYTES = 32 << 20
_BLOCK_BYTES = 12 << 20
_MOST_ROWS, _MOST_STEPS = 128, 16
# Rows and columns of a tile: of rows half are enough for float32.
_ROWS, _COLUMNS = 16, 128
# Units that are computed at once: for more the compiler takes long.
_UNITS = 256


def serves(features: int, dtype: jnp.dtype) -> bool:
    """Whether `lstm` can run such a layer: whole tiles, and the kernel fits into VMEM."""
    size = 4 * features**2 * jnp.dtype(dtype).itemsize
    return features % _COLUMNS == 0 and size <= _KERNEL_BYTES


@dataclasses.dataclass(frozen=True)
class Loop:
    """How a loop is cut into blocks, of which each is one turn of the grid.

    Attributes:
      steps, batch, features, directions: of the whole loop.
      block_steps: a divisor of the steps.
      block_rows: all of the batch, or whole tiles.
      is_reversed: whether the first direction runs from the last step to the first; the
        second one runs the other way.
      is_undone: whether the loop goes through the steps in the opposite order, for gradients.
    """

    steps: int
    batch: int
    features: int
    directions: int
    block_steps: int
    block_rows: int
    is_reversed: bool
    is_undone: bool = False

    @property
    def grid(self) -> tuple[int, int, int]:
        """Directions, blocks of rows, and blocks of steps, of which the last turns fastest."""
        rows = pl.cdiv(self.batch, self.block_rows)
        return self.directions, rows, self.steps // self.block_steps

    def is_backwards(self, direction: Any) -> Any:
        """Whether the steps of a direction are gone through from the last, as 0 or 1."""
        return (direction + self.is_reversed + self.is_undone) % 2

    def of_steps(self, width: int) -> pl.BlockSpec:
        """[steps, batch, directions * width], of which each turn has other steps."""

        def place(direction, rows, turn):
            last = self.grid[2] - 1
            return turn + self.is_backwards(direction) * (last - 2 * turn), rows, direction

        return pl.BlockSpec((self.block_steps, self.block_rows, width), place)

    def of_rows(self) -> pl.BlockSpec:
        """[batch, directions * features], which stays for all steps."""
        shape = (self.block_rows, self.features)
        return pl.BlockSpec(shape, lambda direction, rows, turn: (rows, direction))

    def of_directions(self, rows: int, columns: int) -> pl.BlockSpec:
        """[rows, directions * columns], which stays for all steps of all rows."""
        place = lambda direction, rows, turn: (0, direction)  # noqa: E731
        return pl.BlockSpec((rows, columns), place, pipeline_mode=pl.Buffered(1))

    def shape_of_steps(self, width: int) -> jax.ShapeDtypeStruct:
        shape = (self.steps, self.batch, self.directions * width)
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    def shape_of_rows(self) -> jax.ShapeDtypeStruct:
        shape = (self.batch, self.directions * self.features)
        return jax.ShapeDtypeStruct(shape, jnp.float32)

    def of_sums(self, width: int) -> pl.BlockSpec:
        """[blocks of rows, 1, directions * width], sums over all steps and a block's rows."""
        place = lambda direction, rows, turn: (rows, 0, direction)  # noqa: E731
        return pl.BlockSpec((None, 1, width), place)

    def shape_of_sums(self, width: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.grid[1], 1, self.directions * width), jnp.float32)

    def row_sum(self) -> Callable[[jax.Array], jax.Array]:
        """Within a kernel: a function [rows, n] -> [1, n]; rows after the last do not count."""
        here = self.batch - pl.program_id(1) * self.block_rows

        def total(values):
            if self.batch % self.block_rows:
                row = jax.lax.broadcasted_iota(jnp.int32, values.shape, 0)
                values = jnp.where(row < here, values, 0.0)
            return values.sum(axis=0, keepdims=True)

        return total

    def state(self) -> Any:
        """A state of the rows of a block, which stays in VMEM."""
        return pltpu.VMEM((self.block_rows, self.features), jnp.float32)

    def over_steps(self, step: Callable[[Any], None]) -> None:
        """Within a kernel: calls `step` with each step of a block, in their order."""
        backwards = self.is_backwards(pl.program_id(0))

        def turn(number, _):
            step(number + backwards * (self.block_steps - 1 - 2 * number))

        jax.lax.fori_loop(0, self.block_steps, turn, None)

    def over_units(self, part: Callable[[Callable[[int], Any]], None]) -> None:
        """Within a kernel: calls `part` for some units after others.

        It is given a function from a gate's number to the columns of these units there, which
        for 0 are those of a state.
        """
        width = math.gcd(self.features, _UNITS)

        def turn(number, _):
            def columns(gate):
                first = gate * self.features + number * width
                return pl.ds(pl.multiple_of(first, width), width)

            part(columns)

        if width == self.features:
            part(lambda gate: slice(gate * width, (gate + 1) * width))
        else:
            jax.lax.fori_loop(0, self.features // width, turn, None)

    def call(self, kernel: Callable[..., None], interpret: bool, **specs: Any) -> Callable:
        parameters = pltpu.CompilerParams(
            dimension_semantics=("parallel", "parallel", "arbitrary"),
            vmem_limit_bytes=VMEM_BYTES,
        )
        return pl.pallas_call(
            functools.partial(kernel, self),
            grid=self.grid,
            compiler_params=parameters,
            interpret=interpret,
            **specs,
        )


def cut(drive: jax.Array, features: int, is_reversed: bool, block_bytes: int) -> Loop:
    """Cuts a loop into blocks: first as many rows as may be, then as many steps."""
    steps, batch, width = drive.shape
    # Read and written of a row in a step: the drive or gates, gates or their gradients, two
    # states; and two buffers of each.
    row = 2 * 4 * 10 * features
    rows = min(batch, _MOST_ROWS, max(_ROWS, block_bytes // row // _ROWS * _ROWS))
    most = max(1, min(_MOST_STEPS, block_bytes // (row * rows)))
    block_steps = max(size for size in range(1, most + 1) if steps % size == 0)
    return Loop(steps, batch, features, width // (4 * features), block_steps, rows, is_reversed)


def _product(rows: jax.Array, kernel: jax.Array) -> jax.Array:
    return jnp.dot(rows.astype(kernel.dtype), kernel, preferred_element_type=jnp.float32)


def _forward_kernel(loop, drive, kernel, bias, cell, hidden, outputs, last_cell, *rest):
    """One turn: the states of a block of steps. The last cell is where the cell is kept."""
    *saved, state = rest

    @pl.when(pl.program_id(2) == 0)
    def _():
        last_cell[...] = cell[...]
        state[...] = hidden[...]

    def step(number):
        def part(columns):
            def gate(which):
                own = columns(which)
                recurrent = _product(state[...], kernel[:, own])
                return drive[number, :, own] + recurrent + bias[:, own]

            i, f, g, o = (gate(which) for which in range(4))
            i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
            units = columns(0)
            if saved:
                gates, before = saved
                for which, value in enumerate((i, f, g, o)):
                    gates[number, :, columns(which)] = value
                before[number, :, units] = last_cell[:, units]
            last_cell[:, units] = f * last_cell[:, units] + i * g
            outputs[number, :, units] = o * jnp.tanh(last_cell[:, units])

        loop.over_units(part)
        state[...] = outputs[number]

    loop.over_steps(step)


def _forward(loop, saves, drive, kernel, bias, cell, hidden, interpret):
    """Outputs and last cells; with `saves`, the gates and the cells before each step too."""
    features = loop.features
    saved = (4 * features, features) if saves else ()
    call = loop.call(
        _forward_kernel,
        interpret,
        in_specs=[
            loop.of_steps(4 * features),
            loop.of_directions(features, 4 * features),
            loop.of_directions(1, 4 * features),
            loop.of_rows(),
            loop.of_rows(),
        ],
        out_specs=[
            loop.of_steps(features),
            loop.of_rows(),
            *(loop.of_steps(width) for width in saved),
        ],
        out_shape=[
            loop.shape_of_steps(features),
            loop.shape_of_rows(),
            *(loop.shape_of_steps(width) for width in saved),
        ],
        scratch_shapes=[loop.state()],
        # The gates take the place of a drive of their type.
        input_output_aliases={0: 2} if saves and drive.dtype == jnp.float32 else {},
        name="lstm_forward",
    )
    return call(drive, kernel, bias[None], cell, hidden)


def _backward_kernel(
    loop, gates, before, d_outputs, kernel, d_last_cell, d_gates, d_cell, d_hidden, d_bias
):
    """One turn: the gradients of the gates of a block of steps, and of the state before it."""

    @pl.when(pl.program_id(2) == 0)
    def _():
        d_cell[...] = d_last_cell[...]
        d_hidden[...] = jnp.zeros_like(d_hidden)
        d_bias[...] = jnp.zeros_like(d_bias)

    row_sum = loop.row_sum()

    def step(number):
        def part(columns):
            i, f, g, o = (gates[number, :, columns(which)] for which in range(4))
            units = columns(0)
            cell = jnp.tanh(f * before[number, :, units] + i * g)
            d_output = d_outputs[number, :, units] + d_hidden[:, units]
            d_state = d_cell[:, units] + d_output * o * (1 - cell**2)
            d_cell[:, units] = d_state * f
            before_activation = (
                d_state * g * i * (1 - i),
                d_state * before[number, :, units] * f * (1 - f),
                d_state * i * (1 - g**2),
                d_output * cell * o * (1 - o),
            )
            for which, value in enumerate(before_activation):
                d_gates[number, :, columns(which)] = value
                d_bias[:, columns(which)] += row_sum(value)

        loop.over_units(part)

        def product(columns):
            d_hidden[:, columns(0)] = _product(d_gates[number], kernel[:, columns(0)])

        loop.over_units(product)

    loop.over_steps(step)


def _backward(loop, gates, before, d_outputs, kernel, d_last_cell, interpret):
    """The gradients of the gates, of the first cell and hidden state, and of the bias."""
    features = loop.features
    loop = dataclasses.replace(loop, is_undone=True)
    # Each direction's kernel transposed, in its own columns.
    parts = jnp.split(kernel, loop.directions, axis=1)
    transposed = jnp.concatenate([part.T for part in parts], axis=1)
    call = loop.call(
        _backward_kernel,
        interpret,
        in_specs=[
            loop.of_steps(4 * features),
            loop.of_steps(features),
            loop.of_steps(features),
            loop.of_directions(4 * features, features),
            loop.of_rows(),
        ],
        out_specs=[
            loop.of_steps(4 * features),
            loop.of_rows(),
            loop.of_rows(),
            loop.of_sums(4 * features),
        ],
        out_shape=[
            loop.shape_of_steps(4 * features),
            loop.shape_of_rows(),
            loop.shape_of_rows(),
            loop.shape_of_sums(4 * features),
        ],
        input_output_aliases={0: 0},
        name="lstm_backward",
    )
    d_gates, d_cell, d_hidden, d_bias = call(gates, before, d_outputs, transposed, d_last_cell)
    return d_gates, d_cell, d_hidden, d_bias.sum((0, 1))


@functools.partial(jax.custom_vjp, nondiff_argnums=(5, 6, 7, 8))
def lstm(
    drive: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    cell: jax.Array,
    hidden: jax.Array,
    is_reversed: bool = False,
    dtype: jnp.dtype = jnp.float32,
    block_bytes: int = _BLOCK_BYTES,
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
      block_bytes: of VMEM for what is read and written.
      interpret: compute on any device, slowly, what the kernel does.

    Returns:
      The final cell state [batch, directions * features], and the hidden states of all
      steps: [steps, batch, directions * features].
    """
    loop = cut(drive, kernel.shape[0], is_reversed, block_bytes)
    kernel = kernel.astype(dtype)
    outputs, last_cell = _forward(loop, False, drive, kernel, bias, cell, hidden, interpret)
    return last_cell, outputs


def _lstm_forward(drive, kernel, bias, cell, hidden, is_reversed, dtype, block_bytes, interpret):
    loop = cut(drive, kernel.shape[0], is_reversed, block_bytes)
    kernel = kernel.astype(dtype)
    outputs, last_cell, gates, before = _forward(
        loop, True, drive, kernel, bias, cell, hidden, interpret
    )
    # An empty array says of which type the drive is.
    saved = (drive[:0], kernel, hidden, outputs, gates, before)
    return (last_cell, outputs), saved


def _lstm_backward(is_reversed, dtype, block_bytes, interpret, saved, gradients):
    drive, kernel, hidden, outputs, gates, before = saved
    d_last_cell, d_outputs = gradients
    features = kernel.shape[0]
    loop = cut(gates, features, is_reversed, block_bytes)
    d_gates, d_cell, d_hidden, d_bias = _backward(
        loop, gates, before, d_outputs, kernel, d_last_cell, interpret
    )
    d_kernels = []
    for direction in range(loop.directions):
        own = slice(direction * features, (direction + 1) * features)
        first, following = hidden[None, :, own], outputs[..., own]
        backwards = loop.is_backwards(direction)
        ordered = (following[1:], first) if backwards else (first, following[:-1])
        own = slice(4 * direction * features, 4 * (direction + 1) * features)
        d_kernels.append(
            jnp.einsum(
                "tbh,tbg->hg",
                jnp.concatenate(ordered).astype(dtype),
                d_gates[..., own].astype(dtype),
                preferred_element_type=jnp.float32,
            )
        )
    return d_gates.astype(drive.dtype), jnp.concatenate(d_kernels, 1), d_bias, d_cell, d_hidden


lstm.defvjp(_lstm_forward, _lstm_backward)
