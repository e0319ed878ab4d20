"""Bar lines and the lines of beats, in pictures whose unit is a bar."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from musicvae_jax.music.grid import Grid

# Beats that are nearer to each other than that would cover the notes.
_MIN_BEAT_IN = 0.06
_BEAT = "#D8D8D8"
_DOTS = (0, (1, 3))  # so that they are not taken for bar lines


def beats(grid: Grid, first_bar: int, num_bars: int) -> np.ndarray:
    """Where beats begin that are no bar lines: of 4/4 three in each bar, of 6/8 one.

    Args:
      grid: of the bars.
      first_bar, num_bars: the bars.

    Returns:
      [beats] float64, in bars.
    """
    count = grid.played_steps // grid.steps_per_beat
    bars = first_bar + np.arange(num_bars)[:, None]
    return (bars + np.arange(1, count) / count).ravel()


def draw(axes: Axes, places: np.ndarray, **style: Any) -> None:
    """Draws vertical lines all at once: each by itself takes as long as a track of notes."""
    ends = np.stack(np.broadcast_arrays(places[:, None], [0, 1]), axis=2)
    lines = LineCollection(list(ends), **style)
    lines.set_transform(axes.get_xaxis_transform())
    axes.add_collection(lines, autolim=False)


def draw_beats(axes: Axes, bars: Sequence[tuple[Grid, int, int]], in_per_bar: float) -> None:
    """Draws the beats of some bars below their notes, as far as there is room.

    Args:
      axes: on which a bar is 1 wide.
      bars: grids, each with its first bar and the number of its bars.
      in_per_bar: how wide a bar is, in inches.
    """
    for grid, first, count in bars:
        per_bar = grid.played_steps // grid.steps_per_beat
        if in_per_bar / per_bar >= _MIN_BEAT_IN:
            style = {"colors": _BEAT, "linewidths": 0.6, "linestyles": [_DOTS]}
            draw(axes, beats(grid, first, count), zorder=0.5, **style)
