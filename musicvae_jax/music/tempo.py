"""Tempos as MIDI writes them, and the way from one to another."""

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


def tempo_ramp(
    before_bpm: float, after_bpm: float, bars: int, grid: Grid = SIXTEENTHS
) -> list[tuple[int, float]]:
    """The tempos of a bridge, `(step, tempo_bpm)` from step 0.

    The ear compares tempos by their ratio, so each change is by the same ratio, and
    those into and out of the bridge are no larger. Changes fall on the beats of
    its grid; if that would make them noticeable one by one, on every step.
    """
    if before_bpm == after_bpm:
        return [(0, before_bpm)]
    for every in (grid.steps_per_beat, 1):
        number = bars * grid.played_steps // every
        ratio = (after_bpm / before_bpm) ** (1 / (number + 1))
        if abs(np.log(ratio)) <= _NOTICEABLE:
            break
    return [
        (grid.step_of(every * index), before_bpm * ratio ** (index + 1)) for index in range(number)
    ]
