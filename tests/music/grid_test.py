import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import GRIDS, SIXTEENTHS, Grid, usual_grid
from musicvae_jax.music.melody import Melody, join
from musicvae_jax.music.meters import likely_grid

ANY_GRID = st.sampled_from(list(GRIDS.values()))


def test_how_long_bars_are():
    quarters = {name: grid.quarters_per_bar for name, grid in GRIDS.items()}
    assert quarters == {
        **{"4/4": 4, "triplets": 4, "3/4": 3, "6/8": 3},
        **{"9/8": 4.5, "12/8": 6, "3/2": 6, "6/4": 6},
    }
    beats = {name: grid.steps_per_beat for name, grid in GRIDS.items()}
    assert beats == {
        **{"4/4": 4, "triplets": 3, "3/4": 4, "6/8": 6},
        **{"9/8": 3, "12/8": 3, "3/2": 4, "6/4": 2},
    }


def test_a_bar_of_nine_eighths_has_three_steps_that_take_no_time():
    grid = GRIDS["9/8"]
    assert (grid.steps_per_bar, grid.played_steps) == (12, 9)
    steps = [0, 1, 8, 9, 11, 12, 13, 24]
    assert grid.quarters(np.array(steps)).tolist() == [0, 0.5, 4, 4.5, 4.5, 4.5, 5, 9]
    assert grid.nearest(np.array([0, 4.1, 4.5, 4.9, 8.7, 9])).tolist() == [0, 8, 12, 13, 20, 24]


@given(ANY_GRID, st.integers(0, 10_000))
def test_the_step_of_a_played_step(grid, number):
    assert grid.played(grid.step_of(number)) == number
    assert grid.nearest(np.array(grid.quarters(grid.step_of(number)))) == grid.step_of(number)


@given(st.floats(0, 1000))
def test_sixteenths_are_as_they_were(quarters):
    assert SIXTEENTHS.nearest(np.array(quarters)) == int(np.floor(quarters * 4 + 0.5))


@given(ANY_GRID, st.integers(1, 20))
def test_bars_are_as_long_as_the_meter_says(grid, bars):
    melody = Melody.from_notes([], bars * grid.steps_per_bar, grid=grid)
    assert melody.num_bars == bars
    assert melody.num_quarters == bars * grid.quarters_per_bar


def test_a_bar_that_does_not_fit():
    with pytest.raises(ValueError, match="a bar of 5/4 at 4 steps a quarter note"):
        Grid(16, 4, 5, 4)
    with pytest.raises(ValueError, match="3/16"):
        Grid(16, 2, 3, 16)


def test_what_takes_no_time_is_left_out():
    waltz = Melody.from_notes([(60, 0, 4), (62, 8, 10), (64, 10, 12)], 12, grid=GRIDS["3/4"])
    slip = waltz.read_in(GRIDS["9/8"])
    assert slip.notes() == [(60, 0, 4), (62, 8, 10)]
    assert slip.grid.meter == "9/8"
    with pytest.raises(ValueError, match="bars of 12 steps cannot be read in 4/4 in sixteenths"):
        waltz.read_in(SIXTEENTHS)


def test_windows_and_joins_keep_the_grid():
    grid = GRIDS["6/8"]
    jig = Melody.from_notes([(60, 0, 6), (62, 10, 14), (64, 20, 24)], 24, grid=grid)
    assert jig.window(1, 1).notes() == [(62, 0, 2), (64, 8, 12)]
    again = join([jig.window(0, 1), jig.window(1, 1)])
    assert again.grid == grid and again.notes()[-1] == (64, 20, 24)
    assert dataclasses.replace(jig, grid=GRIDS["3/4"]) != jig
    with pytest.raises(ValueError, match=r"6/8 in sixteenths, 3/4 in sixteenths"):
        join([jig, dataclasses.replace(jig, grid=GRIDS["3/4"])])


def test_the_usual_grids():
    assert usual_grid(16) == SIXTEENTHS
    assert usual_grid(12) == GRIDS["3/4"]


@pytest.mark.parametrize("steps_per_bar", [12, 16])
def test_the_meter_of_the_examples_is_heard(steps_per_bar):
    for melody in example_melodies(steps_per_bar).values():
        assert melody.num_bars == 16
        assert likely_grid(melody) == melody.grid
        assert likely_grid(melody.read_in(usual_grid(steps_per_bar))) == melody.grid


def test_a_slip_jig_is_heard():
    bar = [(72, 0, 2), (74, 2, 3), (76, 3, 5), (74, 5, 6), (72, 6, 8), (71, 8, 12)]
    notes = [(p, 12 * n + s, 12 * n + e) for n in range(8) for p, s, e in bar]
    assert likely_grid(Melody.from_notes(notes, 96, grid=GRIDS["3/4"])) == GRIDS["9/8"]
    twelve = [*bar[:-1], (71, 8, 9), (72, 9, 12)]
    notes = [(p, 12 * n + s, 12 * n + e) for n in range(8) for p, s, e in twelve]
    assert likely_grid(Melody.from_notes(notes, 96, grid=GRIDS["3/4"])) == GRIDS["12/8"]
