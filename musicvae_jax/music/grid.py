"""The grid of a melody: where its notes may begin, and the meter in which that is written.

A model knows bars of one number of steps, 16 or 12, and not what meter they are in: 12 steps
are a bar of 3/4 or 6/8 in sixteenths, of 12/8 in eighths, or of 4/4 in triplets of eighths.
A bar of 9/8 has nine eighths; three more steps fill it up in which nothing begins and which
take no time, so that a bar of the melody is a bar of the model.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Grid:
    """How the bars of a melody are divided.

    >>> import musicvae_jax as mv
    >>> mv.GRIDS["6/8"].steps_per_bar, mv.GRIDS["6/8"].quarters_per_bar
    (12, 3.0)

    Attributes:
      steps_per_bar: of the melody, and of the model that knows it.
      steps_per_quarter: how many steps last a quarter note.
      numerator, denominator: of the meter.

    Raises:
      ValueError: a bar of the meter is not a whole number of steps, or more than a bar has.
    """

    steps_per_bar: int = 16
    steps_per_quarter: int = 4
    numerator: int = 4
    denominator: int = 4

    def __post_init__(self) -> None:
        steps, rest = divmod(4 * self.numerator * self.steps_per_quarter, self.denominator)
        if rest or not 1 <= steps <= self.steps_per_bar:
            raise ValueError(
                f"a bar of {self.numerator}/{self.denominator} at {self.steps_per_quarter} steps a "
                f"quarter note does not fit in {self.steps_per_bar} steps"
            )

    @property
    def played_steps(self) -> int:
        """Steps of a bar that take time; the others, at its end, fill it up."""
        return 4 * self.numerator * self.steps_per_quarter // self.denominator

    @property
    def quarters_per_bar(self) -> float:
        """How long a bar lasts, in quarter notes."""
        return 4 * self.numerator / self.denominator

    @property
    def is_triplet(self) -> bool:
        """Whether a beat of a meter that divides in two is divided in three."""
        return self.steps_per_quarter % 3 == 0

    @property
    def meter(self) -> str:
        """Such as `6/8`."""
        return f"{self.numerator}/{self.denominator}"

    @property
    def name(self) -> str:
        """For people, such as `6/8 in sixteenths`."""
        values = {2: "eighths", 3: "triplets", 4: "sixteenths"}
        return f"{self.meter} in {values[self.steps_per_quarter]}"

    @property
    def steps_per_beat(self) -> int:
        """Of a beat as people count it: of 6/8, 9/8 and 12/8 three eighths."""
        unit = 4 * self.steps_per_quarter // self.denominator
        return 3 * unit if self.is_compound else unit

    @property
    def is_compound(self) -> bool:
        """Whether the beats of the meter divide in three."""
        return self.denominator >= 8 and self.numerator % 3 == 0

    def played(self, step: Any) -> Any:
        """How many steps that take time come before a step: an integer, or an array of them."""
        bar, within = step // self.steps_per_bar, step % self.steps_per_bar
        return bar * self.played_steps + np.minimum(within, self.played_steps)

    def quarters(self, step: Any) -> Any:
        """Where a step lies, in quarter notes from step 0: a number, or an array of them."""
        return self.played(step) / self.steps_per_quarter

    def nearest(self, quarters: np.ndarray) -> np.ndarray:
        """The steps that are nearest to positions in quarter notes from step 0: int64."""
        played = np.floor(quarters * self.steps_per_quarter + 0.5).astype(np.int64)
        return self.step_of(played)

    def step_of(self, played: Any) -> Any:
        """The step before which so many steps take time; the reverse of `played`."""
        if self.played_steps == self.steps_per_bar:
            return played
        bar, within = played // self.played_steps, played % self.played_steps
        return bar * self.steps_per_bar + within


SIXTEENTHS = Grid()
TRIPLETS = Grid(12, 3, 4, 4)
# By the names that a user gives.
GRIDS = {
    "4/4": SIXTEENTHS,
    "triplets": TRIPLETS,
    "3/4": Grid(12, 4, 3, 4),
    "6/8": Grid(12, 4, 6, 8),
    "9/8": Grid(12, 2, 9, 8),
    "12/8": Grid(12, 2, 12, 8),
    "3/2": Grid(12, 2, 3, 2),
    "6/4": Grid(12, 2, 6, 4),
}
# The grids on which music in a meter can be read, the usual one first. Two bars of 2/4 are one
# of 4/4, and two of 3/8 one of 6/8; half a bar of 12/8 is a bar of 6/8.
METERS: dict[tuple[int, int], tuple[Grid, ...]] = {
    **dict.fromkeys([(4, 4), (2, 2), (2, 4), (4, 8), (8, 8)], (SIXTEENTHS, TRIPLETS)),
    (3, 4): (GRIDS["3/4"],),
    (6, 8): (GRIDS["6/8"],),
    (3, 8): (GRIDS["6/8"],),
    (9, 8): (GRIDS["9/8"],),
    (12, 8): (GRIDS["12/8"], GRIDS["6/8"]),
    (3, 2): (GRIDS["3/2"], GRIDS["3/4"]),
    (6, 4): (GRIDS["6/4"], GRIDS["3/4"]),
}
METER_NAMES = ", ".join(f"{numerator}/{denominator}" for numerator, denominator in METERS)
# In quarter notes: a grid that moves onsets by less than another one must do so by that much,
# on average, to be taken instead of one that is more usual.
_MIN_GAIN = 0.01


def given_name(grid: Grid) -> str:
    """The name of a grid in `GRIDS`."""
    return next(name for name, known in GRIDS.items() if known == grid)


def mean_move(quarters: np.ndarray, grid: Grid) -> float:
    """By how much onsets move to the nearest steps on average, in quarter notes.

    Args:
      quarters: [onsets] float, from a bar line; at least one.
      grid: on which they are to be.
    """
    places = quarters * grid.steps_per_quarter
    return float(np.abs(places - np.round(places)).mean()) / grid.steps_per_quarter


def best_grid(quarters: np.ndarray, grids: Sequence[Grid]) -> Grid:
    """The first of several grids that moves onsets as little as any, or nearly so.

    Args:
      quarters: [onsets] float, from a bar line.
      grids: at least one, the usual one first.
    """
    if not quarters.size or len(grids) == 1:
        return grids[0]
    moves = [mean_move(quarters, grid) for grid in grids]
    return next(g for g, move in zip(grids, moves, strict=True) if move <= min(moves) + _MIN_GAIN)


def usual_grid(steps_per_bar: int) -> Grid:
    """The first grid whose bars have that many steps, for melodies of no other known."""
    return next(
        grid
        for grid in GRIDS.values()
        if grid.steps_per_bar == steps_per_bar and not grid.is_triplet
    )
