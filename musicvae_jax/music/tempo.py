"""Tempos as MIDI writes them, and the way from one to another."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from musicvae_jax.music.grid import SIXTEENTHS, Grid

# A MIDI tempo is a whole number of microseconds a quarter, in three bytes.
_MICROSECONDS_PER_MINUTE, _MAX_MICROSECONDS = 60_000_000, 2**24 - 1
# Shorter or longer by this, one interval of an even pulse is just noticed. Friberg &
# Sundberg 1995, "Time discrimination in a monotonic, isochronous sequence".
_NOTICEABLE = 0.025


def microseconds_per_quarter(tempo_bpm: float) -> int:
    """The tempo as MIDI writes it.

    Raises:
      ValueError: MIDI has no such tempo.
    """
    if tempo_bpm > 0:
        microseconds = round(_MICROSECONDS_PER_MINUTE / tempo_bpm)
        if 1 <= microseconds <= _MAX_MICROSECONDS:
            return microseconds
    raise ValueError(f"a tempo of {tempo_bpm} bpm cannot be written to MIDI")


class Stage(NamedTuple):
    """A part of a bridge in one meter.

    Attributes:
      bars: its length.
      grid: of its bars.
      pulse: what keeps its length from part to part, in quarter notes.
    """

    bars: int
    grid: Grid = SIXTEENTHS
    pulse: float = 1.0


def tempo_ramp(
    before_bpm: float, after_bpm: float, stages: Sequence[Stage]
) -> list[list[tuple[int, float]]]:
    """The tempos of a bridge, `(step, tempo_bpm)` from step 0 of each of its parts.

    The ear compares tempos by their ratio, so each change is by the same ratio, and
    those into and out of the bridge are no larger. Changes fall on the beats of
    its grids; if that would make them noticeable one by one, on every step.

    Args:
      before_bpm, after_bpm: quarter notes a minute before it and after it, in the meters of its
        first part and of its last.
      stages: its parts.
    """
    before, after = before_bpm / stages[0].pulse, after_bpm / stages[-1].pulse
    if abs(before - after) <= 1e-9 * after:
        return [[(0, before * stage.pulse)] for stage in stages]
    for is_fine in (False, True):
        every = [1 if is_fine else stage.grid.steps_per_beat for stage in stages]
        counts = [
            stage.bars * stage.grid.played_steps // steps
            for stage, steps in zip(stages, every, strict=True)
        ]
        ratio = (after / before) ** (1 / (sum(counts) + 1))
        if abs(np.log(ratio)) <= _NOTICEABLE:
            break
    tempos, done = [], 1
    for stage, steps, count in zip(stages, every, counts, strict=True):
        rates = [before * ratio ** (done + index) for index in range(count)]
        tempos.append(
            [
                (stage.grid.step_of(steps * index), rate * stage.pulse)
                for index, rate in enumerate(rates)
            ]
        )
        done += count
    return tempos
