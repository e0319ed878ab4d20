"""Attributes of drum patterns that can be counted."""

from collections.abc import Callable

import numpy as np

from musicvae_jax.music.drum_codec import token_hits
from musicvae_jax.music.drum_kit import HIGH_TOM, LOW_TOM, MIDDLE_TOM
from musicvae_jax.music.drums import STEPS_PER_BAR, STEPS_PER_QUARTER

_TOMS = [LOW_TOM, MIDDLE_TOM, HIGH_TOM]


def density(hits: np.ndarray) -> np.ndarray:
    """Hits a bar."""
    return hits.sum(axis=(1, 2)) / (hits.shape[1] / STEPS_PER_BAR)


def off_beat(hits: np.ndarray) -> np.ndarray:
    """The share of the hits that are not on a quarter note."""
    is_off = np.arange(hits.shape[1]) % STEPS_PER_QUARTER != 0
    return hits[:, is_off].sum(axis=(1, 2)) / np.maximum(hits.sum(axis=(1, 2)), 1)


def toms(hits: np.ndarray) -> np.ndarray:
    """The share of the hits that are on toms, which is what fills are made of."""
    return hits[..., _TOMS].sum(axis=(1, 2)) / np.maximum(hits.sum(axis=(1, 2)), 1)


def pieces(hits: np.ndarray) -> np.ndarray:
    """How many pieces of the kit are struck."""
    return hits.any(axis=1).sum(axis=1).astype(np.float64)


DRUM_ATTRIBUTES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "density": density,
    "off_beat": off_beat,
    "toms": toms,
    "pieces": pieces,
}


def measure(tokens: np.ndarray) -> np.ndarray:
    """All attributes of patterns.

    Args:
      tokens: [batch, steps] int, of `DrumCodec`.

    Returns:
      [batch, attributes] float64, in the order of `DRUM_ATTRIBUTES`.
    """
    hits = token_hits(tokens)
    return np.stack([attribute(hits) for attribute in DRUM_ATTRIBUTES.values()], axis=1)
