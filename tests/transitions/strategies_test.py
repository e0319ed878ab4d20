import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from musicvae_jax.models import noise
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.models.vae import create_model, previous_tokens
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.transitions import curves, strategies
from musicvae_jax.transitions.settings import Settings
from musicvae_jax.transitions.strategies import STRATEGIES
from tests import helpers

# Three bars from a model of two: the second round of the conductor is part of it.
BARS, MODEL_BARS, BATCH = 3, 2, 64
STEPS = 16 * BARS
MODEL = Settings(ends="model")
ENDS_ARE_MELODIES = Settings()


def keys(batch=BATCH, first=0, seed=3):
    return noise.example_keys(jax.random.key(seed), first, batch)


@functools.cache
def tiny(latent="per_bar", codec="melody", decoder="hierarchical"):
    """A model with large parameters, whose decoding depends on all that it is told."""
    config = helpers.small_config(bars=MODEL_BARS, latent=latent, codec=codec, decoder=decoder)
    model = create_model(config.model)
    return helpers.Jitted(model), helpers.random_params(config, scale=3)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _transition(kind, strategy, how, params, pair, t_latent, t_control, keys, temperature):
    model, _ = tiny(*kind)  # made before the first call
    codec = kind[1] if len(kind) > 1 else "melody"
    return strategies.transition(
        TrainedModel(params, model.model, CODECS[codec]),
        strategy,
        pair,
        t_latent=t_latent,
        t_control=t_control,
        keys=keys,
        temperature=temperature,
        settings=how,
        composed_path=jnp.full((len(pair[0]), len(t_latent), model.z), 0.5),
    )


def run(strategy, tokens_1, tokens_2, t, kind=(), how=ENDS_ARE_MELODIES, temperature=0.0, **more):
    t = jnp.asarray(t, jnp.float32)
    t_control = jnp.asarray(more.get("t_control", t), jnp.float32)
    k = more.get("keys", keys(len(tokens_1)))
    _, params = tiny(*kind)
    tokens, bridge = _transition(
        kind, strategy, how, params, (tokens_1, tokens_2), t, t_control, k, temperature
    )
    return np.asarray(tokens), bridge


def random_pair(batch=BATCH, bars=BARS, codec="melody"):
    rng = np.random.default_rng(5)
    make = lambda: np.stack(  # noqa: E731
        [CODECS[codec].encode(helpers.random_melody(rng, bars)) for _ in range(batch)]
    )
    return make(), make()


def decode(tokens, codec="melody") -> Melody:
    return CODECS[codec].decode(np.asarray(tokens))


def fixed_length(melody: Melody) -> np.ndarray:
    """Tokens of `STEPS` steps, so that JAX compiles once."""
    tokens = CODECS["melody"].encode(melody)
    return np.pad(tokens, (0, STEPS - tokens.size))


ENDS = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1, width=32))
CURVE = st.lists(ENDS, min_size=BARS, max_size=BARS)
TOKENS = helpers.melodies().map(fixed_length)


@pytest.mark.parametrize("strategy", STRATEGIES)
@given(
    st.tuples(TOKENS, TOKENS), CURVE, CURVE, st.sampled_from(["bar", "note"]), st.integers(0, 99)
)
@settings(max_examples=60)
def test_bars_at_the_ends_are_the_melodies_own(strategy, pair, t, t_control, granularity, seed):
    """For all melodies, curves, seeds, at a temperature: the bar sounds as in the melody."""
    one, two = (tokens[None] for tokens in pair)
    how = Settings(granularity=granularity)
    tokens, _ = run(
        strategy, one, two, t, how=how, t_control=t_control, temperature=1.0,
        keys=keys(1, seed=seed),
    )  # fmt: skip
    result, melodies = decode(tokens[0]), [decode(one[0]), decode(two[0])]
    followed = {"t_latent": t, "t_control": t_control}
    for bar in range(BARS):
        values = {np.float32(followed[curve][bar]) for curve in STRATEGIES[strategy].curves}
        if len(values) == 1 and (end := values.pop()) in (0.0, 1.0):
            assert result.window(bar, 1).notes() == melodies[int(end)].window(bar, 1).notes()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("curve", curves.CURVES)
def test_every_strategy_reaches_both_melodies_by_every_curve(strategy, curve):
    one, two = random_pair()
    tokens, _ = run(strategy, one, two, curves.sample(curve, BARS))
    for n in range(BATCH):
        result = decode(tokens[n])
        assert result.window(0, 1).notes() == decode(one[n]).window(0, 1).notes()
        last = BARS - 1
        assert result.window(last, 1).notes() == decode(two[n]).window(last, 1).notes()


