"""Drums that the collection does not hold, made from those that it holds.

As in `augmentation`, each function works on a whole batch at once, and takes:

  tokens, others: [batch, steps] uint16, windows of `DrumCodec`, of whole bars.
  uniform: [batch, steps] float64 in [0, 1), random numbers. A choice for a whole window is
    made by the first numbers of its row, a choice for a step by the number at that step.
  per_bar: steps of a bar.

It returns [batch, steps] uint16. The shares below are guesses and have not been tuned.
"""

from collections.abc import Callable

import numpy as np

from musicvae_jax.music.drum_kit import (
    CLOSED_HAT,
    CRASH,
    HIGH_TOM,
    KICK,
    LOW_TOM,
    MIDDLE_TOM,
    OPEN_HAT,
    PIECES,
    RIDE,
    SNARE,
)
from musicvae_jax.music.drums import STEPS_PER_BAR

# What one hand or foot plays, more or less.
_LIMBS = ((KICK,), (SNARE,), (CLOSED_HAT, OPEN_HAT, CRASH, RIDE), (LOW_TOM, MIDDLE_TOM, HIGH_TOM))
_THINNED = 0.1
_LOOPS = (1, 2, 4)  # bars


def _mask(*pieces: int) -> int:
    """The token of pieces that are struck together."""
    return sum(1 << piece for piece in pieces)


def follow(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """From a random bar line on, the other window."""
    bars = tokens.shape[1] // per_bar
    first = per_bar * (1 + (uniform[:, :1] * (bars - 1)).astype(np.int64))
    return np.where(np.arange(tokens.shape[1]) < first, tokens, others)


def exchange(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """Kick, snare, cymbals and toms: each is, with odds of one in two, that of the other window."""
    taken = np.zeros((len(tokens), 1), tokens.dtype)
    for number, limb in enumerate(_LIMBS):
        is_taken = uniform[:, number : number + 1] < 0.5
        taken |= np.where(is_taken, _mask(*limb), 0).astype(tokens.dtype)
    return (tokens & ~taken) | (others & taken)


def swap_cymbals(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """What the closed hi-hat plays is played on the ride, and the other way round."""
    hat, ride = tokens >> CLOSED_HAT & 1, tokens >> RIDE & 1
    rest = tokens & ~np.array(_mask(CLOSED_HAT, RIDE), tokens.dtype)
    return (rest | hat << RIDE | ride << CLOSED_HAT).astype(tokens.dtype)


def thin(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """At about one step in ten one of the pieces is left out, the first in the order of bits."""
    lowest = tokens & (~tokens + 1)
    return np.where(uniform < _THINNED, tokens - lowest, tokens).astype(tokens.dtype)


def mute(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """One of the pieces is not struck at all, unless no other one is."""
    piece = (uniform[:, :1] * len(PIECES)).astype(np.int64)
    muted = tokens & ~(1 << piece)
    return np.where(muted.any(axis=1, keepdims=True), muted, tokens).astype(tokens.dtype)


def rotate(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """The window begins with another of its bars; those before it come last."""
    steps = tokens.shape[1]
    first = per_bar * (uniform[:, :1] * (steps // per_bar)).astype(np.int64)
    return np.take_along_axis(tokens, (np.arange(steps) + first) % steps, axis=1)


def loop(
    tokens: np.ndarray, others: np.ndarray, uniform: np.ndarray, per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """One, two or four bars, played round and round, as machines do."""
    bars = tokens.shape[1] // per_bar
    length = np.array([n for n in _LOOPS if n <= bars])
    length = length[(uniform[:, :1] * len(length)).astype(np.int64)]
    first = (uniform[:, 1:2] * (bars - length + 1)).astype(np.int64)
    step = first * per_bar + np.arange(tokens.shape[1]) % (length * per_bar)
    return np.take_along_axis(tokens, step, axis=1)


# By name, in the order in which a window gets those that were drawn for it.
DRUM_AUGMENTATIONS: dict[str, Callable[..., np.ndarray]] = {
    "follow": follow,
    "exchange": exchange,
    "swap_cymbals": swap_cymbals,
    "thin": thin,
    "mute": mute,
    "rotate": rotate,
    "loop": loop,
}
