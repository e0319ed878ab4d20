"""Attributes of a melody that can be counted: density, range, syncopation and others."""

from collections.abc import Callable

import numpy as np

from musicvae_jax.music.keys import scale_mask
from musicvae_jax.music.melody import MIN_PITCH, STEPS_PER_BAR
from musicvae_jax.music.tokens import FIRST_ONSET, previous_onset

_C_MAJOR = scale_mask(0, "major")


def _onsets(tokens: np.ndarray) -> np.ndarray:
    return tokens >= FIRST_ONSET


def _pitch(tokens: np.ndarray) -> np.ndarray:
    """MIDI notes where there are onsets."""
    return tokens.astype(np.int32) - FIRST_ONSET + MIN_PITCH


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The mean of each row's values [batch, steps] where there are some, else 0."""
    return np.where(where, values, 0).sum(axis=1) / np.maximum(where.sum(axis=1), 1)


def density(tokens: np.ndarray) -> np.ndarray:
    """Notes a bar."""
    return _onsets(tokens).mean(axis=1) * STEPS_PER_BAR


def interval(tokens: np.ndarray) -> np.ndarray:
    """The mean distance from a note to the next, in semitones."""
    onset = _onsets(tokens)
    previous = previous_onset(onset)
    pitch = _pitch(tokens)
    jump = np.abs(pitch - np.take_along_axis(pitch, np.maximum(previous, 0), axis=1))
    return _mean(jump, onset & (previous >= 0))


def diatonic(tokens: np.ndarray) -> np.ndarray:
    """The share of notes that are in C major."""
    return _mean(_C_MAJOR[_pitch(tokens) % 12], _onsets(tokens))


def syncopation(tokens: np.ndarray) -> np.ndarray:
    """The share of notes during or after which a stronger step goes by without an onset.

    After Longuet-Higgins & Lee 1984, "The rhythmic interpretation of monophonic music":
    bar lines are strongest, then half bars, quarters, eighths and sixteenths, and a
    syncopation is a note followed by a rest or a held note on a stronger step.
    """
    steps = tokens.shape[1]
    onset = _onsets(tokens)
    place = np.where(onset, np.arange(steps), steps)
    following = np.minimum.accumulate(place[:, ::-1], axis=1)[:, ::-1]
    following = np.pad(following[:, 1:], ((0, 0), (0, 1)), constant_values=steps)
    step = np.arange(steps)
    position = step % STEPS_PER_BAR
    # The lowest bit of a position is how far off the next stronger step is.
    stronger = step + (position & -position)
    return _mean((position > 0) & (stronger < following), onset)


def pitch_range(tokens: np.ndarray) -> np.ndarray:
    """From the lowest note to the highest, in semitones."""
    onset, pitch = _onsets(tokens), _pitch(tokens)
    high = np.where(onset, pitch, 0).max(axis=1)
    low = np.where(onset, pitch, 127).min(axis=1)
    return np.where(onset.any(axis=1), high - low, 0).astype(np.float64)


ATTRIBUTES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "density": density,
    "interval": interval,
    "diatonic": diatonic,
    "syncopation": syncopation,
    "range": pitch_range,
}


def measure(tokens: np.ndarray) -> np.ndarray:
    """All attributes of melodies; without notes they are 0.

    Args:
      tokens: [batch, steps] int, of `MelodyCodec`.

    Returns:
      [batch, attributes] float64, in the order of `ATTRIBUTES`.
    """
    return np.stack([attribute(tokens) for attribute in ATTRIBUTES.values()], axis=1)
