import dataclasses

import numpy as np
import pytest

from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.piece import Piece, Section, placed

ODE, REEL = example_melodies().values()


def piece(*parts, tempos=((0, 120.0),), loops=False):
    """A piece without voices; `parts` are melodies, and bridges in a list of one."""
    sections = []
    for part in parts:
        melody = part[0] if isinstance(part, list) else part
        is_bridge = isinstance(part, list)
        sections.append(Section("", "", melody, 0, is_bridge, "C major", 0))
    return Piece(tuple(placed(sections)), tempos, (), loops)


def test_the_line_is_the_sections_one_after_the_other():
    made = piece(ODE, [ODE.window(0, 4)], dataclasses.replace(REEL, tempo_bpm=99.0, program=73))
    assert (made.num_bars, made.num_steps) == (36, 576)
    assert made.line.window(0, 16) == ODE
    assert made.line.window(16, 4).notes() == ODE.window(0, 4).notes()
    assert made.line.window(20, 16).notes() == REEL.notes()
    assert (made.line.tempo_bpm, made.line.program) == (ODE.tempo_bpm, ODE.program)


def test_seconds_are_counted_by_hand():
    made = piece(ODE, tempos=((0, 120.0), (16, 60.0), (32, 120.0)))
    # A bar at 120 beats a minute lasts 2 s, one at 60 lasts 4 s.
    expected = {0: 0.0, 4: 0.5, 16: 2.0, 20: 3.0, 32: 6.0, 48: 8.0}
    assert {step: made.seconds_at(step) for step in expected} == expected
    assert made.duration_sec == pytest.approx(2 + 4 + 14 * 2)


def test_seconds_are_those_of_whole_microseconds():
    made = piece(ODE, tempos=((0, 123.4),))
    assert made.seconds_at(4) == np.rint(60e6 / 123.4) / 1e6


def test_each_section_knows_its_neighbours():
    short = ODE.window(0, 1)
    assert piece(short).neighbours() == [(0, 0)]
    assert piece([short]).neighbours() == [(0, 1)]
    assert piece(short, [short], short).neighbours() == [(0, 0), (0, 1), (1, 1)]
    around = piece(short, [short], short, [short], loops=True)
    assert around.neighbours() == [(0, 0), (0, 1), (1, 1), (1, 0)]


def test_the_summary_is_of_places_and_tempos():
    made = piece(ODE, [REEL.window(0, 2)], REEL, tempos=((0, 60.0),), loops=True)
    summary = made.summary()
    assert summary["bars"] == 34
    assert summary["loops"] is True
    assert [section["start_bar"] for section in summary["sections"]] == [0, 16, 18]
    assert [section["start_sec"] for section in summary["sections"]] == [0.0, 64.0, 72.0]
    tempos = [ODE.tempo_bpm, None, REEL.tempo_bpm]  # that of a bridge changes
    assert [section["tempo_bpm"] for section in summary["sections"]] == tempos
