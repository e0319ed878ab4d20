"""The scan with gradients of its own, against a scan that JAX differentiates."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.models import lstm_scan


def normal(number: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=shape).astype(np.float32)


def differentiated_by_jax(drive, kernel, bias, carry, dtype, reverse, unroll):
    del unroll
    step = functools.partial(lstm_scan.lstm_step, kernel, bias, dtype)
    return jax.lax.scan(step, carry, drive, reverse=reverse)


def value_and_gradients(loop, arguments, *settings):
    def loss(*arguments):
        # Every output takes part, with weights of its own.
        parts = jax.tree.leaves(loop(*arguments, *settings))
        return sum((normal(6 + n, *part.shape) * part).sum() for n, part in enumerate(parts))

    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))(*arguments)


@pytest.mark.parametrize(
    ("layers", "reverse", "unroll", "dtype", "atol"),
    [
        ((), False, 1, jnp.float32, 2e-5),
        ((), True, 3, jnp.float32, 2e-5),  # 7 steps: two turns of 3, and one left over
        ((2,), False, 8, jnp.float32, 2e-5),
        ((), False, 1, jnp.bfloat16, 0.1),
    ],
)
def test_values_and_gradients(layers, reverse, unroll, dtype, atol):
    steps, batch, features = 7, 3, 4
    drive = jnp.asarray(normal(1, steps, *layers, batch, 4 * features), dtype)
    kernel = 0.3 * normal(2, *layers, features, 4 * features)
    bias = normal(3, *layers, *([1] * len(layers)), 4 * features)
    carry = normal(4, *layers, batch, features), normal(5, *layers, batch, features)
    arguments = (drive, kernel, bias, carry)
    ours = value_and_gradients(lstm_scan.lstm, arguments, dtype, reverse, unroll)
    theirs = value_and_gradients(differentiated_by_jax, arguments, dtype, reverse, unroll)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(
            np.asarray(one, np.float32), np.asarray(other, np.float32), atol=atol, rtol=atol
        )
