import dataclasses

import numpy as np
import pytest

from musicvae_jax.midi.analysis import bars
from musicvae_jax.midi.extraction import extract
from musicvae_jax.midi.reading import Reading, make_reading
from musicvae_jax.system.errors import UserError
from tests.midi.extraction_test import song, track

SCALE = track([(60 + n % 8, n / 2, n / 2 + 0.5) for n in range(66)])  # eighths


def first_steps(song, reading):
    extraction = extract(bars.as_told(song, reading))
    assert extraction.melody is not None
    return extraction.melody.start[:3].tolist(), extraction.origin


def test_bar_one_is_where_a_user_says():
    assert first_steps(song(SCALE), Reading()) == ([0, 2, 4], 0.0)
    assert first_steps(song(SCALE), Reading(bar_one=0.0)) == ([0, 2, 4], 0.0)
    assert first_steps(song(SCALE), Reading(bar_one=1.0)) == ([12, 14, 16], -3.0)
    assert first_steps(song(SCALE), Reading(bar_one=9.0)) == ([12, 14, 16], -3.0)
    late = dataclasses.replace(SCALE, start=SCALE.start + 6.125, end=SCALE.end + 6.125)
    assert first_steps(song(late), Reading(bar_one=7.125)) == ([12, 14, 16], 3.125)


def test_a_meter_and_a_tempo_count_more_than_those_of_the_file():
    five = song(SCALE, meters=((0.0, 5, 4), (15.0, 7, 8)), tempos=((0.0, 60.0), (8.0, 120.0)))
    assert extract(five).melody is None
    told = bars.as_told(five, Reading(meter=(4, 4)))
    assert told.meters == ((0.0, 4, 4),)
    assert extract(told).melody is not None
    [fast] = bars.as_told(five, Reading(tempo_bpm=120.0)).tracks
    # Quarter notes 4, 8 and 12 of the file are at 4, 8 and 10 seconds.
    np.testing.assert_allclose(fast.start[[8, 16, 24]], [8.0, 16.0, 20.0])
    assert bars.as_told(five, Reading(tempo_bpm=120.0)).tempos == ((0.0, 120.0),)


def test_before_the_beginning_the_first_tempo_holds():
    assert song(SCALE, tempos=((0.0, 90.0), (4.0, 91.0))).tempo_bpm_at(-3.0) == 90.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bar_one": -1.0}, "bar_one=-1.0: a number of quarter notes from 0 to"),
        ({"bar_one": float("nan")}, "bar_one=nan"),
        ({"meter": "5/4"}, "meter=5/4: cannot be read; valid are 4/4, 2/2"),
        ({"meter": "four"}, "meter=four: not a meter"),
        ({"tempo_bpm": 0.0}, "tempo=0.0: quarter notes a minute from 10 to 1000"),
        ({"tempo_bpm": float("inf")}, "tempo=inf"),
    ],
)
def test_a_reading_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        make_reading(**values)
