"""The meter of melodies of which nobody has said it."""

import dataclasses

import numpy as np

from musicvae_jax.music.attributes import LEVELS, syncopations
from musicvae_jax.music.grid import GRIDS, Grid
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, Melody
from musicvae_jax.music.tokens import MelodyCodec

_SLIP = GRIDS["9/8"]
# In 9/8, notes begin in the steps that take no time in at most such a share of the bars, for a
# model may slip, and on odd steps, which are eighths there, at least such a share of the notes.
_MAX_FILLED, _MIN_ODD = 0.05, 0.2


def likely_grid(melody: Melody) -> Grid:
    """The grid on which a melody of new notes is written, of as many steps a bar as its own.

    It is that of the meter in which its notes are syncopated least. In 9/8, three steps of each
    bar are empty. Triplets are not told from 12/8.

    Args:
      melody: whose steps count, whatever its grid says of the meter.
    """
    steps_per_bar = melody.grid.steps_per_bar
    names = list(LEVELS[steps_per_bar])
    if len(names) == 1 or not melody.pitch.size:
        return GRIDS[names[0]]
    if steps_per_bar == _SLIP.steps_per_bar and _is_slip(melody):
        return _SLIP
    pitch = np.clip(melody.pitch, MIN_PITCH, MAX_PITCH)
    tokens = MelodyCodec().encode(dataclasses.replace(melody, pitch=pitch))
    return GRIDS[names[int(syncopations(tokens[None], steps_per_bar)[:, 0].argmin())]]


def _is_slip(melody: Melody) -> bool:
    """Whether a melody of twelve steps a bar is in 9/8."""
    bar, step = np.divmod(melody.start, _SLIP.steps_per_bar)
    filled = np.unique(bar[step >= _SLIP.played_steps]).size
    return filled <= _MAX_FILLED * melody.num_bars and bool((step % 2).mean() >= _MIN_ODD)
