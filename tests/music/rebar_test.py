import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicvae_jax.music import assembly
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import GRIDS
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.rebar import pulses, quarters_of, rebar

ODE, REEL = example_melodies().values()
WALTZ, JIG = example_melodies(12).values()
ANY_GRID = st.sampled_from(list(GRIDS.values()))


def bar(name, *starts):
    """A bar of notes that each last until the next one, or the end of the bar."""
    grid = GRIDS[name]
    ends = [*starts[1:], grid.steps_per_bar]
    notes = [(60 + n, s, e) for n, (s, e) in enumerate(zip(starts, ends, strict=True))]
    return Melody.from_notes(notes, grid.steps_per_bar, grid=grid)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("4/4", "6/8", (8, 6)),  # half a bar
        ("4/4", "triplets", (4, 3)),  # a quarter note
        ("4/4", "3/4", (4, 4)),  # a quarter note
        ("3/4", "6/8", (1, 1)),  # a sixteenth
        ("9/8", "3/4", (3, 4)),  # the dotted quarter note and the quarter note
        ("9/8", "6/8", (3, 6)),  # a dotted quarter note
        ("12/8", "6/8", (6, 6)),  # two dotted quarter notes, and one
    ],
)
def test_pulses(first, second, expected):
    assert pulses(GRIDS[first], GRIDS[second]) == expected
    assert pulses(GRIDS[second], GRIDS[first]) == expected[::-1]


@pytest.mark.parametrize(
    ("source", "starts", "target", "expected"),
    [
        # Eighths of a reel: of four in half a bar the second and the third meet in a jig.
        ("4/4", (0, 2, 4, 6, 8, 10, 12, 14), "6/8", [0, 2, 3, 5, 6, 8, 9, 11]),
        ("4/4", (0, 2, 4, 6, 8, 12, 14), "triplets", [0, 2, 3, 5, 6, 9, 11]),
        ("triplets", (0, 2, 3, 4, 5), "4/4", [0, 3, 4, 5, 7]),
        ("4/4", (0, 4, 8, 12), "3/4", [0, 4, 8]),  # the fourth beat is dropped
        ("3/4", (0, 4, 8), "4/4", [0, 4, 8]),  # and here it is held
        ("6/8", (0, 4, 6, 10), "3/4", [0, 4, 6, 10]),
        ("9/8", (0, 2, 3, 6), "3/4", [0, 3, 4, 8]),
        ("9/8", (0, 2, 3, 6), "6/8", [0, 4, 6]),
    ],
)
def test_bars_by_hand(source, starts, target, expected):
    moved = rebar(bar(source, *starts), GRIDS[target])
    assert moved.start.tolist() == expected
    assert moved.end.tolist() == [*expected[1:], GRIDS[target].steps_per_bar]


@given(ANY_GRID, ANY_GRID, st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_bars_stay_bars(source, target, lengths):
    edges = source.step_of(np.cumsum([0, *lengths]))
    notes = [(60 + n, int(s), int(e)) for n, (s, e) in enumerate(itertools.pairwise(edges))]
    bars = -(-int(edges[-1]) // source.steps_per_bar)
    melody = Melody.from_notes(notes, bars * source.steps_per_bar, grid=source)
    moved = rebar(melody, target)  # checks that notes do not overlap
    assert (moved.num_bars, moved.grid) == (bars, target)
    assert set(moved.pitch.tolist()) <= set(melody.pitch.tolist())
    own = melody.start // source.steps_per_bar
    for pitch, start in zip(moved.pitch.tolist(), moved.start.tolist(), strict=True):
        assert start // target.steps_per_bar == own[pitch - 60]
    # What begins a bar begins it there too.
    firsts = [p for p, s, _ in melody.notes() if s % source.steps_per_bar == 0]
    assert firsts == [p for p, s, _ in moved.notes() if s % target.steps_per_bar == 0]


def test_the_tempo_keeps_the_pulse_or_the_bar():
    assert rebar(REEL, GRIDS["6/8"]).tempo_bpm == pytest.approx(180 * 1.5 / 2)
    assert rebar(REEL, GRIDS["3/4"]).tempo_bpm == 180
    assert rebar(REEL, GRIDS["3/4"], keeps="bar").tempo_bpm == pytest.approx(135)
    assert quarters_of(GRIDS["9/8"], GRIDS["6/8"], "beat") == (1.5, 1.5)


@pytest.mark.parametrize("keeps", ["beat", "bar"])
def test_a_piece_from_a_waltz_to_a_reel(keeps):
    """The pulse changes by equal ratios through both meters, and arrives at the reel's."""
    reel = dataclasses.replace(REEL, tempo_bpm=200.0)
    parts = [WALTZ.window(0, 2), reel.window(0, 2)]
    made = assembly.chain([WALTZ, reel], [parts], keeps=keeps)
    assert [grid.meter for _, grid in made.meters()] == ["3/4", "4/4"]
    assert made.meters()[1][0] == 16 * 3 + 2 * 3
    pulse = dict(
        zip((WALTZ.grid, REEL.grid), quarters_of(WALTZ.grid, REEL.grid, keeps), strict=True)
    )
    rates = []
    for step, bpm in made.tempos:
        section = [one for one in made.sections if one.start_step <= step][-1]
        rates.append(bpm / pulse[section.melody.grid])
    ratios = np.diff(np.log(rates))
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)
    assert made.tempos[0] == (0, 150.0) and made.tempos[-1][1] == 200.0
    assert made.neighbours() == [(0, 0), (0, 1), (0, 1), (1, 1)]
    assert [(s.bars_before, s.bars_after) for s in made.sections[1:3]] == [(0, 2), (2, 0)]


def test_instruments_cross_once_through_both_parts():
    reel = dataclasses.replace(REEL, program=40)
    made = assembly.chain([WALTZ, reel], [[WALTZ.window(0, 2), REEL.window(0, 2)]])
    first, second = made.voices
    begin, end = made.sections[1].start_step, made.sections[3].start_step
    for voice, sign in ((first, -1), (second, 1)):
        inside = (voice.start >= begin) & (voice.start < end)
        assert (sign * np.diff(voice.velocity[inside]) >= 0).all()
