import numpy as np
from hypothesis import given

from benchmarks import arranged_songs
from musicvae_jax.midi import extraction
from musicvae_jax.midi.analysis import top_line
from tests import helpers


def track(*parts):
    return arranged_songs.track(np.array([row for part in parts for row in part], float))


def line(*parts):
    return extraction.highest_line(top_line.melodic(track(*parts)), 0.0, 64.0)


TUNE = [(72, 0, 2), (74, 2, 3), (76, 3, 4), (72, 4, 8), (79, 8, 10), (77, 10, 12), (76, 12, 16)]
WANTED = [(p, 4 * s, 4 * e) for p, s, e in TUNE]


def test_notes_below_a_held_note_are_no_melody():
    arpeggio = [((48, 55, 64, 67)[i % 4], i / 2, i / 2 + 0.5) for i in range(32)]
    assert line(TUNE, arpeggio) == WANTED


def test_the_left_hand_is_no_melody_while_the_right_one_rests():
    left = [(43 + 7 * (i % 2), i, i + 1) for i in range(15)]
    short = [(72 + i % 5, 2 * i, 2 * i + 0.9) for i in range(8)]
    assert [(p, s) for p, s, _ in line(short, left)] == [(p, 4 * s) for p, s, _ in short]


def test_a_hand_that_plays_alone_for_bars_is_kept():
    left = [(43 + 7 * (i % 2), i, i + 1) for i in range(32)]
    pitch = [p for p, _, _ in line([(p, s + 16, e + 16) for p, s, e in TUNE], left)]
    assert pitch[:12] == [43, 50] * 6


def test_a_tune_below_a_long_note_is_kept():
    pad = [(88, 16 * i, 16 * i + 16) for i in range(2)]
    again = [(p, s + 16, e + 16) for p, s, e in TUNE]
    assert len(line(TUNE, again, pad)) == 2 * len(TUNE)


def test_grace_notes_give_way_to_their_main_notes():
    graces = [(p + 2, s - 0.08, s) for p, s, _ in TUNE[1:]]
    tune = [(p, s, e - 0.08) for p, s, e in TUNE]
    assert [(p, s) for p, s, _ in line(tune, graces)] == [(p, s) for p, s, _ in WANTED]
    fast = [(60 + i % 5, i / 10, i / 10 + 0.1) for i in range(40)]
    assert top_line.melodic(track(fast)).pitch.size == 40


@given(helpers.melodies())
def test_of_one_voice_nothing_is_left_out(melody):
    rows = [(p, s / 4, e / 4) for p, s, e in melody.notes()]
    if rows:
        one = track(rows)
        assert top_line.melodic(one) is one
