"""The loop of LSTM layers as a scan, with gradients that start few kernels in each turn.

What an accelerator computes in a turn is little, so that a loop takes as long as its kernels are
many. Differentiated by JAX, a scan stores each intermediate of each turn by a kernel of its own,
and adds up the gradients of the parameters turn by turn. Here three arrays are stored, and the
gradients of the parameters are one product after the loop, as in cuDNN's LSTM (Appleyard et al.
2016, arXiv 1604.01946). If a turn takes several steps (`unroll`), it stores them together.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp

Carry = tuple[jax.Array, jax.Array]

# Steps that a GPU's loop takes in a turn.
UNROLL = 8


def gates_before_activation(
    kernel: jax.Array, bias: jax.Array, dtype: jnp.dtype, hidden: jax.Array, drive: jax.Array
) -> jax.Array:
    """What is activated to become the gates: [..., batch, 4 * features]; see `lstm_step`."""
    return drive + _product(hidden, kernel, dtype) + bias


def activated(gates: jax.Array, cell: jax.Array) -> Carry:
    """The next cell and hidden state from gates before their activation, and the cell before."""
    i, f, g, o = jnp.split(gates, 4, axis=-1)
    cell = nn.sigmoid(f) * cell + nn.sigmoid(i) * jnp.tanh(g)
    return cell, nn.sigmoid(o) * jnp.tanh(cell)


def lstm_step(
    kernel: jax.Array, bias: jax.Array, dtype: jnp.dtype, carry: Carry, drive: jax.Array
) -> tuple[Carry, jax.Array]:
    """One step of one layer, or of several of one width side by side.

    Args:
      kernel: [..., features, 4 * features].
      bias: [4 * features], or [..., 1, 4 * features].
      dtype: in which the matrix product is computed.
      carry: cell and hidden state, each [..., batch, features] float32.
      drive: [..., batch, 4 * features], the inputs' part of the gates.

    Returns:
      The next carry, and the hidden state once more as the output.
    """
    cell, hidden = carry
    carry = activated(gates_before_activation(kernel, bias, dtype, hidden, drive), cell)
    return carry, carry[1]


@functools.partial(jax.custom_vjp, nondiff_argnums=(4, 5, 6))
def lstm(
    drive: jax.Array,
    kernel: jax.Array,
    bias: jax.Array,
    carry: Carry,
    dtype: jnp.dtype,
    reverse: bool,
    unroll: int,
) -> tuple[Carry, jax.Array]:
    """Scans `lstm_step` over time.

    Args:
      drive: [steps, ..., batch, 4 * features].
      kernel, bias, dtype: see `lstm_step`.
      carry: before the first step; with `reverse`, after the last.
      reverse: run from the last step to the first.
      unroll: steps in a turn of the loop.

    Returns:
      The final carry, and the hidden states of all steps: [steps, ..., batch, features].
    """
    step = functools.partial(lstm_step, kernel, bias, dtype)
    return jax.lax.scan(step, carry, drive, reverse=reverse, unroll=unroll)


def _forward(drive, kernel, bias, carry, dtype, reverse, unroll):
    def step(carry, drive):
        cell, hidden = carry
        gates = gates_before_activation(kernel, bias, dtype, hidden, drive)
        carry = activated(gates, cell)
        return carry, (carry[1], cell, gates)

    last, (outputs, cells, gates) = jax.lax.scan(step, carry, drive, reverse=reverse, unroll=unroll)
    # Nothing is computed with the last one: it brings the type of the gradient.
    saved = (kernel, carry[1], outputs, cells, gates, jnp.zeros((), drive.dtype))
    return (last, outputs), saved


def _backward(dtype, reverse, unroll, saved, gradients):
    kernel, hidden, outputs, cells, gates, like_drive = saved
    d_carry, d_outputs = gradients
    transposed = jnp.swapaxes(kernel, -1, -2)

    def step(d_carry, saved):
        d_cell, d_hidden = d_carry
        d_output, cell, gates = saved
        _, pull = jax.vjp(activated, gates, cell)
        d_gates, d_cell = pull((d_cell, d_hidden + d_output))
        return (d_cell, _product(d_gates, transposed, dtype)), d_gates

    d_carry, d_gates = jax.lax.scan(
        step, d_carry, (d_outputs, cells, gates), reverse=not reverse, unroll=unroll
    )
    before = (outputs[1:], hidden[None]) if reverse else (hidden[None], outputs[:-1])
    d_kernel = jnp.einsum(
        "t...bi,t...bj->...ij",
        jnp.concatenate(before).astype(dtype),
        d_gates.astype(dtype),
        preferred_element_type=jnp.float32,
    )
    d_bias = d_gates.sum(axis=(0, -2), keepdims=True)[0]
    d_bias = d_bias if kernel.ndim > 2 else d_bias[0]
    return d_gates.astype(like_drive.dtype), d_kernel, d_bias, d_carry


lstm.defvjp(_forward, _backward)


def _product(rows: jax.Array, kernel: jax.Array, dtype: jnp.dtype) -> jax.Array:
    return jnp.matmul(rows.astype(dtype), kernel.astype(dtype), preferred_element_type=jnp.float32)
