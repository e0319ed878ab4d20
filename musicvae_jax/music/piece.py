"""A piece: melodies and the bridges between them, as one piece of continuous music.

`music.assembly` puts pieces together.

What a piece plays of a melody is the `Melody`: its notes on its grid of steps, one
at a time. The accompaniment, the dynamics and the exact timing of the file that it came
from are not part of it; `midi.medley` plays these too. "As it was" means these notes, each at its
pitch and place.
"""

import bisect
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from musicvae_jax.music import colors, notebook
from musicvae_jax.music.grid import Grid
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tempo import microseconds_per_quarter

VELOCITY = 80


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a piece.

    Attributes:
      origin: `melody 1`, `bridge`, `melody 2`; with several bridges `bridge 1`, ...
      title: for people, for example the file's name; may be empty.
      melody: what is played, in whole bars, its steps counted from the section's start.
      start_bar, start_step, start_quarter: where it begins, counted in bars and steps of the
        sections before it, each on its own grid, and in quarter notes.
      is_bridge: whether it leads from one melody to another.
      key: the key that it is in; of a bridge, the keys before and after it.
      semitones: by how much the melody was moved; of a bridge, by how much it glides.
      bars_before, bars_after: of a bridge that changes its meter, and so is of several
        sections, the bars of those before and after this one.
    """

    origin: str
    title: str
    melody: Melody
    start_bar: int
    is_bridge: bool
    key: str
    semitones: int
    bars_before: int = 0
    bars_after: int = 0
    start_step: int = 0
    start_quarter: float = 0.0

    def quarters(self, step: int) -> float:
        """Where a step of the piece lies that is in this section, in quarter notes."""
        return self.start_quarter + float(self.melody.grid.quarters(step - self.start_step))


def placed(sections: Sequence[Section]) -> list[Section]:
    """The sections, each where the one before it ends."""
    result: list[Section] = []
    bar, step, quarter = 0, 0, 0.0
    for section in sections:
        melody = section.melody
        result.append(
            dataclasses.replace(section, start_bar=bar, start_step=step, start_quarter=quarter)
        )
        bar, step = bar + melody.num_bars, step + melody.num_steps
        quarter += melody.num_quarters
    return result


def parts_of(sections: Sequence[Section], index: int) -> list[Section]:
    """The sections of the bridge that begins with one; of a melody itself."""
    parts = [sections[index]]
    while parts[-1].bars_after:
        parts.append(sections[index + len(parts)])
    return parts


@dataclasses.dataclass(frozen=True)
class Voice:
    """The notes of one instrument in a piece.

    Attributes:
      program: General MIDI program, 0..127.
      pitch, start, end, velocity: [notes] int32, in order; at most one note sounds.
    """

    program: int
    pitch: np.ndarray
    start: np.ndarray
    end: np.ndarray
    velocity: np.ndarray


@dataclasses.dataclass(frozen=True)
class Piece:
    """Melodies and bridges one after the other, each from bar line to bar line.

    >>> import musicvae_jax as mv
    >>> ode, reel = mv.example_melodies().values()
    >>> piece = mv.splice(ode, ode.window(0, 4), reel)
    >>> [section.origin for section in piece.sections]
    ['melody 1', 'bridge', 'melody 2']
    >>> piece.num_bars
    36

    A notebook shows it as a piano roll with a button that plays it.

    Attributes:
      sections: in order, without gaps.
      tempos: `(step, tempo_bpm)` of each change, the first at step 0.
      voices: one for each instrument; together they play the sections' notes.
      loops: whether the last section leads back to the first.
    """

    sections: tuple[Section, ...]
    tempos: tuple[tuple[int, float], ...]
    voices: tuple[Voice, ...]
    loops: bool = False

    @property
    def num_bars(self) -> int:
        last = self.sections[-1]
        return last.start_bar + last.melody.num_bars

    @property
    def num_steps(self) -> int:
        last = self.sections[-1]
        return last.start_step + last.melody.num_steps

    @property
    def line(self) -> Melody:
        """All sections as one melody, with the tempo and program of the first.

        Raises:
          ValueError: they are on different grids.
        """
        grids = {section.melody.grid for section in self.sections}
        if len(grids) > 1:
            names = ", ".join(sorted(grid.name for grid in grids))
            raise ValueError(f"sections on different grids are not one melody: {names}")
        first = self.sections[0].melody
        starts = [section.start_step for section in self.sections]
        melodies = [section.melody for section in self.sections]
        parts = list(zip(melodies, starts, strict=True))
        return Melody(
            pitch=np.concatenate([melody.pitch for melody in melodies]),
            start=np.concatenate([melody.start + offset for melody, offset in parts]),
            end=np.concatenate([melody.end + offset for melody, offset in parts]),
            num_steps=self.num_steps,
            tempo_bpm=first.tempo_bpm,
            program=first.program,
            grid=first.grid,
        )

    def notes(self) -> list[tuple[int, int, int]]:
        """The notes of all sections as `(pitch, start, end)`, in steps of the piece."""
        return [
            (pitch, start + section.start_step, end + section.start_step)
            for section in self.sections
            for pitch, start, end in section.melody.notes()
        ]

    def bridges(self) -> list[list[Section]]:
        """The sections of each bridge, one for each meter."""
        return [
            parts_of(self.sections, index)
            for index, section in enumerate(self.sections)
            if section.is_bridge and not section.bars_before
        ]

    def meters(self) -> list[tuple[float, Grid]]:
        """Where a meter begins, in quarter notes from the beginning, and a grid that has it."""
        found: list[tuple[float, Grid]] = []
        for section in self.sections:
            grid = section.melody.grid
            if not found or found[-1][1].meter != grid.meter:
                found.append((section.start_quarter, grid))
        return found

    def section_at(self, step: int) -> Section:
        """The section in which a step lies; of the piece's end the last one."""
        starts = [section.start_step for section in self.sections]
        return self.sections[max(bisect.bisect_right(starts, step) - 1, 0)]

    def quarters_at(self, step: int) -> float:
        """Where a step lies, in quarter notes from the beginning."""
        return self.section_at(step).quarters(step)

    def seconds_at(self, step: int) -> float:
        """When a step begins in the MIDI file, whose tempos are whole microseconds."""
        starts = [start for start, _ in self.tempos if start < step]
        quarters = np.diff([self.quarters_at(each) for each in [*starts, step]])
        lengths = [microseconds_per_quarter(bpm) for _, bpm in self.tempos[: len(starts)]]
        return float(np.dot(quarters, lengths)) / 1e6

    @property
    def duration_sec(self) -> float:
        return self.seconds_at(self.num_steps)

    def neighbours(self) -> list[tuple[int, int]]:
        """The melodies before and after each section, counted from 0.

        For a melody both are itself. A bridge alone leads from melody 0 to melody 1.
        """
        numbers, melody = [], 0
        for section in self.sections:
            if section.is_bridge:
                numbers.append((max(melody - 1, 0), max(melody, 1)))
            else:
                numbers.append((melody, melody))
                melody += 1
        if self.loops:
            for index in range(len(numbers) - 1, 0, -1):
                if not self.sections[index].is_bridge:
                    break
                numbers[index] = (melody - 1, 0)
        return numbers

    def _repr_html_(self) -> str:
        """A piano roll with a button that plays it, for notebooks."""
        parts = []
        for section, (before, after) in zip(self.sections, self.neighbours(), strict=True):
            melody, offset = section.melody, section.start_step
            ends: tuple[str, ...] = tuple(map(colors.melody_color, (before, after)))
            passed = section.bars_before + np.array([0, melody.num_bars - 1])
            total = section.bars_before + melody.num_bars + section.bars_after
            if total > melody.num_bars:  # the bridge goes on in another meter
                ends = tuple(colors.as_hex(colors.mix(ends, passed / (total - 1))))
            parts.append(
                notebook.Part(
                    label=": ".join(text for text in (section.origin, section.title) if text),
                    start_bar=section.start_bar,
                    num_bars=melody.num_bars,
                    pitch=melody.pitch,
                    start=melody.start + offset,
                    end=melody.end + offset,
                    ends=ends,
                    grid=melody.grid,
                    start_step=offset,
                )
            )
        caption = f"piece: {self.num_bars} bars, {self.duration_sec:.0f} s"
        step_sec = np.array([self.seconds_at(step) for step in range(self.num_steps + 1)])
        return notebook.as_html(caption, parts, step_sec)

    def summary(self) -> dict[str, Any]:
        """The tempo, key and place of each section, for a JSON report."""
        return {
            "bars": self.num_bars,
            "duration_sec": round(self.duration_sec, 3),
            "loops": self.loops,
            "programs": [int(voice.program) for voice in self.voices],
            "sections": [
                {
                    "origin": section.origin,
                    "title": section.title,
                    "start_bar": section.start_bar,
                    "bars": section.melody.num_bars,
                    "start_sec": round(self.seconds_at(section.start_step), 3),
                    "tempo_bpm": None if section.is_bridge else section.melody.tempo_bpm,
                    "key": section.key,
                    "semitones": section.semitones,
                }
                for section in self.sections
            ],
        }
