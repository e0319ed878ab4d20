"""Functions of JAX as ONNX models give what JAX gives, computed by ONNX's own reference."""

import dataclasses
import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

from onnx.reference import ReferenceEvaluator

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference.composer import Composer, Sampling, integrate
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import bar_flow
from musicvae_jax.static_page import functions
from musicvae_jax.static_page.onnx_graph import to_onnx
from musicvae_jax.system.errors import UserError
from tests import helpers
from tests.inference.writing_test import SHARES, random_prior

TABLE = np.arange(40, dtype=np.float32).reshape(5, 8)


def run(content: bytes, *inputs: np.ndarray) -> np.ndarray:
    evaluator = ReferenceEvaluator(content)
    [output] = evaluator.run(None, dict(zip(evaluator.input_names, inputs, strict=True)))
    return output


def exported(function, *inputs) -> np.ndarray:
    shapes = {f"x{n}": jax.ShapeDtypeStruct(x.shape, x.dtype) for n, x in enumerate(inputs)}
    return run(to_onnx(function, shapes, "result"), *inputs)


def summed_backwards(x):
    """A loop with a state, something that stands still, and results that nobody wants."""

    def step(state, row):
        state = state + row * TABLE[0]
        return state, (state, jnp.sort(row))

    total, (states, _) = jax.lax.scan(step, jnp.zeros(8), x[::-1])
    return jnp.concatenate([states, total[None]])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: jnp.einsum("tbz,tzs->tbs", x[None], x.T[None]),
        lambda x: x @ x.T,
        lambda x: jnp.matmul(x[None], x.T[None])[0],
        lambda x: jnp.split(x, 2, axis=1)[1],
        lambda x: jnp.pad(x, ((1, 2), (0, 1)), constant_values=3),
        lambda x: jax.nn.softmax(x) + jax.nn.gelu(x) + jax.nn.silu(x) + x**3,
        lambda x: jnp.stack([x, -x], axis=1)[::-1],
        lambda x: jnp.stack(jnp.unstack(x, axis=1)[::-1]),
        lambda x: jnp.where(x > 0, x, jnp.minimum(x, -1)).max(axis=0),
        lambda x: x[jnp.arange(3), jnp.array([0, 2, 7])],
        lambda x: x.reshape(3, 2, 2, 2)[jnp.array([0, 2]), :, jnp.array([1, 0])],
        summed_backwards,
        lambda x: jnp.argmax(x, axis=-1),
    ],
)
def test_what_models_are_made_of(function):
    x = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    made, expected = exported(function, x), function(x)
    assert made.dtype == expected.dtype
    np.testing.assert_allclose(made, expected, atol=1e-5)


@pytest.mark.parametrize("mode", ["fill", "clip"])
def test_indices_that_lie_outside(mode):
    tokens = np.array([[0, 4], [5, 9]], np.int32)

    def pick(tokens):
        return jnp.take(jnp.asarray(TABLE), tokens, axis=0, mode=mode, fill_value=0)

    np.testing.assert_array_equal(exported(pick, tokens), pick(tokens))


def test_large_arrays_are_kept_in_16_bits():
    kernel = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    x = np.eye(64, dtype=np.float32)
    content = to_onnx(lambda x: x @ jnp.asarray(kernel), {"x": x}, "result")
    assert len(content) < 3 * kernel.size
    rounded = kernel.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(run(content, x), rounded)


def test_what_is_not_known_is_named():
    with pytest.raises(UserError, match="sort is not known"):
        exported(jnp.sort, TABLE)


def rounded(tree):
    """What 16 bits leave of parameters."""
    return jax.tree.map(lambda leaf: np.float32(np.float16(leaf)), tree)


@pytest.fixture(scope="module")
def model():
    config = helpers.small_config(**SHARES)
    params = rounded(helpers.random_params(config, scale=3))
    made = MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, params))
    layout = bar_flow.layout(made.model)
    prior = random_prior(layout)
    prior = dataclasses.replace(prior, params=rounded(prior.params))
    return made.with_composer(Composer(prior, layout, Sampling(steps=2)))


@pytest.fixture(scope="module")
def made(model):
    return functions.export(model)


def test_the_encoder(model, made):
    tokens = helpers.random_tokens(1, 32)
    expected = model.encode_tokens(tokens).mu
    np.testing.assert_allclose(run(made["encode"], tokens), expected, atol=1e-4)


def test_the_decoder_bar_by_bar(model, made):
    """Each bar begins where the one before it has ended."""
    z = np.random.default_rng(1).normal(size=(1, 8)).astype(np.float32)
    embeddings = run(made["conduct"], np.repeat(z[:, None], 2, axis=1))
    bias, tokens = np.zeros((1, 16, 90), np.float32), [90]
    for embedding in embeddings:
        before = np.array(tokens[-1:], np.int32)
        tokens += run(made["decode"], embedding[None], before, bias)[0].tolist()
    [melody] = model.decode(z)
    assert model.codec.decode(np.array(tokens[1:])).notes() == melody.notes()


def test_the_prior(model, made):
    rng = np.random.default_rng(2)
    rows = (
        rng.normal(size=(1, 2, 4)).astype(np.float32),
        np.array([[1, 0.3]], np.float32),
        np.array([[False, True]]),
        np.array([[3, 32]], np.int32),
        np.array([2], np.int32),
        np.array([[0, 1]], np.int32),
    )
    flow, params = model.composer._flow, model.composer.prior.params
    expected = jax.jit(functools.partial(integrate, flow, steps=2))(params, *rows)
    np.testing.assert_allclose(run(made["write"], *rows), expected, atol=1e-4)


@pytest.mark.parametrize("change", [{"decoder": "flat"}, {"latent": "per_bar"}, {"codec": "roll"}])
def test_other_models_are_refused(change):
    config = helpers.small_config(**change)
    other = MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, {}))
    with pytest.raises(UserError, match="here: a page needs a model of melodies"):
        functions.check(other)
