"""Melodies on every grid as files, and read again."""

import dataclasses
from xml.etree import ElementTree as ET

import hypothesis
import mido
import music21
import pytest
from hypothesis import strategies as st

from musicvae_jax.midi import convert, note_values, write
from musicvae_jax.music import assembly
from musicvae_jax.music.grid import GRIDS
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read

# Played steps of a bar, so that notes end at bar lines, and a note over one.
PLACES = {
    "4/4": (0, 4, 6, 10, 13),
    "triplets": (0, 2, 3, 4, 5, 8, 9, 11),
    "3/4": (0, 3, 4, 8, 10, 11),
    "6/8": (0, 2, 4, 6, 9, 11),
    "9/8": (0, 1, 2, 3, 6, 8),
    "12/8": (0, 2, 3, 4, 7, 9, 11),
    "3/2": (0, 4, 7, 8),
    "6/4": (0, 2, 4, 5, 10),
}


def melody(name, bars=4):
    grid, notes = GRIDS[name], []
    starts = [grid.step_of(b * grid.played_steps + p) for b in range(bars) for p in PLACES[name]]
    ends = [*starts[1:], bars * grid.steps_per_bar]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        notes.append((60 + number % 5, start, end))
    return Melody.from_notes(notes, bars * grid.steps_per_bar, grid=grid, tempo_bpm=90.0)


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("suffix", ["mid", "musicxml"])
def test_what_is_written_is_read_again(name, suffix, tmp_path):
    path = tmp_path / f"a.{suffix}"
    write.write(path, melody(name))
    assert read.read(path) == melody(name)


@pytest.mark.parametrize("name", GRIDS)
def test_other_libraries_read_the_meter_and_the_bars(name, tmp_path):
    made, grid = melody(name), GRIDS[name]
    write.write(tmp_path / "a.mid", made)
    signatures = [m for m in mido.MidiFile(tmp_path / "a.mid").tracks[0] if m.type.startswith("ti")]
    assert [(m.numerator, m.denominator, m.time) for m in signatures] == [
        (grid.numerator, grid.denominator, 0)
    ]
    write.write(tmp_path / "a.musicxml", made)
    [part] = music21.converter.parse(tmp_path / "a.musicxml").parts
    [signature] = part.recurse().getElementsByClass("TimeSignature")
    assert signature.ratioString == grid.meter
    lengths = [bar.duration.quarterLength for bar in part.getElementsByClass("Measure")]
    assert lengths == pytest.approx([grid.quarters_per_bar] * 4)
    assert convert.from_music21(part, grid=grid).notes() == made.notes()
    assert convert.from_pretty_midi(convert.to_pretty_midi(made), grid=grid) == made


@hypothesis.given(
    st.sampled_from(list(GRIDS.values())), st.lists(st.integers(1, 30), min_size=1, max_size=8)
)
@hypothesis.settings(max_examples=40)
def test_any_rhythm_fills_its_bars(grid, lengths):
    """Bars are full, and no value is one that a note cannot have."""
    played, notes = 0, []
    for number, length in enumerate(lengths):
        start, end = grid.step_of(played), grid.step_of(played + length)
        if number % 3 < 2:  # every third is a rest
            notes.append((60 + number, start, end))
        played += length
    bars = -(-played // grid.played_steps)
    made = Melody.from_notes(notes, bars * grid.steps_per_bar, grid=grid)
    piece = assembly.single(made)
    root = ET.fromstring(write.musicxml.to_musicxml(piece))
    for bar in root.findall("part/measure"):
        durations = sum(int(duration.text) for duration in bar.iter("duration"))
        assert durations == grid.played_steps
    for begin in range(grid.played_steps):
        for end in range(begin + 1, grid.played_steps + 1):
            parts = note_values.split(begin, end, grid)
            assert sum(parts) == end - begin
            assert all(note_values.note_value(length, grid) for length in parts)


def test_a_piece_that_changes_its_meter(tmp_path):
    """Two bars of 6/8, a bridge of two bars of 3/4, and a reel."""
    jig, waltz, reel = melody("6/8", 2), melody("3/4", 2), melody("4/4", 2)
    reel = dataclasses.replace(reel, tempo_bpm=180.0)
    made = assembly.chain([jig, reel], [waltz])
    assert made.num_bars == 6
    assert [(quarter, grid.meter) for quarter, grid in made.meters()] == [
        (0.0, "6/8"),
        (6.0, "3/4"),
        (12.0, "4/4"),
    ]
    write.write(tmp_path / "a.mid", made)
    track = mido.MidiFile(tmp_path / "a.mid").tracks[0]
    now, signatures = 0, []
    for message in track:
        now += message.time
        if message.type == "time_signature":
            signatures.append((now / 480, message.numerator, message.denominator))
    assert signatures == [(0, 6, 8), (6, 3, 4), (12, 4, 4)]
    assert now == 480 * 20
    write.write(tmp_path / "a.musicxml", made)
    [part] = music21.converter.parse(tmp_path / "a.musicxml").parts
    signs = part.recurse().getElementsByClass("TimeSignature")
    assert [sign.ratioString for sign in signs] == ["6/8", "3/4", "4/4"]
    onsets = [float(note.getOffsetInHierarchy(part)) for note in part.stripTies().recurse().notes]
    assert onsets == [made.quarters_at(start) for _, start, _ in made.notes()]
    assert made.seconds_at(made.num_steps) == made.duration_sec > 6 * 60 / 90 + 8 * 60 / 180