KINDS = [(), ("global", "roll"), ("global", "melody", "flat")]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_keeps_the_ends(kind):
    codec = kind[1] if len(kind) > 1 else "melody"
    one, two = random_pair(codec=codec)
    for strategy in ("combined", "dual_conductor"):
        tokens, _ = run(strategy, one, two, [0, 0.5, 1], kind)
        np.testing.assert_array_equal(tokens[:, :16], one[:, :16])
        for n in range(BATCH):
            got, wanted = (decode(t[n], codec).window(2, 1).notes() for t in (tokens, two))
            assert got == wanted


@pytest.mark.parametrize("end", [0, 1])
@pytest.mark.parametrize("strategy", ["latent", "dual_conductor"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_path_that_stands_still_is_the_models_reconstruction(kind, strategy, end):
    """With `ends="model"`, for free strategies; bars as many as the model has."""
    codec = kind[1] if len(kind) > 1 else "melody"
    model, params = tiny(*kind)
    pair = random_pair(bars=MODEL_BARS, codec=codec)
    tokens, _ = run(strategy, *pair, [float(end)] * MODEL_BARS, kind, MODEL)
    mu, _ = model.apply({"params": params}, pair[end], method="encode")
    path = model.apply({"params": params}, mu, method="path")
    expected, _ = model.apply({"params": params}, path, keys(), 0.0, method="sample")
    for n in range(BATCH):
        assert decode(tokens[n], codec).notes() == decode(expected[n], codec).notes()


@pytest.mark.parametrize(
    ("strategy", "end", "latent_of"),
    [
        ("teacher_forcing", 0, 0),
        ("teacher_forcing", 1, 0),  # its latent stays melody 1's
        ("combined", 0, 0),
        ("combined", 1, 1),
        ("dual_combined", 0, 0),
        ("dual_combined", 1, 1),
    ],
)
def test_forced_strategies_that_stand_still_follow_the_melodies_notes(strategy, end, latent_of):
    model, params = tiny()
    pair = random_pair(bars=MODEL_BARS)
    tokens, _ = run(strategy, *pair, [float(end)] * MODEL_BARS, how=MODEL)
    mu, _ = model.apply({"params": params}, pair[latent_of], method="encode")
    inputs = previous_tokens(pair[end], model.vocab)
    logits = model.apply({"params": params}, mu, inputs, method="teacher_forced")
    expected = np.asarray(logits.argmax(axis=-1))
    for n in range(BATCH):
        assert decode(tokens[n]).notes() == decode(expected[n]).notes()


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_64_pairs_at_once_give_the_same_as_one_at_a_time(strategy, temperature):
    one, two = random_pair()
    t = [0, 0.4, 1]
    batch, _ = run(strategy, one, two, t, temperature=temperature)
    for n in range(BATCH):
        row = slice(n, n + 1)
        single, _ = run(
            strategy, one[row], two[row], t, temperature=temperature, keys=keys(1, first=n)
        )
        np.testing.assert_array_equal(single[0], batch[n])


def test_strategies_differ():
    one, two = random_pair()
    results = {run(s, one, two, [0, 0.4, 1])[0].tobytes() for s in STRATEGIES}
    assert len(results) == len(STRATEGIES)


def test_curves_of_latent_and_control_are_apart():
    one, two = random_pair()
    _, bridge = run("combined", one, two, [0, 0, 0], t_control=[1, 1, 1])
    np.testing.assert_array_equal(bridge.path, bridge.path_1)
    np.testing.assert_array_equal(bridge.control.pitch, bridge.notes_2.pitch)


def test_the_model_hears_longer_melodies_in_windows():
    """Three bars are heard as bars 1, 2 and, in a window of its own, bars 3, 1."""
    model, params = tiny()
    _, bridge = run("latent", *(pair := random_pair()), [0, 0.5, 1])
    melody = decode(pair[0][0])
    for first, bars in ((0, melody.window(0, 2)), (2, None)):
        if bars is None:
            last, again = melody.window(2, 1), melody.window(0, 1)
            notes = last.notes() + [(p, s + 16, e + 16) for p, s, e in again.notes()]
            bars = Melody.from_notes(notes, 32)
        mu, _ = model.apply({"params": params}, fixed(bars), method="encode")
        np.testing.assert_allclose(
            bridge.path_1[0, first : first + 2], mu[0, : BARS - first][:2], atol=1e-5
        )


def fixed(melody):
    return CODECS["melody"].encode(melody)[None]


def test_the_conductor_begins_anew_after_the_bars_it_knows():
    model, params = tiny("global")
    path = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, model.z)), jnp.float32)
    whole = model.apply({"params": params}, path, method="bar_embeddings")
    for first in (0, 2, 4):
        part = model.apply({"params": params}, path[:, first : first + 2], method="bar_embeddings")
        np.testing.assert_allclose(whole[first : first + 2], part, atol=1e-6)
    assert whole.shape[0] == 5
