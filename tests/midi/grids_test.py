"""Which grid a song is read on, and where its notes then lie."""

import numpy as np
import pytest

from musicvae_jax.midi.extraction import extract, extract_melody, stretches
from musicvae_jax.midi.reading import make_reading
from musicvae_jax.midi.song import Song, Track
from musicvae_jax.music.grid import GRIDS
from musicvae_jax.system.errors import UserError


def song(meters, onsets, length=0.25):
    """A scale up and down at onsets in quarter notes, in meters `(start, numerator, denominator)`.

    A note lasts until the next one, the last one for `length` quarter notes.
    """
    start = np.array(onsets, np.float64)
    end = np.append(start[1:], start[-1] + length)
    pitch = np.array([60 + abs(number % 14 - 7) for number in range(start.size)], np.int32)
    track = Track("", 0, False, pitch, np.full_like(pitch, 80), start, end)
    return Song((track,), tuple(meters), ((0.0, 120.0),))


def rhythm(bars, bar, *places):
    """Onsets at the same places of several bars."""
    return [number * bar + place for number in range(bars) for place in places]


SWUNG = (0, 2 / 3, 1, 5 / 3, 2, 8 / 3, 3, 11 / 3)
STRAIGHT = (0, 0.5, 1, 1.5, 2, 2.5, 3, 3.75)


@pytest.mark.parametrize(
    ("meter", "places", "grid", "steps"),
    [
        ((4, 4), STRAIGHT, "4/4", [0, 2, 4, 6, 8, 10, 12, 15]),
        ((4, 4), SWUNG, "triplets", [0, 2, 3, 5, 6, 8, 9, 11]),
        ((4, 4), (0, 1, 2, 3), "4/4", [0, 4, 8, 12]),  # both fit: the usual one
        ((3, 4), (0, 1, 1.5, 2, 2.75), "3/4", [0, 4, 6, 8, 11]),
        ((6, 8), (0, 0.5, 1, 1.5, 2, 2.75), "6/8", [0, 2, 4, 6, 8, 11]),
        ((9, 8), (0, 1, 1.5, 3, 4), "9/8", [0, 2, 3, 6, 8]),
        ((12, 8), (0, 0.5, 1, 1.5, 3, 4.5, 5.5), "12/8", [0, 1, 2, 3, 6, 9, 11]),
        ((3, 2), (0, 2, 3, 4, 5.5), "3/2", [0, 4, 6, 8, 11]),
        ((6, 4), (0, 2, 3, 5), "6/4", [0, 4, 6, 10]),
    ],
)
def test_the_grid_and_the_steps(meter, places, grid, steps):
    bar = 4 * meter[0] / meter[1]
    melody = extract_melody(song([(0.0, *meter)], rhythm(4, bar, *places)), "x")
    assert melody.grid == GRIDS[grid]
    assert melody.num_bars == 4
    per_bar = melody.grid.steps_per_bar
    assert melody.start.tolist() == [per_bar * n + step for n in range(4) for step in steps]
    np.testing.assert_allclose(
        melody.grid.quarters(melody.start), rhythm(4, bar, *places), atol=1e-9
    )
    # Each note lasts until the next one: over the bar line of 9/8 too, whose last steps take
    # no time.
    assert (melody.end[:-1] == melody.start[1:]).all()


def test_sixteenths_in_twelve_eights_make_two_bars_of_six():
    melody = extract_melody(song([(0.0, 12, 8)], rhythm(4, 6, 0, 0.25, 0.5, 1.75, 3, 4.25)), "x")
    assert melody.grid == GRIDS["6/8"]
    assert melody.num_bars == 8
    assert melody.start[:6].tolist() == [0, 1, 2, 7, 12, 17]


def test_a_bar_of_two_quarters_ends_a_stretch():
    """Nine bars of 4/4, one of 2/4, four of 4/4: the first ten are read, the last as half a bar."""
    meters = [(0.0, 4, 4), (36.0, 2, 4), (38.0, 4, 4)]
    made = song(meters, rhythm(9, 4, *STRAIGHT) + [36, 37] + [38 + q for q in rhythm(4, 4, 0, 2)])
    assert [(one.start, one.end) for one in stretches(made)] == [(0.0, 38.0), (38.0, 53.0 - 0.75)]
    melody = extract_melody(made, "x")
    assert (melody.num_bars, melody.grid.name) == (10, "4/4 in sixteenths")


def test_bars_of_three_quarters_among_those_of_four():
    meters = [(0.0, 4, 4), (8.0, 3, 4), (32.0, 4, 4)]
    made = song(meters, rhythm(9, 4, 0, 1, 2, 3))
    assert [one.meter for one in stretches(made)] == ["4/4", "3/4", "4/4"]
    assert extract_melody(made, "x").grid == GRIDS["3/4"]


def test_pairs_of_three_eighths():
    melody = extract_melody(song([(0.0, 3, 8)], rhythm(8, 1.5, 0, 0.5, 1)), "x")
    assert (melody.num_bars, melody.grid) == (4, GRIDS["6/8"])


def test_five_quarters_are_refused_in_one_line():
    with pytest.raises(UserError) as refused:
        extract_melody(song([(0.0, 5, 4)], rhythm(4, 5, 0, 1, 2, 3, 4)), "five.mid")
    assert str(refused.value) == (
        "five.mid: no usable melody: the meter is 5/4; valid are 4/4, 2/2, 2/4, 4/8, 8/8, 3/4, "
        "6/8, 3/8, 9/8, 12/8, 3/2, 6/4"
    )


def test_a_user_chooses_the_grid():
    made = song([(0.0, 4, 4)], rhythm(4, 4, *SWUNG))
    assert extract(made, grid=GRIDS["4/4"]).melody.start[:4].tolist() == [0, 3, 4, 7]
    assert make_reading(grid="triplets").whole_meter == (4, 4)
    assert make_reading(meter="12/8", grid="6/8").grid == GRIDS["6/8"]
    with pytest.raises(UserError, match="grid=5/4: unknown; valid are 4/4, triplets, 3/4"):
        make_reading(grid="5/4")
    with pytest.raises(UserError, match="meter=3/4, grid=6/8 in sixteenths: they exclude"):
        make_reading(meter="3/4", grid="6/8")


def test_a_played_melody_is_read_on_the_grid_it_was_meant_on():
    """Onsets that are late by up to a twentieth of a quarter note."""
    rng = np.random.default_rng(0)
    for places, grid in ((STRAIGHT, "4/4"), (SWUNG, "triplets")):
        onsets = np.array(rhythm(8, 4, *places))
        onsets += rng.uniform(0, 0.05, onsets.size)
        assert extract_melody(song([(0.0, 4, 4)], onsets), "x").grid == GRIDS[grid]
