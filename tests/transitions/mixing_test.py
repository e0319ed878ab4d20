import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from musicvae_jax.models import noise
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.transitions import mixing
from musicvae_jax.transitions import notes as notes_lib
from tests import helpers

BARS, STEPS = 3, 48
NUMBERS = st.floats(-3, 3, width=32, allow_subnormal=False)
VECTORS = hnp.arrays(
    np.float32, (1, BARS, 4), elements=st.floats(-3, 3, width=32, allow_subnormal=False)
)
CURVE = st.lists(st.floats(0, 1, width=32), min_size=BARS, max_size=BARS)
spherical = jax.jit(mixing.spherical_path)


def keys(batch, seed=0):
    return noise.example_keys(jax.random.key(seed), 0, batch)


@pytest.mark.parametrize("path", mixing.PATHS)
@given(one=VECTORS, two=VECTORS)
def test_paths_begin_and_end_exactly_in_the_melodies(path, one, two):
    moved = np.asarray(mixing.PATHS[path](one, two, jnp.array([0.0, 0.5, 1.0])))
    np.testing.assert_array_equal(moved[:, 0], one[:, 0])
    np.testing.assert_array_equal(moved[:, 2], two[:, 2])


@given(one=VECTORS, two=VECTORS, t=CURVE)
def test_a_spherical_path_keeps_the_length_and_is_finite(one, two, t):
    t = np.float32(t)
    moved = np.asarray(spherical(one, two, jnp.array(t)))
    assert np.isfinite(moved).all()
    length = [np.linalg.norm(v, axis=-1) for v in (one, two)]
    expected = (1 - t) * length[0] + t * length[1]
    turned = np.minimum(*length) > 1e-5
    np.testing.assert_allclose(
        np.linalg.norm(moved, axis=-1)[turned], expected[turned], rtol=1e-3, atol=1e-5
    )


@given(one=VECTORS, two=VECTORS)
def test_a_spherical_path_of_unit_vectors_is_shoemakes(one, two):
    lengths = [np.linalg.norm(v, axis=-1, keepdims=True) for v in (one, two)]
    one, two = (v / np.maximum(n, 1e-3) for v, n in zip((one, two), lengths, strict=True))
    cosine = (one.astype(np.float64) * two).sum(axis=-1, keepdims=True)
    omega = np.arccos(np.clip(cosine, -1, 1))
    t = np.array([0.25, 0.5, 0.75])[:, None]
    with np.errstate(all="ignore"):
        classic = (np.sin((1 - t) * omega) * one + np.sin(t * omega) * two) / np.sin(omega)
    usual = (omega > 0.1) & (omega < 3.0) & (lengths[0] > 1e-2) & (lengths[1] > 1e-2)
    moved = np.asarray(spherical(one, two, jnp.array(t[:, 0])))
    np.testing.assert_allclose(moved[usual[..., 0]], classic[usual[..., 0]], atol=2e-4)


def test_a_spherical_path_between_equal_and_opposite_ends():
    one = jnp.array([[[1.0, 0.0, 0.0]] * 3])
    t = jnp.array([0.25, 0.5, 0.75])
    np.testing.assert_allclose(spherical(one, one, t), one, atol=1e-6)
    moved = np.asarray(spherical(one, -one, t))
    np.testing.assert_allclose(np.linalg.norm(moved, axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(moved[0, :, 0], np.cos(np.pi * t), atol=1e-6)
    np.testing.assert_allclose(spherical(one, 0 * one, t)[0, :, 0], [0.75, 0.5, 0.25], atol=1e-6)


from_tokens = jax.jit(notes_lib.from_tokens, static_argnums=1)
to_tokens = jax.jit(notes_lib.to_tokens, static_argnums=1)


def notes_of(melody):
    tokens = CODECS["melody"].encode(melody)
    return from_tokens(np.pad(tokens, (0, STEPS - tokens.size))[None], CODECS["melody"])


def melody_of(notes):
    return CODECS["melody"].decode(np.asarray(to_tokens(notes, CODECS["melody"])[0]))


@jax.jit
def mix_notes(one, two, t, k):
    return notes_lib.choose(mixing.mix_notes(one, two, t, k), one, two)


@given(
    helpers.melodies(),
    helpers.melodies(),
    st.lists(st.floats(1 / 64, 63 / 64, width=32), min_size=BARS, max_size=BARS),
    st.integers(0, 1000),
)
@settings(max_examples=200)
def test_note_by_note_every_note_comes_whole_from_one_of_the_melodies(melody_1, melody_2, t, seed):
    one, two = notes_of(melody_1), notes_of(melody_2)
    mixed = melody_of(mix_notes(one, two, jnp.array(t), keys(1, seed)))
    assert set(mixed.notes()) <= {*melody_of(one).notes(), *melody_of(two).notes()}


def test_note_by_note_golden():
    """Melodies meet at steps 0, 8 and 12; a bar tied to an end goes with it."""
    from musicvae_jax.music.melody import Melody

    one = notes_of(Melody.from_notes([(60, 0, 4), (60, 4, 8), (60, 8, 20), (60, 20, 48)], 48))
    two = notes_of(Melody.from_notes([(72, 0, 8), (72, 8, 12), (72, 12, 36), (72, 36, 48)], 48))
    seen = set()
    for seed in range(50):
        mixed = melody_of(mix_notes(one, two, jnp.array([0.5, 0.5, 1.0]), keys(1, seed)))
        seen.add(tuple(mixed.notes()))
    first_half = [((60, 0, 4), (60, 4, 8)), ((72, 0, 8),)]
    # From step 8 on nothing begins together any more, and the last bar is melody 2's.
    rest = ((72, 8, 12), (72, 12, 36), (72, 36, 48))
    assert seen == {begin + rest for begin in first_half}


@pytest.mark.parametrize("mix", mixing.GRANULARITIES)
def test_coins_show_melody_2_with_probability_t(mix):
    count = 4000
    notes = notes_lib.Notes(jnp.full((count, STEPS), 60), jnp.ones((count, STEPS), bool))
    t = jnp.array([0.0, 0.3, 1.0])
    takes_second = mixing.GRANULARITIES[mix](notes, notes, t, keys(count))
    share = np.asarray(takes_second).mean(axis=0)
    np.testing.assert_allclose(share, np.repeat(t, 16), atol=0.04)
    changes = np.asarray(takes_second[:, 17:32] != takes_second[:, 16:31]).mean()
    assert (changes > 0.3) if mix == "note" else (changes == 0)
