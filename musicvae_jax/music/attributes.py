"""Attributes of a melody that can be counted: density, range, syncopation and others."""

from collections.abc import Callable

import numpy as np

from musicvae_jax.music.keys import scale_mask
from musicvae_jax.music.melody import MIN_PITCH, STEPS_PER_BAR
from musicvae_jax.music.tokens import FIRST_ONSET, previous_onset

_C_MAJOR = scale_mask(0, "major")
# How the steps of a bar are ordered, by what divides them, in each meter that it may have.
LEVELS: dict[int, dict[str, tuple[int, ...]]] = {
    16: {"4/4": (16, 8, 4, 2, 1)},
    12: {"3/4": (12, 4, 2, 1), "6/8": (12, 6, 2, 1), "12/8": (12, 6, 3, 1)},
}


def _onsets(tokens: np.ndarray) -> np.ndarray:
    return tokens >= FIRST_ONSET


def _pitch(tokens: np.ndarray) -> np.ndarray:
    """MIDI notes where there are onsets."""
    return tokens.astype(np.int32) - FIRST_ONSET + MIN_PITCH


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The mean of each row's values [batch, steps] where there are some, else 0."""
    return np.where(where, values, 0).sum(axis=1) / np.maximum(where.sum(axis=1), 1)


def density(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """Notes a bar."""
    return _onsets(tokens).mean(axis=1) * steps_per_bar


def interval(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """The mean distance from a note to the next, in semitones."""
    onset = _onsets(tokens)
    previous = previous_onset(onset)
    pitch = _pitch(tokens)
    jump = np.abs(pitch - np.take_along_axis(pitch, np.maximum(previous, 0), axis=1))
    return _mean(jump, onset & (previous >= 0))


def diatonic(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """The share of notes that are in C major."""
    return _mean(_C_MAJOR[_pitch(tokens) % 12], _onsets(tokens))


def syncopation(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """The share of notes during or after which a stronger step goes by without an onset.

    After Longuet-Higgins & Lee 1984, "The rhythmic interpretation of monophonic music":
    bar lines are strongest, then half bars, quarters, eighths and sixteenths, and a
    syncopation is a note followed by a rest or a held note on a stronger step. Of the meters
    that a bar may have, the one counts in which the melody has the fewest.
    """
    return syncopations(tokens, steps_per_bar).min(axis=0)


def syncopations(tokens: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """`syncopation` in each meter of `LEVELS`: [meters, batch]."""
    steps = tokens.shape[1]
    onset = _onsets(tokens)
    place = np.where(onset, np.arange(steps), steps)
    following = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]
    following = np.pad(following[:, 1:], ((0, 0), (0, 1)), constant_values=steps)
    step = np.arange(steps)
    position = step % steps_per_bar
    counted = []
    for levels in LEVELS[steps_per_bar].values():
        stronger = step + _to_stronger(levels)[position]
        counted.append(_mean((position > 0) & (stronger < following), onset))
    return np.stack(counted)


def _to_stronger(levels: tuple[int, ...]) -> np.ndarray:
    """How far off the next stronger step is, from each step of a bar: [steps_per_bar]."""
    bar = levels[0]
    strength = [max(level for level in levels if step % level == 0) for step in range(bar + 1)]
    return np.array(
        [
            next((n for n in range(1, bar) if strength[min(step + n, bar)] > strength[step]), bar)
            for step in range(bar)
        ]
    )


def pitch_range(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """From the lowest note to the highest, in semitones."""
    onset, pitch = _onsets(tokens), _pitch(tokens)
    high = np.where(onset, pitch, 0).max(axis=1)
    low = np.where(onset, pitch, 127).min(axis=1)
    return np.where(onset.any(axis=1), high - low, 0).astype(np.float64)


ATTRIBUTES: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "density": density,
    "interval": interval,
    "diatonic": diatonic,
    "syncopation": syncopation,
    "range": pitch_range,
}


def measure(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """All attributes of melodies; without notes they are 0.

    Args:
      tokens: [batch, steps] int, of `MelodyCodec`.
      steps_per_bar: of the melodies.

    Returns:
      [batch, attributes] float64, in the order of `ATTRIBUTES`.
    """
    return np.stack([of(tokens, steps_per_bar) for of in ATTRIBUTES.values()], axis=1)
