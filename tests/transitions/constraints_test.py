import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

from musicvae_jax.music import keys
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.transitions import constraints
from musicvae_jax.transitions import notes as notes_lib
from tests import helpers

STEPS = 48


def notes_of(melody: Melody) -> notes_lib.Notes:
    tokens = CODECS["melody"].encode(melody)
    return notes_lib.from_tokens(np.pad(tokens, (0, STEPS - tokens.size))[None], CODECS["melody"])


def melody_of(notes: notes_lib.Notes) -> Melody:
    return CODECS["melody"].decode(np.asarray(notes_lib.to_tokens(notes, CODECS["melody"])[0]))


def test_scales():
    assert np.flatnonzero(keys.scale_mask(2, "major")).tolist() == [1, 2, 4, 6, 7, 9, 11]
    assert np.flatnonzero(keys.scale_mask(9, "pentatonic")).tolist() == [1, 4, 6, 9, 11]
    assert {keys.TONICS[name] for name in ("Db", "C#")} == {1}


def test_keys_are_those_of_numpy():
    weights = np.random.default_rng(0).random((200, 12))
    tonic, is_minor, _ = keys.find_keys(weights)
    found = np.asarray(constraints.key_numbers(jnp.asarray(weights)))
    np.testing.assert_array_equal(found, tonic + 12 * is_minor)


def test_auto_follows_the_keys_of_the_melodies():
    scale = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 0]
    c_major = Melody.from_notes([(60 + p, 4 * n, 4 * n + 4) for n, p in enumerate(scale)], STEPS)
    pair = notes_of(c_major), notes_of(c_major.transpose(4))
    allowed = constraints.allowed_pitches("auto", (50, 80), *pair, jnp.array([0.0, 0.4, 0.6]))
    for bar, tonic in enumerate((0, 0, 4)):
        expected = [p for p in range(50, 81) if keys.scale_mask(tonic, "major")[p % 12]]
        assert np.flatnonzero(allowed[0, bar]).tolist() == expected


@pytest.mark.parametrize("codec", [name for name, one in CODECS.items() if one.has_pitches])
def test_the_bias_forbids_the_tokens_of_other_pitches(codec):
    allowed = np.zeros((1, 2, 128), bool)
    allowed[0, 0, 60], allowed[0, 1, 61] = True, True
    bias = np.asarray(constraints.pitch_bias(jnp.asarray(allowed), CODECS[codec]))
    assert bias.shape == (1, 32, CODECS[codec].vocab)
    for bar, pitch in ((0, 60), (1, 61)):
        note = Melody.from_notes([(pitch, 4, 8)], 16)
        free = {*CODECS[codec].encode(note).tolist(), *([0, 1] if codec == "melody" else [])}
        assert set(np.flatnonzero(bias[0, 16 * bar] == 0).tolist()) == free


@given(helpers.melodies(), helpers.melodies())
@settings(max_examples=50)
def test_rhythm_of_one_pitches_of_the_other(rhythm, pitches):
    rhythm, pitches = melody_of(notes_of(rhythm)), melody_of(notes_of(pitches))
    result = melody_of(in_rhythm(notes_of(rhythm), notes_of(pitches)))
    assert [n[1:] for n in result.notes()] == [n[1:] for n in rhythm.notes()]
    played = pitches.notes()
    for (pitch, start, _), own in zip(result.notes(), rhythm.pitch.tolist(), strict=True):
        before = [p for p, begin, _ in played if begin <= start]
        assert pitch == (before[-1] if before else played[0][0] if played else own)


in_rhythm = jax.jit(constraints.in_rhythm)


def test_the_rhythm_bias_leaves_only_the_rhythm():
    bias = np.asarray(
        constraints.rhythm_bias(notes_of(Melody.from_notes([(60, 1, 3)], 4)), CODECS["melody"])
    )[0]
    free = [np.flatnonzero(step == 0).tolist() for step in bias[:4]]
    assert free == [[0], list(range(2, 90)), [0], [1]]


@given(helpers.melodies(), st.sets(st.integers(21, 108), min_size=1))
@settings(max_examples=50)
def test_snapping_moves_each_note_to_the_nearest_allowed_pitch(melody, pitches):
    allowed = np.zeros((1, 3, 128), bool)
    allowed[:, :, list(pitches)] = True
    notes = notes_of(melody)
    before, after = melody_of(notes), melody_of(snap(notes, allowed))
    assert [n[1:] for n in before.notes()] == [n[1:] for n in after.notes()]
    for old, new in zip(before.pitch.tolist(), after.pitch.tolist(), strict=True):
        assert new == min(pitches, key=lambda p: (abs(p - old), p))


snap = jax.jit(constraints.snap)
