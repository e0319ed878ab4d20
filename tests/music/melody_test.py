import dataclasses

import pytest

from musicvae_jax.music.melody import Melody


def test_window_cuts_at_both_edges_and_strikes_a_held_note_again():
    melody = Melody.from_notes([(60, 0, 4), (62, 12, 20), (64, 30, 40)], 48, tempo_bpm=90.0)
    window = melody.window(1, 1)
    assert window.notes() == [(62, 0, 4), (64, 14, 16)]
    assert (window.num_steps, window.tempo_bpm) == (16, 90.0)


def test_windows_outside_of_the_melody_are_refused():
    melody = Melody.from_notes([], 32)
    for start_bar, num_bars in ((-1, 1), (0, 3), (2, 1), (0, 0)):
        with pytest.raises(ValueError, match=r"outside of 0\.\.2"):
            melody.window(start_bar, num_bars)


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ([(60, 0, 4), (62, 3, 6)], "overlap"),
        ([(60, 4, 4)], "positive length"),
        ([(128, 0, 4)], r"0\.\.127"),
        ([(60, -1, 4)], r"steps 0\.\.16"),
        ([(60, 0, 17)], r"steps 0\.\.16"),
    ],
)
def test_impossible_melodies_are_refused(notes, message):
    with pytest.raises(ValueError, match=message):
        Melody.from_notes(notes, 16)


def test_begun_bars_count():
    assert Melody.from_notes([], 17).num_bars == 2


def test_transpose_changes_only_pitch():
    melody = Melody.from_notes([(60, 1, 4)], 16, program=7)
    up = melody.transpose(3)
    assert up.notes() == [(63, 1, 4)]
    assert dataclasses.replace(up, pitch=melody.pitch) == melody
