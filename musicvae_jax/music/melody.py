"""The melody: one voice of notes on a grid of steps."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from musicvae_jax.music import colors, notebook
from musicvae_jax.music.grid import SIXTEENTHS, Grid

# Of melodies in sixteenths, which is what analyses of 4/4 know; others ask the melody's grid.
STEPS_PER_QUARTER, STEPS_PER_BAR = SIXTEENTHS.steps_per_quarter, SIXTEENTHS.steps_per_bar
DEFAULT_TEMPO_BPM = 120.0
MIN_PITCH, MAX_PITCH = 21, 108  # the piano, as in Roberts et al. 2018


@dataclasses.dataclass(frozen=True, eq=False)
class Melody:
    """Notes in order, at most one sounding at a time; between notes is silence.

    >>> import musicvae_jax as mv
    >>> melody = mv.Melody.from_notes([(60, 0, 4), (64, 4, 8), (67, 8, 16)], num_steps=16)
    >>> melody.num_bars
    1
    >>> melody.transpose(12).notes()
    [(72, 0, 4), (76, 4, 8), (79, 8, 16)]

    A notebook shows it as a piano roll with a button that plays it.

    Attributes:
      pitch: [notes] int32, MIDI note numbers 0..127.
      start: [notes] int32, the step at which each note begins.
      end: [notes] int32, the step at which it has ended; start < end <= next start.
      num_steps: the length of the melody in steps; no note ends later.
      tempo_bpm: quarter notes per minute.
      program: General MIDI program, 0..127.
      grid: what the steps are; by default sixteenths in 4/4.

    Raises:
      ValueError: a pitch lies outside of 0..127, or notes overlap or lie outside of the melody.
    """

    pitch: np.ndarray
    start: np.ndarray
    end: np.ndarray
    num_steps: int
    tempo_bpm: float = DEFAULT_TEMPO_BPM
    program: int = 0
    grid: Grid = SIXTEENTHS

    def __post_init__(self) -> None:
        for name in ("pitch", "start", "end"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.int32))
        pitch, start, end = self.pitch, self.start, self.end
        if not pitch.shape == start.shape == end.shape == (pitch.size,):
            raise ValueError(
                f"pitch, start, end must be [notes], got {pitch.shape} {start.shape} {end.shape}"
            )
        if pitch.size == 0:
            return
        if pitch.min() < 0 or pitch.max() > 127:
            raise ValueError(f"pitches must lie in 0..127, got {pitch.min()}..{pitch.max()}")
        if start[0] < 0 or end[-1] > self.num_steps:
            raise ValueError(f"notes must lie in steps 0..{self.num_steps}")
        if np.any(end <= start) or np.any(start[1:] < end[:-1]):
            raise ValueError("notes must have a positive length and must not overlap")

    @classmethod
    def from_notes(
        cls, notes: Iterable[tuple[int, int, int]], num_steps: int, **kwargs: Any
    ) -> "Melody":
        """Builds a melody from `(pitch, start, end)` tuples, given in order."""
        table = np.array(list(notes), np.int32).reshape(-1, 3)
        return cls(table[:, 0], table[:, 1], table[:, 2], num_steps, **kwargs)

    def notes(self) -> list[tuple[int, int, int]]:
        """The notes as `(pitch, start, end)` tuples of plain integers."""
        return list(zip(self.pitch.tolist(), self.start.tolist(), self.end.tolist(), strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Melody):
            return NotImplemented
        return (
            self.notes() == other.notes()
            and self.num_steps == other.num_steps
            and self.tempo_bpm == other.tempo_bpm
            and self.program == other.program
            and self.grid == other.grid
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def num_bars(self) -> int:
        """Whole and begun bars."""
        return -(-self.num_steps // self.grid.steps_per_bar)

    @property
    def num_quarters(self) -> float:
        """How long it lasts, in quarter notes."""
        return float(self.grid.quarters(self.num_steps))

    def _repr_html_(self) -> str:
        """A piano roll with a button that plays it, for notebooks."""
        step_sec = 60 / self.tempo_bpm * self.grid.quarters(np.arange(self.num_steps + 1))
        ends = (colors.BLUE, colors.BLUE)
        notes = (self.pitch, self.start, self.end)
        part = notebook.Part("", 0, self.num_bars, *notes, ends, self.grid)
        caption = f"melody: {self.num_bars} bars, {self.pitch.size} notes, {self.tempo_bpm:g} bpm"
        return notebook.as_html(caption, [part], step_sec)

    def window(self, start_bar: int, num_bars: int) -> "Melody":
        """Cuts out `num_bars` bars.

        A note held across an edge is cut there; one that was already sounding is
        struck again at the window's first step, so that no music is lost.

        Raises:
          ValueError: the window does not lie within the melody's bars.
        """
        if start_bar < 0 or num_bars < 1 or start_bar + num_bars > self.num_bars:
            raise ValueError(
                f"bars {start_bar}..{start_bar + num_bars} are outside of 0..{self.num_bars}"
            )
        first, length = (bars * self.grid.steps_per_bar for bars in (start_bar, num_bars))
        start = np.clip(self.start - first, 0, length)
        end = np.clip(self.end - first, 0, length)
        inside = end > start
        return dataclasses.replace(
            self,
            pitch=self.pitch[inside],
            start=start[inside],
            end=end[inside],
            num_steps=length,
        )

    def transpose(self, semitones: int) -> "Melody":
        """Shifts every pitch; the caller keeps it inside 0..127."""
        return dataclasses.replace(self, pitch=self.pitch + semitones)

    def read_in(self, grid: Grid) -> "Melody":
        """The same steps on another grid; notes that take no time there are left out.

        Raises:
          ValueError: its bars have another number of steps.
        """
        if grid.steps_per_bar != self.grid.steps_per_bar:
            raise ValueError(
                f"bars of {self.grid.steps_per_bar} steps cannot be read in {grid.name}, whose "
                f"bars have {grid.steps_per_bar}"
            )
        lasts = grid.played(self.end) > grid.played(self.start)
        return dataclasses.replace(
            self,
            pitch=self.pitch[lasts],
            start=self.start[lasts],
            end=self.end[lasts],
            grid=grid,
        )

    def then(self, *others: "Melody") -> "Melody":
        """This melody and others one after the other, each from a bar line, as this one is played.

        One that does not fill its last bar is followed by silence up to the next bar line.

        Raises:
          ValueError: they are on different grids.
        """
        parts = (self, *others)
        if any(melody.grid != self.grid for melody in parts):
            names = ", ".join(dict.fromkeys(melody.grid.name for melody in parts))
            raise ValueError(f"melodies on different grids cannot be joined: {names}")
        starts = np.cumsum([0, *(melody.num_bars for melody in parts)]) * self.grid.steps_per_bar
        return dataclasses.replace(
            self,
            pitch=np.concatenate([melody.pitch for melody in parts]),
            start=np.concatenate([m.start + s for m, s in zip(parts, starts, strict=False)]),
            end=np.concatenate([m.end + s for m, s in zip(parts, starts, strict=False)]),
            num_steps=int(starts[-1]),
        )


def join(melodies: Sequence[Melody]) -> Melody:
    """`Melody.then` of a sequence of at least one."""
    first, *others = melodies
    return first.then(*others)
