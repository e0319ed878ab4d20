"""Drums: the hits of a kit on a grid of sixteenth notes, and how they were played."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.grid import SIXTEENTHS, Grid

STEPS_PER_BAR = SIXTEENTHS.steps_per_bar
STEPS_PER_QUARTER = SIXTEENTHS.steps_per_quarter
VELOCITY = 80  # of a hit of which nothing else is known


@dataclasses.dataclass(frozen=True, eq=False)
class Drums:
    """Hits in order; of each piece at most one at a step.

    What the grid cannot hold is kept beside it, as Gillick et al. 2019 (arXiv 1905.06118) do: how
    hard each hit was struck, and how far off its step.

    >>> import musicvae_jax as mv
    >>> beat = mv.Drums.from_hits([(0, 0), (2, 0), (2, 4), (1, 4)], num_steps=16)
    >>> beat.num_bars, beat.hits()
    (1, [(0, 0), (2, 0), (1, 4), (2, 4)])

    Attributes:
      piece: [hits] int32, numbers of `drum_kit.PIECES`.
      step: [hits] int32, the step that each hit is nearest to.
      velocity: [hits] int32, 1..127.
      offset: [hits] float32, in steps, at most half a step: below 0 before the step.
      num_steps: the length in steps.
      tempo_bpm: quarter notes per minute.
      program: of the kit, 0 for the standard one (General MIDI 2, GS).
      grid: of sixteenths in 4/4.

    Raises:
      ValueError: a value is out of its range, a piece is struck twice at a step, or the grid is
        another.
    """

    piece: np.ndarray
    step: np.ndarray
    velocity: np.ndarray
    offset: np.ndarray
    num_steps: int
    tempo_bpm: float = 120.0
    program: int = 0
    grid: Grid = SIXTEENTHS

    def __post_init__(self) -> None:
        columns = [np.asarray(self.piece, np.int32), np.asarray(self.step, np.int32)]
        columns.append(np.asarray(self.velocity, np.int32))
        columns.append(np.asarray(self.offset, np.float32))
        shapes = [column.shape for column in columns]
        if any(shape != (columns[0].size,) for shape in shapes):
            raise ValueError(f"piece, step, velocity, offset must be [hits], got {shapes}")
        order = np.lexsort((columns[0], columns[1]))
        names = ("piece", "step", "velocity", "offset")
        for name, column in zip(names, columns, strict=True):
            object.__setattr__(self, name, column[order])
        self._check()

    def _check(self) -> None:
        if self.grid != SIXTEENTHS:
            raise ValueError(f"drums are read in {SIXTEENTHS.name}, not in {self.grid.name}")
        if not self.piece.size:
            return
        limits = {
            "piece": (self.piece, 0, len(PIECES) - 1),
            "step": (self.step, 0, self.num_steps - 1),
            "velocity": (self.velocity, 1, 127),
            "offset": (self.offset, -0.5, 0.5),
        }
        for name, (values, low, high) in limits.items():
            if not (values.min() >= low and values.max() <= high):
                raise ValueError(
                    f"{name} must lie in {low}..{high}, got {values.min()}..{values.max()}"
                )
        cell = self.step * len(PIECES) + self.piece
        if (np.diff(cell) == 0).any():
            raise ValueError("a piece is struck twice at a step")

    @classmethod
    def from_hits(cls, hits: Iterable[tuple[int, int]], num_steps: int, **fields: Any) -> "Drums":
        """Drums of `(piece, step)` pairs, all struck alike and on the grid."""
        table = np.array(list(hits), np.int32).reshape(-1, 2)
        velocity = np.full(len(table), VELOCITY)
        return cls(table[:, 0], table[:, 1], velocity, np.zeros(len(table)), num_steps, **fields)

    def hits(self) -> list[tuple[int, int]]:
        """The hits as `(piece, step)` pairs of plain integers."""
        return list(zip(self.piece.tolist(), self.step.tolist(), strict=True))

    def notes(self) -> list[tuple[int, int]]:
        """The hits: what sounds, as `Melody.notes` tells it of a melody."""
        return self.hits()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Drums):
            return NotImplemented
        return (
            self.hits() == other.hits()
            and np.array_equal(self.velocity, other.velocity)
            and np.array_equal(self.offset, other.offset)
            and (self.num_steps, self.tempo_bpm, self.program)
            == (other.num_steps, other.tempo_bpm, other.program)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def num_bars(self) -> int:
        """Whole and begun bars."""
        return -(-self.num_steps // STEPS_PER_BAR)

    @property
    def num_quarters(self) -> float:
        """How long they last, in quarter notes."""
        return self.num_steps / STEPS_PER_QUARTER

    def read_in(self, grid: Grid) -> "Drums":
        """The same on another grid, of which there is none."""
        return dataclasses.replace(self, grid=grid)

    def window(self, start_bar: int, num_bars: int) -> "Drums":
        """Cuts out `num_bars` bars.

        Raises:
          ValueError: the window does not lie within the bars.
        """
        if start_bar < 0 or num_bars < 1 or start_bar + num_bars > self.num_bars:
            raise ValueError(
                f"bars {start_bar}..{start_bar + num_bars} are outside of 0..{self.num_bars}"
            )
        first, length = start_bar * STEPS_PER_BAR, num_bars * STEPS_PER_BAR
        step = self.step - first
        inside = (step >= 0) & (step < length)
        return dataclasses.replace(
            self,
            piece=self.piece[inside],
            step=step[inside],
            velocity=self.velocity[inside],
            offset=self.offset[inside],
            num_steps=length,
        )

    def then(self, *others: "Drums") -> "Drums":
        """These and others one after the other, each from a bar line, at the tempo of these."""
        parts = (self, *others)
        starts = np.cumsum([0, *(part.num_bars for part in parts)]) * STEPS_PER_BAR
        return dataclasses.replace(
            self,
            piece=np.concatenate([part.piece for part in parts]),
            step=np.concatenate([p.step + s for p, s in zip(parts, starts, strict=False)]),
            velocity=np.concatenate([part.velocity for part in parts]),
            offset=np.concatenate([part.offset for part in parts]),
            num_steps=int(starts[-1]),
        )

    def played_as(self, other: "Drums", is_same: np.ndarray) -> "Drums":
        """The same hits; those of some bars that others have, too, with their velocity and offset.

        Args:
          other: of as many steps.
          is_same: [bars] bool, the bars.
        """
        velocity, offset = (grid[self.step, self.piece] for grid in other.grids())
        is_told = (velocity > 0) & is_same[self.step // STEPS_PER_BAR]
        return dataclasses.replace(
            self,
            velocity=np.where(is_told, velocity, self.velocity),
            offset=np.where(is_told, offset, self.offset),
        )

    def grids(self) -> tuple[np.ndarray, np.ndarray]:
        """Velocities and offsets, 0 where there is no hit: [num_steps, 9] float32 each."""
        velocity = np.zeros((self.num_steps, len(PIECES)), np.float32)
        offset = np.zeros_like(velocity)
        velocity[self.step, self.piece] = self.velocity
        offset[self.step, self.piece] = self.offset
        return velocity, offset


def quantized(
    position: np.ndarray,
    piece: np.ndarray,
    velocity: np.ndarray,
    *,
    tempo_bpm: float = 120.0,
    program: int = 0,
) -> Drums:
    """Drums of hits at any time, each at the nearest step; whole bars, from the first on.

    Of several hits of a piece at a step the hardest counts, and of equal ones the first.

    Args:
      position: [hits] float, in steps; 0 or later, but for what rounds up to 0.
      piece, velocity: [hits] int.
      tempo_bpm, program: as in `Drums`.
    """
    step = np.floor(position + 0.5).astype(np.int64)
    offset = position - step
    # The first of each (step, piece) in this order stays.
    order = np.lexsort((position, -velocity, piece, step))
    cell = step[order] * len(PIECES) + piece[order]
    kept = order[np.diff(cell, prepend=-1) != 0]
    num_bars = int(step.max(initial=-1)) // STEPS_PER_BAR + 1
    return Drums(
        piece[kept],
        step[kept],
        velocity[kept],
        offset[kept],
        num_bars * STEPS_PER_BAR,
        tempo_bpm,
        program,
    )
