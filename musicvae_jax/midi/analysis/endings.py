"""The end of a track that was not written down but played, or made to sound so."""

import dataclasses
import math

import numpy as np

from musicvae_jax.midi.song import Track

_BAR, _EIGHTH, _SIXTEENTH = 4.0, 0.5, 0.25  # in quarter notes


def with_whole_end(track: Track, first: float) -> Track:
    """The track without what hangs over its last bar line.

    A last note that is held into a new bar for less than an eighth would make a bar of its
    own, and so would one shorter than a sixteenth that ends at the bar line.

    Args:
      track: with at least one note.
      first: a bar line, in quarter notes.
    """
    end, half = float(track.end.max()), _SIXTEENTH / 2
    line = first + _BAR * math.floor((end - first + half) / _BAR)
    is_late = track.start >= line - half - 1e-6  # it would be moved to the line
    if end >= line + _EIGHTH or (track.end[is_late] > line + 1e-6).any():
        return track
    if end <= line and not is_late.any():
        return track
    start = np.where(is_late, line - _SIXTEENTH, track.start)
    order = np.lexsort((track.pitch, start))
    return dataclasses.replace(
        track,
        pitch=track.pitch[order],
        velocity=track.velocity[order],
        start=start[order],
        end=np.minimum(track.end, line)[order],
    )
