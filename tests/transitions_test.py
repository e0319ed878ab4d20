import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax import train, transitions
from musicvae_jax.models import noise
from musicvae_jax.models.vae import create_model, previous_tokens
from tests import helpers

BARS, BATCH = 4, 5


def keys(batch=BATCH, first=0, seed=3):
    return noise.example_keys(jax.random.key(seed), first, batch)


@pytest.fixture(scope="module", params=["global", "per_bar"])
def setup(request):
    """A model with large parameters, and pairs of melodies."""
    config = helpers.small_config(bars=BARS, latent=request.param)
    model = create_model(config.model)
    params = jax.tree.map(lambda x: 3 * x, train.init_params(model, 0))
    tokens = [helpers.random_tokens(BATCH, 16 * BARS, seed=n) for n in (1, 2)]
    paths = []
    for t in tokens:
        mu, _ = model.apply({"params": params}, t, method="encode")
        paths.append(model.apply({"params": params}, 5 * mu, method="path"))
    return model, params, transitions.Pair(*tokens, *paths)


def run(strategy, setup, t=None, keys_=None, temperature=0.0, pair=None):
    model, params, default = setup
    t = transitions.linear_curve(BARS) if t is None else t
    decode = jax.jit(
        lambda params, pair, t, k, temperature: transitions.STRATEGIES[strategy](
            model, params, pair, t, k, temperature
        )
    )
    return np.asarray(
        decode(params, pair or default, t, keys() if keys_ is None else keys_, temperature)
    )


def test_the_curve_reaches_both_ends():
    np.testing.assert_allclose(transitions.linear_curve(5), [0, 0.25, 0.5, 0.75, 1])


def test_the_path_ends_in_both_melodies(setup):
    _, _, pair = setup
    path = transitions.latent_path(pair, transitions.linear_curve(BARS))
    np.testing.assert_array_equal(path[:, 0], pair.path_1[:, 0])
    np.testing.assert_array_equal(path[:, -1], pair.path_2[:, -1])
    np.testing.assert_allclose(
        path[:, 1], 2 / 3 * pair.path_1[:, 1] + 1 / 3 * pair.path_2[:, 1], atol=1e-5
    )


@given(st.lists(st.floats(0, 1), min_size=BARS, max_size=BARS), st.integers(0, 1000))
def test_each_bar_of_the_control_is_one_of_the_melodies(t, seed):
    tokens = [helpers.random_tokens(2, 16 * BARS, seed=n) for n in (1, 2)]
    path = jnp.zeros((2, BARS, 3))
    pair = transitions.Pair(*tokens, path, path)
    control = np.asarray(transitions.control_tokens(pair, jnp.array(t), keys(2, seed=seed)))
    for bar, share in enumerate(t):
        steps = slice(16 * bar, 16 * bar + 16)
        for row in range(2):
            first, second = (np.array_equal(control[row, steps], m[row, steps]) for m in tokens)
            assert first or second
            if share in (0.0, 1.0):
                assert first == (share == 0.0)


def test_the_control_mixes_by_its_probabilities():
    ones, twos = np.full((4000, 64), 1, np.int32), np.full((4000, 64), 2, np.int32)
    path = jnp.zeros((1, BARS, 3))
    pair = transitions.Pair(ones, twos, path, path)
    t = jnp.array([0.0, 0.3, 0.8, 1.0])
    control = transitions.control_tokens(pair, t, keys(4000))
    share = np.asarray(control == 2).mean(axis=0)[::16]
    np.testing.assert_allclose(share, t, atol=0.03)


@pytest.mark.parametrize("strategy", transitions.STRATEGIES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_batch_gives_the_same_as_one_at_a_time(setup, strategy, temperature):
    batch = run(strategy, setup, temperature=temperature)
    for n in range(BATCH):
        single = jax.tree.map(lambda leaf, n=n: leaf[n : n + 1], setup[2])
        one = run(strategy, setup, keys_=keys(1, n), temperature=temperature, pair=single)
        np.testing.assert_array_equal(one[0], batch[n])


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_a_latent_transition_that_stands_still_is_a_reconstruction(setup, end):
    model, params, pair = setup
    path = pair.path_2 if end else pair.path_1
    expected, _ = model.apply({"params": params}, path, keys(), 0.0, method="sample")
    np.testing.assert_array_equal(run("latent", setup, jnp.full(BARS, end)), expected)


@pytest.mark.parametrize(("strategy", "path_of"), [("teacher_forcing", 1), ("combined", 2)])
def test_forced_strategies_at_the_end_follow_melody_2s_notes(setup, strategy, path_of):
    model, params, pair = setup
    path = pair.path_1 if path_of == 1 else pair.path_2
    inputs = previous_tokens(pair.tokens_2, model.vocab)
    logits = model.apply({"params": params}, path, inputs, method="teacher_forced")
    result = run(strategy, setup, jnp.ones(BARS))
    assert (result == logits.argmax(axis=-1)).mean() > 0.99  # jit may break a tie otherwise


def test_strategies_differ(setup):
    results = [run(strategy, setup).tobytes() for strategy in transitions.STRATEGIES]
    assert len(set(results)) == 3


def test_bar_similarity():
    tokens = jnp.zeros((1, 32), jnp.int32)
    reference = tokens.at[0, :4].set(5).at[0, 16:].set(5)
    np.testing.assert_allclose(transitions.bar_similarity(tokens, reference), [[0.75, 0.0]])
