import dataclasses

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
from hypothesis import given

from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS, sounding_pitch
from musicvae_jax.transitions import constraints
from musicvae_jax.transitions import notes as notes_lib
from tests import helpers

STEPS = 48


def notes_of(*melodies: Melody, codec: str = "melody") -> notes_lib.Notes:
    tokens = np.stack([CODECS[codec].encode(melody) for melody in melodies])
    return notes_lib.from_tokens(jnp.asarray(tokens), CODECS[codec])


def padded(tokens) -> np.ndarray:
    """One row of `STEPS` tokens, so that JAX compiles once."""
    tokens = np.asarray(tokens, np.int32)
    return np.pad(tokens, (0, STEPS - tokens.size), mode="wrap")[None]


def test_golden():
    melody = Melody.from_notes([(60, 1, 3), (60, 3, 4), (62, 6, 7)], 8)
    notes = notes_of(melody)
    assert notes.pitch.tolist() == [[-1, 60, 60, 60, -1, -1, 62, -1]]
    assert notes.onset.astype(int).tolist() == [[0, 1, 0, 1, 0, 0, 1, 0]]
    assert notes.is_held.astype(int).tolist() == [[0, 0, 1, 0, 0, 0, 0, 0]]


@given(helpers.melodies())
def test_melody_tokens_come_back(melody):
    tokens = padded(CODECS["melody"].encode(dataclasses.replace(melody, num_steps=STEPS)))
    back = notes_lib.to_tokens(
        notes_lib.from_tokens(jnp.asarray(tokens), CODECS["melody"]), CODECS["melody"]
    )
    np.testing.assert_array_equal(back, tokens)


@given(helpers.melodies(min_pitch=48, max_pitch=107))
def test_roll_tokens_come_back(melody):
    tokens = padded(CODECS["roll"].encode(melody))
    notes = notes_lib.from_tokens(jnp.asarray(tokens), CODECS["roll"])
    np.testing.assert_array_equal(notes_lib.to_tokens(notes, CODECS["roll"]), tokens)
    assert int(notes.onset.sum()) == len(CODECS["roll"].decode(tokens[0]).notes())


@given(st.lists(st.integers(0, 89), min_size=1, max_size=40))
def test_any_tokens_sound_as_the_codec_says(tokens):
    codec, tokens = CODECS["melody"], padded(tokens)
    clean = notes_lib.to_tokens(
        notes_lib.from_tokens(jnp.asarray(tokens), CODECS["melody"]), CODECS["melody"]
    )
    melody = codec.decode(tokens[0])
    assert codec.decode(np.asarray(clean[0])) == melody
    np.testing.assert_array_equal(codec.encode(melody), clean[0])


def test_choosing_strikes_what_sounds_after_a_change():
    one, two = (notes_of(Melody.from_notes([(pitch, 0, 8)], 8)) for pitch in (60, 72))
    takes_second = jnp.array([[0, 0, 1, 1, 1, 0, 0, 0]], bool)
    chosen = notes_lib.choose(takes_second, one, two)
    melody = CODECS["melody"].decode(np.asarray(notes_lib.to_tokens(chosen, CODECS["melody"])[0]))
    assert melody.notes() == [(60, 0, 2), (72, 2, 5), (60, 5, 8)]
    silent = notes_of(Melody.from_notes([], 8))
    chosen = notes_lib.choose(takes_second, one, silent)
    assert notes_lib.to_tokens(chosen, CODECS["melody"]).tolist() == [[41, 0, 1, 0, 0, 41, 0, 0]]


def test_silence_can_be_said():
    silent = notes_of(Melody.from_notes([], 4))
    explicit = jnp.array([1, 0, 1, 0], bool)
    assert notes_lib.to_tokens(silent, CODECS["melody"], explicit).tolist() == [[1, 0, 1, 0]]


@dataclasses.dataclass(frozen=True)
class BassCodec:
    """A third codec: 0 silence, 1 hold, and the onsets of an octave from the top down."""

    vocab: int = 14
    silence: int = 0
    hold: int | None = 1
    sustains: bool = True

    def token_pitches(self) -> np.ndarray:
        return np.array([-1, -1, *range(51, 39, -1)])


@given(helpers.melodies(min_pitch=40, max_pitch=51))
def test_another_codec_needs_no_more_than_its_class(melody):
    """Its tokens sound, are made and are forbidden as those of the others."""
    codec = BassCodec()
    tokens = padded(CODECS["melody"].encode(dataclasses.replace(melody, num_steps=STEPS)))
    notes = notes_lib.from_tokens(jnp.asarray(tokens), CODECS["melody"])
    own = notes_lib.to_tokens(notes, codec)
    again = notes_lib.from_tokens(own, codec)
    np.testing.assert_array_equal(again.pitch, notes.pitch)
    np.testing.assert_array_equal(again.onset, notes.onset)
    np.testing.assert_array_equal(sounding_pitch(np.asarray(own), codec), notes.pitch)
    allowed = np.zeros((1, STEPS // 16, 128), bool)
    allowed[..., 51] = True
    bias = constraints.pitch_bias(jnp.asarray(allowed), codec)
    assert np.flatnonzero(bias[0, 0] == 0).tolist() == [0, 1, 2]
