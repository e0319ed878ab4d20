"""Each step against a slow re-statement of its definition, cell by cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from musicvae_jax.midi import arpeggio as midi_arpeggio
from musicvae_jax.midi.song import Song, Track
from musicvae_jax.music.tokens import RollCodec

on_rolls = hnp.arrays(bool, st.tuples(st.integers(0, 70), st.integers(1, 6)))


def track(notes, name="Piano", program=0, is_drum=False):
    """A track of `(pitch, velocity, start, end)` in quarter notes."""
    table = np.array(notes, np.float64).reshape(-1, 4)
    pitch, velocity = table[:, 0].astype(np.int32), table[:, 1].astype(np.int32)
    return Track(name, program, is_drum, pitch, velocity, table[:, 2], table[:, 3])


def test_tracks_are_chosen_by_program_and_name():
    tracks = (
        track([], "Grand PIANO"),
        track([], "Piano", program=1),
        track([], "Strings"),
        track([], "piano", is_drum=True),
    )
    song = Song(tracks, ((0.0, 4, 4),), ((0.0, 120.0),))
    assert midi_arpeggio.choose_tracks(song) == [tracks[0]]
    assert midi_arpeggio.choose_tracks(song, (0, 1), "") == [tracks[0], tracks[1], tracks[2]]


@given(
    st.lists(
        st.tuples(st.integers(0, 127), st.integers(1, 127), st.floats(0, 9), st.floats(0.001, 3)),
        min_size=1,
        max_size=12,
    )
)
def test_piano_roll(notes):
    notes = [(p, v, s, s + length) for p, v, s, length in notes]
    roll = midi_arpeggio.piano_roll([track(notes[:3]), track(notes[3:])], steps=60)
    expected = np.zeros((60, 128), int)
    for pitch, velocity, start, end in notes:
        first = int(np.floor(start * 4 + 0.5))
        last = max(int(np.floor(end * 4 + 0.5)), first + 1)
        for step in range(first, min(last, 60)):
            expected[step][pitch] = max(expected[step][pitch], velocity)
    np.testing.assert_array_equal(roll, expected)


def test_the_roll_is_as_long_as_the_music():
    assert midi_arpeggio.piano_roll([track([(60, 9, 0, 2.5)])]).shape == (10, 128)


@given(st.integers(-12, 12))
def test_transpose(shift):
    roll = np.random.default_rng(0).integers(0, 5, (9, 20))
    expected = np.zeros_like(roll)
    for pitch in range(20):
        if 0 <= pitch + shift < 20:
            expected[:, pitch + shift] = roll[:, pitch]
    np.testing.assert_array_equal(midi_arpeggio.transpose(roll, shift), expected)


def test_chop_keeps_48_to_107():
    chopped = midi_arpeggio.chop(np.arange(128)[None])
    assert chopped[0].tolist() == list(range(48, 108))


@given(on_rolls)
def test_trim_blanks(on):
    rows = list(on)
    while rows and not any(rows[0]):
        rows.pop(0)
    trimmed = midi_arpeggio.trim_blanks(on)
    assert trimmed.tolist() == [row.tolist() for row in rows]


def test_to_on_off():
    assert midi_arpeggio.to_on_off(np.array([[0, 1, 127]])).tolist() == [[False, True, True]]


@given(on_rolls)
def test_arpeggiate(on):
    expected = np.zeros_like(on)
    for step in range(len(on)):
        sounding = [pitch for pitch in range(on.shape[1]) if on[step][pitch]]
        if sounding:
            expected[step][sounding[step % len(sounding)]] = True
    arpeggio = midi_arpeggio.arpeggiate(on)
    np.testing.assert_array_equal(arpeggio, expected)
    assert not midi_arpeggio.is_polyphonic(arpeggio)


def test_arpeggio_golden():
    """A C major triad held for four steps comes out as C E G C."""
    on = np.zeros((4, 12), bool)
    on[:, [0, 4, 7]] = True
    assert midi_arpeggio.arpeggiate(on).argmax(axis=1).tolist() == [0, 4, 7, 0]
    assert midi_arpeggio.is_polyphonic(on)


@given(on_rolls, st.sampled_from([0.125, 0.5, 1]))
def test_drop_long_silences(on, max_bars):
    expected, silence = [], []
    for row in [*on.tolist(), None]:
        if row is not None and not any(row):
            silence.append(row)
            continue
        if len(silence) <= max_bars * 16:
            expected += silence
        silence = []
        if row is not None:
            expected.append(row)
    assert midi_arpeggio.drop_long_silences(on, max_bars).tolist() == expected


@given(on_rolls, st.integers(1, 20))
def test_pad_and_cut(on, steps):
    padded = midi_arpeggio.pad(on, steps)
    assert len(padded) % steps == 0
    assert 0 <= len(padded) - len(on) < steps
    assert padded[: len(on)].tolist() == on.tolist()
    assert not padded[len(on) :].any()
    segments = midi_arpeggio.cut(padded, steps)
    assert segments.shape == (len(padded) // steps, steps, on.shape[1])
    assert segments.reshape(padded.shape).tolist() == padded.tolist()


@pytest.mark.parametrize("seed", range(3))
def test_to_tokens_are_those_of_the_roll_codec(seed):
    tokens = np.random.default_rng(seed).integers(0, 61, 64)
    on = np.zeros((64, 60), bool)
    sounding = np.flatnonzero(tokens < 60)
    on[sounding, tokens[sounding]] = True
    assert midi_arpeggio.to_tokens(on).tolist() == tokens.tolist()
    codec = RollCodec()
    assert codec.encode(codec.decode(midi_arpeggio.to_tokens(on))).tolist() == tokens.tolist()
