import dataclasses

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
from hypothesis import given

from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.transitions import notes as notes_lib
from tests import helpers

STEPS = 48


def notes_of(*melodies: Melody, codec: str = "melody") -> notes_lib.Notes:
    tokens = np.stack([CODECS[codec].encode(melody) for melody in melodies])
    return notes_lib.from_tokens(jnp.asarray(tokens), codec)


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
    back = notes_lib.to_tokens(notes_lib.from_tokens(jnp.asarray(tokens), "melody"), "melody")
    np.testing.assert_array_equal(back, tokens)


@given(helpers.melodies(min_pitch=48, max_pitch=107))
def test_roll_tokens_come_back(melody):
    tokens = padded(CODECS["roll"].encode(melody))
    notes = notes_lib.from_tokens(jnp.asarray(tokens), "roll")
    np.testing.assert_array_equal(notes_lib.to_tokens(notes, "roll"), tokens)
    assert int(notes.onset.sum()) == len(CODECS["roll"].decode(tokens[0]).notes())


@given(st.lists(st.integers(0, 89), min_size=1, max_size=40))
def test_any_tokens_sound_as_the_codec_says(tokens):
    codec, tokens = CODECS["melody"], padded(tokens)
    clean = notes_lib.to_tokens(notes_lib.from_tokens(jnp.asarray(tokens), "melody"), "melody")
    melody = codec.decode(tokens[0])
    assert codec.decode(np.asarray(clean[0])) == melody
    np.testing.assert_array_equal(codec.encode(melody), clean[0])


def test_choosing_strikes_what_sounds_after_a_change():
    one, two = (notes_of(Melody.from_notes([(pitch, 0, 8)], 8)) for pitch in (60, 72))
    takes_second = jnp.array([[0, 0, 1, 1, 1, 0, 0, 0]], bool)
    chosen = notes_lib.choose(takes_second, one, two)
    melody = CODECS["melody"].decode(np.asarray(notes_lib.to_tokens(chosen, "melody")[0]))
    assert melody.notes() == [(60, 0, 2), (72, 2, 5), (60, 5, 8)]
    silent = notes_of(Melody.from_notes([], 8))
    chosen = notes_lib.choose(takes_second, one, silent)
    assert notes_lib.to_tokens(chosen, "melody").tolist() == [[41, 0, 1, 0, 0, 41, 0, 0]]


def test_silence_can_be_said():
    silent = notes_of(Melody.from_notes([], 4))
    explicit = jnp.array([1, 0, 1, 0], bool)
    assert notes_lib.to_tokens(silent, "melody", explicit).tolist() == [[1, 0, 1, 0]]
