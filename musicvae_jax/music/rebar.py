"""Melodies from one meter into another, bar by bar."""

import dataclasses

import numpy as np

from musicvae_jax.music.grid import Grid
from musicvae_jax.music.melody import Melody

# What keeps its length where the meter changes: the pulse that both meters have, or the bar.
KEEPS = ("beat", "bar")


def pulses(first: Grid, second: Grid) -> tuple[int, int]:
    """The steps of a pulse that two meters have in common, on the grid of each.

    Where steps last equally long and bars have as many, as in 6/8 and 3/4, that is a step.
    Where one meter has a multiple of the other's beats, its beats are taken together: two
    quarter notes of 4/4 answer a dotted one of 6/8. Otherwise a beat answers a beat.
    """
    if (first.steps_per_quarter, first.played_steps) == (
        second.steps_per_quarter,
        second.played_steps,
    ):
        return 1, 1
    beats = [grid.played_steps // grid.steps_per_beat for grid in (first, second)]
    if max(beats) % min(beats):
        return first.steps_per_beat, second.steps_per_beat
    return first.played_steps // min(beats), second.played_steps // min(beats)


def quarters_of(first: Grid, second: Grid, keeps: str) -> tuple[float, float]:
    """How long what keeps its length is in each of two meters, in quarter notes.

    Args:
      first, second: the grids.
      keeps: one of `KEEPS`.
    """
    if keeps == "bar":
        return first.quarters_per_bar, second.quarters_per_bar
    steps = pulses(first, second)
    return steps[0] / first.steps_per_quarter, steps[1] / second.steps_per_quarter


def rebar(melody: Melody, grid: Grid, keeps: str = "beat") -> Melody:
    """A melody in another meter: its bars become bars, and pulses stay pulses (see `pulses`).

    Within a pulse a note moves to the step that is nearest to its share of it. If the new bars
    have fewer pulses, what begins in the last ones is dropped; if they have more, what sounds
    at the end of a bar is held through them. Of notes that meet on a step the first one stays.

    Args:
      melody: of whole bars.
      grid: of the result.
      keeps: one of `KEEPS`, by which the tempo is changed.
    """
    if melody.grid == grid:
        return melody
    own = melody.grid
    start, end = (_moved(own, grid, own.played(edge)) for edge in (melody.start, melody.end))
    count = melody.num_bars * grid.played_steps
    # What ended with its bar, or in a pulse that is dropped, goes on to the end of the new bar.
    bars = -(-own.played(melody.end) // own.played_steps)
    ends_bar = (own.played(melody.end) % own.played_steps == 0) | (end < 0)
    end = np.where(ends_bar, bars * grid.played_steps, end)
    first = np.diff(start, prepend=-1) > 0
    kept = first & (start >= 0)
    start, end, pitch = start[kept], end[kept], melody.pitch[kept]
    following = np.append(start[1:], count)[: start.size]
    end = np.minimum(np.maximum(end, start + 1), following)
    before, after = quarters_of(own, grid, keeps)
    return dataclasses.replace(
        melody,
        pitch=pitch,
        start=grid.step_of(start),
        end=grid.step_of(end),
        num_steps=melody.num_bars * grid.steps_per_bar,
        tempo_bpm=melody.tempo_bpm * after / before,
        grid=grid,
    )


def carried(quarters: np.ndarray, own: Grid, grid: Grid) -> np.ndarray:
    """Where what is played in a bar goes in a bar of another meter, by the rule of `rebar`.

    It stays as far from its nearest step as it was, in shares of a pulse.

    Args:
      quarters: [n] float, from the bar line, about 0 to the length of a bar.
      own, grid: of the bar, and of the new one.

    Returns:
      [n] float64, in quarter notes. What lies in pulses that the new bar does not have comes out
      at its end or behind it.
    """
    step = np.clip(np.floor(quarters * own.steps_per_quarter + 0.5), 0, own.played_steps)
    off = quarters - step / own.steps_per_quarter
    before, after = pulses(own, grid)
    ratio = after / grid.steps_per_quarter / (before / own.steps_per_quarter)
    moved = _within_bar(step.astype(np.int64), before, after)
    return moved / grid.steps_per_quarter + off * ratio


def _moved(own: Grid, grid: Grid, played: np.ndarray) -> np.ndarray:
    """Where played steps go; before 0 those of pulses that the new bars do not have."""
    before, after = pulses(own, grid)
    bar, within = np.divmod(played, own.played_steps)
    moved = bar * grid.played_steps + _within_bar(within, before, after)
    return np.where(within // before * after < grid.played_steps, moved, -1)


def _within_bar(step: np.ndarray, before: int, after: int) -> np.ndarray:
    """Steps of a bar whose pulses had `before` steps, and have `after`."""
    pulse, place = np.divmod(step, before)
    # The nearest step, half a step up, but within its pulse.
    return pulse * after + np.minimum((2 * place * after + before) // (2 * before), after - 1)
