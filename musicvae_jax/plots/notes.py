"""The notes of a piano roll."""

from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection

from musicvae_jax.music.melody import Melody


def bars_at(melody: Melody, step: np.ndarray) -> np.ndarray:
    """Where steps of a melody lie, in bars from its beginning."""
    grid = melody.grid
    return grid.played(step) / grid.played_steps


def note_boxes(
    pitch: np.ndarray, left: np.ndarray, right: np.ndarray, **style: Any
) -> PolyCollection:
    """A box for each note, all in one collection: a patch for each would take seconds.

    Args:
      pitch: [notes], where the boxes are centred; they are .9 high.
      left, right: [notes], their ends.
      **style: of `PolyCollection`.
    """
    below, above = pitch - 0.45, pitch + 0.45
    corners = np.stack([[left, below], [left, above], [right, above], [right, below]])
    boxes = PolyCollection(list(corners.transpose(2, 0, 1)), **style)
    if pitch.size:
        boxes.sticky_edges.y.append(below.min())  # no margin below the lowest note
    return boxes
