"""A map of the latent space: melodies in two dimensions, and what lies between them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.windows import Music

DRAWN = 10  # melodies from the prior, beside the examples
_SEED, _TEMPERATURE = 0, 0.7
# The weight of a landmark falls with this power of its distance (Shepard 1968, "A
# two-dimensional interpolation function for irregularly-spaced data"): at a landmark it
# is the landmark's melody, and half way between two alone it is half of each.
_POWER = 3.0


class Landmarks:
    """The shipped examples and some melodies of the model's own, and where they lie."""

    def __init__(self, model: MelodyModel, examples: Mapping[str, Music]):
        """Args: the model, and examples that it knows, by name."""
        self._model = model
        drawn = model.generate(DRAWN, seed=_SEED, temperature=_TEMPERATURE)
        drawn = [melody for melody in drawn if melody.notes()]
        self.melodies: dict[str, Any] = dict(examples)
        self.melodies |= {f"drawn {n}": melody for n, melody in enumerate(drawn, start=1)}
        self._z = model.latents(list(self.melodies.values()))
        flat = self._z.reshape(len(self._z), -1)
        self._centre = flat.mean(axis=0)
        # The two directions in which they differ most.
        self._axes = np.linalg.svd(flat - self._centre, full_matrices=False)[2][:2]

    def with_inputs(self, inputs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Latents [points, ...] of the landmarks and then the inputs, and where they lie.

        Returns:
          The latents, and [points, 2] in 0..1, with a margin.
        """
        z = self._z
        if inputs:
            z = np.concatenate([z, self._model.latents(inputs)])
        flat = (z.reshape(len(z), -1) - self._centre) @ self._axes.T
        low, high = flat.min(axis=0), flat.max(axis=0)
        return z, 0.08 + 0.84 * (flat - low) / np.maximum(high - low, 1e-9)

    def at(self, x: float, y: float, inputs: Sequence[Any]) -> tuple[Any, np.ndarray]:
        """The melody at a place, and the weights [points] of what it is mixed from."""
        z, places = self.with_inputs(inputs)
        distance = np.linalg.norm(places - (x, y), axis=1)
        weights = np.maximum(distance, 1e-6) ** -_POWER
        weights /= weights.sum()
        mixed = np.tensordot(weights, z, axes=1)[None].astype(np.float32)
        return self._model.decode(mixed, seed=_SEED)[0], weights
