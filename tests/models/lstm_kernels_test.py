"""The kernels for TPUs and GPUs, interpreted, against the other loops: equal to rounding."""

import collections
import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax.models import lstm_gpu, lstm_tpu
from musicvae_jax.models.encoder import BidirectionalLayer
from musicvae_jax.models.lstm import Drive, LSTMLayer

VOCAB, FEATURES = 5, 16
# XLA need not make fast what is computed once.
compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def normal(number: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=shape).astype(np.float32)


@pytest.fixture
def interpreted(monkeypatch):
    """The kernels on this machine, in tiles of at most 16 rows and some steps or units."""
    kernel = functools.partial(lstm_tpu.lstm, block_bytes=64_000, interpret=True)
    monkeypatch.setattr(lstm_tpu, "lstm", kernel)
    monkeypatch.setattr(lstm_tpu, "serves", lambda features, dtype: True)
    kernel = functools.partial(lstm_gpu.lstm, interpret=True)
    monkeypatch.setattr(lstm_gpu, "lstm", kernel)
    for name, size in {"_ROWS": 16, "_UNITS": 8, "_DEPTH": 16, "_STEPS_OF_A_TURN": 2}.items():
        monkeypatch.setattr(lstm_gpu, name, size)


def value_and_gradients(layer, *inputs, reverse=()):
    """Of a sum in which every output takes part, with weights of its own."""
    params = jax.eval_shape(layer.init, jax.random.key(0), *inputs)
    params = jax.tree.map(lambda x: 0.5 * normal(5, *x.shape), params)

    def loss(params, inputs):
        parts = jax.tree.leaves(layer.apply(params, *inputs, *reverse))
        return sum((normal(n, *part.shape) * part).sum() for n, part in enumerate(parts)), parts

    gradients = compiled(jax.grad(loss, argnums=(0, 1), has_aux=True, allow_int=True))
    found = jax.tree.leaves(gradients(params, inputs))
    return [np.asarray(x, np.float32) for x in found if x.dtype != jax.dtypes.float0]


@pytest.mark.parametrize("kernels", ["pallas", "triton"])
def test_both_directions_agree_with_the_loop_of_cpus(kernels, interpreted):
    tokens = np.random.default_rng(9).integers(0, VOCAB + 1, (6, 21))
    ours, expected = (
        value_and_gradients(BidirectionalLayer(FEATURES, VOCAB, implementation=name), tokens)
        for name in (kernels, "auto")
    )
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_bfloat16_backwards_agrees_with_the_scan(interpreted):
    tokens = np.random.default_rng(9).integers(0, VOCAB + 1, (7, 3))
    dense, table = normal(1, 1, 3, 4 * FEATURES), normal(2, VOCAB, 4 * FEATURES)
    drive = Drive(dense.astype(jnp.bfloat16), tokens, table.astype(jnp.bfloat16))
    carry = normal(3, 3, FEATURES), normal(4, 3, FEATURES)
    ours, scanned = (
        value_and_gradients(LSTMLayer(FEATURES, jnp.bfloat16, name), drive, carry, reverse=(True,))
        for name in ("pallas", "scan")
    )
    for one, other in zip(ours, scanned, strict=True):
        # Eight bits of a number, of the largest of those that are added up.
        np.testing.assert_allclose(one, other, atol=2**-7 * np.abs(other).max())


@given(
    steps=st.integers(1, 24),
    batch=st.integers(1, 80),
    directions=st.sampled_from([1, 2]),
    is_reversed=st.booleans(),
    block_bytes=st.integers(0, 300_000),
)
def test_each_direction_goes_through_its_steps_in_order(
    steps, batch, directions, is_reversed, block_bytes
):
    """Every row meets every step once, in the order of its direction, and undone in the other."""
    drive = jax.ShapeDtypeStruct((steps, batch, directions * 4 * FEATURES), jnp.float32)
    loop = lstm_tpu.cut(drive, FEATURES, is_reversed, block_bytes)
    assert steps % loop.block_steps == 0
    assert loop.block_rows == batch or loop.block_rows % 16 == 0
    for undone in (False, True):
        loop = dataclasses.replace(loop, is_undone=undone)
        met = collections.defaultdict(list)
        for direction, rows, turn in itertools.product(*map(range, loop.grid)):
            block, *place = loop.of_steps(FEATURES).index_map(direction, rows, turn)
            assert place == [rows, direction]
            order = range(loop.block_steps)
            if loop.is_backwards(direction):
                order = reversed(order)
            met[tuple(place)] += [block * loop.block_steps + step for step in order]
        assert len(met) == directions * -(-batch // loop.block_rows)
        for (_, direction), order in met.items():
            backwards = (direction + is_reversed + undone) % 2
            assert order == list(range(steps))[:: -1 if backwards else 1]


def test_what_it_serves():
    assert lstm_tpu.serves(1024, jnp.float32) and lstm_tpu.serves(2048, jnp.bfloat16)
    assert not lstm_tpu.serves(2048, jnp.float32)  # 64 MiB
    assert not lstm_tpu.serves(192, jnp.float32)  # one and a half tiles
