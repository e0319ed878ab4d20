import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import MelodyCodec, RollCodec, transpose_tokens
from tests import helpers

MELODY, ROLL = MelodyCodec(), RollCodec()
GOLDEN = Melody.from_notes([(60, 1, 4), (62, 4, 5), (62, 5, 6), (21, 8, 9)], 10)


def test_melody_codec_golden():
    assert MELODY.vocab == 90
    tokens = MELODY.encode(GOLDEN)
    assert tokens.tolist() == [0, 41, 0, 0, 43, 43, 1, 0, 2, 1]
    assert MELODY.decode(tokens) == GOLDEN
    assert MELODY.encode(Melody.from_notes([(108, 0, 2)], 2)).tolist() == [89, 0]


def test_roll_codec_golden():
    assert ROLL.vocab == 61
    tokens = ROLL.encode(GOLDEN)
    # The two D's become one, and the low A, outside of 48..107, is silent.
    assert tokens.tolist() == [60, 12, 12, 12, 14, 14, 60, 60, 60, 60]
    assert ROLL.decode(tokens).notes() == [(60, 1, 4), (62, 4, 6)]


def test_note_off_in_silence_says_nothing():
    assert MELODY.decode(np.array([1, 0, 1, 41, 1, 1])).notes() == [(60, 3, 4)]


def test_tempo_and_program_are_kept():
    melody = MELODY.decode(np.array([41, 0]), tempo_bpm=77.0, program=9)
    assert (melody.tempo_bpm, melody.program) == (77.0, 9)


@pytest.mark.parametrize(("codec", "bad"), [(MELODY, 90), (ROLL, 61), (MELODY, -1)])
def test_tokens_outside_of_the_vocabulary_are_refused(codec, bad):
    with pytest.raises(ValueError, match=f"0..{codec.vocab - 1}"):
        codec.decode(np.array([0, bad]))


def test_pitches_outside_of_the_piano_are_refused():
    with pytest.raises(ValueError, match=r"21\.\.108, got 20\.\.60"):
        MELODY.encode(Melody.from_notes([(20, 0, 1), (60, 1, 2)], 2))


@given(helpers.melodies())
def test_melody_codec_round_trip(melody):
    assert MELODY.decode(MELODY.encode(melody)) == melody


@given(st.lists(st.integers(0, 89), min_size=1, max_size=40))
def test_any_tokens_decode_to_a_melody_that_sounds_the_same(tokens):
    melody = MELODY.decode(np.array(tokens))
    assert MELODY.decode(MELODY.encode(melody)) == melody
    # What sounds at each step, by going through the events one at a time.
    sounding, expected = None, []
    for token in tokens:
        if token == 1:
            sounding = None
        elif token >= 2:
            sounding = token + 19
        expected.append(sounding)
    actual = [None] * len(tokens)
    for pitch, start, end in melody.notes():
        actual[start:end] = [pitch] * (end - start)
    assert actual == expected


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40))
def test_roll_codec_round_trip(tokens):
    assert ROLL.encode(ROLL.decode(np.array(tokens))).tolist() == tokens


@given(st.lists(helpers.melodies(), min_size=1, max_size=4))
def test_melody_to_roll_is_the_roll_codec_in_one_go(melodies):
    steps = max(m.num_steps for m in melodies)
    same_length = [Melody.from_notes(m.notes(), steps) for m in melodies]
    batch = np.stack([MELODY.encode(m) for m in same_length])
    expected = np.stack([ROLL.encode(m) for m in same_length])
    np.testing.assert_array_equal(ROLL.from_stored(batch), expected)


def test_transposition_stops_at_the_ends_of_the_piano():
    tokens = np.array([[0, 41, 1], [2, 88, 0], [0, 1, 0]], np.uint8)
    shifted = transpose_tokens(tokens, np.array([-3, 5, 7]))
    assert shifted.tolist() == [[0, 38, 1], [3, 89, 0], [0, 1, 0]]
    assert shifted.dtype == np.uint8
    assert transpose_tokens(tokens, np.array([0, -5, 0])).tolist() == tokens.tolist()
