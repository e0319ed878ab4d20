"""The end of a track that was not written down but played, or made to sound so."""

import dataclasses
import math

import numpy as np

from musicvae_jax.midi.song import Track
from musicvae_jax.music.grid import SIXTEENTHS, Grid

_EIGHTH = 0.5  # in quarter notes


def with_whole_end(track: Track, first: float, grid: Grid = SIXTEENTHS) -> Track:
    """The track without what hangs over its last bar line.

    A last note that is held into a new bar for less than an eighth would make a bar of its
    own, and so would one shorter than a step of the grid that ends at the bar line.

    Args:
      track: with at least one note.
      first: a bar line, in quarter notes.
      grid: on which it will be read.
    """
    end, bar, step = float(track.end.max()), grid.quarters_per_bar, 1 / grid.steps_per_quarter
    half = step / 2
    line = first + bar * math.floor((end - first + half) / bar)
    is_late = track.start >= line - half - 1e-6  # it would be moved to the line
    if end >= line + _EIGHTH or (track.end[is_late] > line + 1e-6).any():
        return track
    if end <= line and not is_late.any():
        return track
    start = np.where(is_late, line - step, track.start)
    order = np.lexsort((track.pitch, start))
    return dataclasses.replace(
        track,
        pitch=track.pitch[order],
        velocity=track.velocity[order],
        start=start[order],
        end=np.minimum(track.end, line)[order],
    )
