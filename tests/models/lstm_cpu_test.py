"""The compiled loop against scanning the cell: the same numbers, to rounding."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.configs import seed, tiny
from musicvae_jax.models import losses, lstm_cpu, noise
from musicvae_jax.models.lstm import Drive, LSTMLayer
from musicvae_jax.models.vae import create_model
from tests import helpers

pytestmark = pytest.mark.skipif(not lstm_cpu.is_available(), reason="no C++ compiler")
VOCAB = 5


def normal(number: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=shape).astype(np.float32)


def make_drive(kind: str, steps: int, batch: int, features: int) -> Drive:
    # The token VOCAB adds nothing.
    tokens = helpers.random_tokens(steps, batch, seed=9, vocab=VOCAB + 1)
    table = normal(1, VOCAB, 4 * features)
    dense = normal(2, steps, batch, 4 * features)
    return {
        "dense": Drive(dense),
        "tokens": Drive(None, tokens, table),
        "tokens and dense": Drive(dense, tokens, table),
        "tokens and one for all": Drive(dense[:1], tokens, table),
    }[kind]


def value_and_gradients(implementation, drive, batch, features, reverse):
    layer = LSTMLayer(features, implementation=implementation)
    carry = (normal(3, batch, features), normal(4, batch, features))
    params = jax.eval_shape(layer.init, jax.random.key(0), drive, carry)
    params = jax.tree.map(lambda x: 0.3 * normal(5, *x.shape), params)

    def loss(params, dense, table, carry):
        (cell, hidden), outputs = layer.apply(
            params, Drive(dense, drive.tokens, table), carry, reverse
        )
        # Every output takes part, with weights of its own.
        parts = (cell, hidden, outputs)
        return sum((normal(6 + n, *part.shape) * part).sum() for n, part in enumerate(parts))

    arguments = (params, drive.dense, drive.table, carry)
    return jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))(*arguments)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["dense", "tokens", "tokens and dense", "tokens and one for all"])
# Rows that fill tiles and rows that do not; units of one, two, three, and four vectors.
@pytest.mark.parametrize(("steps", "batch", "features"), [(1, 1, 16), (6, 13, 48), (5, 70, 64)])
def test_agrees_with_the_scan(kind, steps, batch, features, reverse):
    drive = make_drive(kind, steps, batch, features)
    ours = value_and_gradients("auto", drive, batch, features, reverse)
    scanned = value_and_gradients("scan", drive, batch, features, reverse)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(scanned), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_extreme_gates_saturate():
    """Where e^x would overflow, gates are 0 or 1 as the scan has them, and gradients finite."""
    drive = Drive(jnp.array([1e3, -1e3, 1e30, -1e30, 90.0, -90.0])[:, None, None] * jnp.ones(64))
    ours = value_and_gradients("auto", drive, 1, 16, False)
    scanned = value_and_gradients("scan", drive, 1, 16, False)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(scanned), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("config", [tiny, seed])
def test_a_model_has_the_same_loss_and_gradients(config):
    config = config.get_config()
    tokens = helpers.random_tokens(5, 256, vocab=60)
    keys = noise.example_keys(jax.random.key(1), 0, 5)
    params = helpers.random_params(config)
    results = []
    for implementation in ("auto", "scan"):
        config.model.lstm = implementation
        model = create_model(config.model)

        def loss(params, model=model):
            logits, mu, sigma = model.apply({"params": params}, tokens, keys, True)
            return losses.loss_and_metrics(logits, tokens, mu, sigma, 0.2, 0.0)[0].mean()

        results.append(jax.jit(jax.value_and_grad(loss))(params))
    for one, other in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_the_same_bits_twice():
    """Threads race for rows, and sums over rows must not depend on who wins."""
    drive = make_drive("tokens and one for all", 9, 100, 32)
    first, *others = (value_and_gradients("auto", drive, 100, 32, False) for _ in range(5))
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, first, other)


def test_under_vmap():
    drive = make_drive("dense", 4, 6, 16)
    layer = LSTMLayer(16)
    carry = (jnp.zeros((6, 16)),) * 2
    params = layer.init(jax.random.key(0), drive, carry)

    def run(dense):
        return layer.apply(params, Drive(dense), carry)[1]

    stacked = jnp.stack([drive.dense, -drive.dense])
    expected = jnp.stack([run(drive.dense), run(-drive.dense)])
    np.testing.assert_allclose(jax.vmap(run)(stacked), expected, atol=1e-6)


@pytest.mark.parametrize("compiler", ["/nowhere/c++", "false"])
def test_without_a_compiler_the_scan_runs(compiler, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CXX", compiler)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    # Clearing the real cache would load the library once more, perhaps another copy of it.
    anew = functools.cache(lstm_cpu.is_available.__wrapped__)
    monkeypatch.setattr(lstm_cpu, "is_available", anew)
    assert not lstm_cpu.serves(16, jnp.float32)
    assert not lstm_cpu.serves(16, jnp.float32)
    [record] = caplog.records
    assert "runs slower" in record.message and "\n" not in record.message
    assert not list(tmp_path.rglob("*.so"))
