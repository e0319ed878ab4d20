"""Plays drums as a drummer would: velocities and offsets for each hit of a pattern.

The file is kept beside a checkpoint of drums. `training/groove_loop` makes it.
"""

import dataclasses
import functools
import json
import pathlib
from typing import Any

import flax
import jax
import numpy as np

from musicvae_jax.models.groove_head import LOUDEST, OFFSET, VELOCITY, GrooveHead
from musicvae_jax.music.drum_codec import DrumCodec, token_hits
from musicvae_jax.music.drums import STEPS_PER_BAR, Drums
from musicvae_jax.music.drums import VELOCITY as USUAL_VELOCITY
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

FILE = "humaniser.npz"
MAX_STRENGTH = 2.0


@dataclasses.dataclass(frozen=True)
class Humaniser:
    """A trained `GrooveHead`.

    Attributes:
      config: the fields of `GrooveHead`.
      params: of it, a tree of float32 arrays.
      facts: what it was trained on and how well it did, for a report.
    """

    config: dict[str, Any]
    params: Any
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    def predict(self, drums: Drums) -> tuple[np.ndarray, np.ndarray]:
        """The middle and the scale of what a drummer would do with each hit.

        Returns:
          [hits, 2] each: velocities as shares of 127, and offsets in steps.
        """
        steps = drums.num_bars * STEPS_PER_BAR
        hits = np.zeros((1, steps, 9), np.float32)
        hits[0, : drums.num_steps] = token_hits(DrumCodec().encode(drums))
        tempo = np.array([drums.tempo_bpm], np.float32)
        middle, scale = _apply(GrooveHead(**self.config), self.params, hits, tempo)
        return tuple(np.asarray(x)[0, drums.step, drums.piece] for x in (middle, scale))

    def humanise(
        self,
        drums: Drums,
        *,
        strength: float = 1.0,
        temperature: float = 0.0,
        seed: int = 0,
        only_plain: bool = False,
    ) -> Drums:
        """The same hits, struck as a drummer would.

        Args:
          drums: of any length.
          strength: 0 leaves velocities and offsets as they are, 1 gives those that are
            predicted, and up to 2 exaggerates.
          temperature: 0 takes the middle of each distribution, 1 draws from it.
          seed: of the draws.
          only_plain: whether hits that somebody played stay as they are: all but those that
            are on the grid at the usual velocity.

        Raises:
          UserError: the strength or the temperature is out of its range.
        """
        if not 0 <= strength <= MAX_STRENGTH:
            raise UserError(f"strength={strength:g}: must lie in 0..{MAX_STRENGTH:g}", "strength")
        if not temperature >= 0:
            raise UserError(f"temperature={temperature:g}: must be at least 0", "temperature")
        if not drums.piece.size:
            return drums
        middle, scale = self.predict(drums)
        drawn = np.random.default_rng(seed).laplace(size=scale.shape)
        wanted = middle + temperature * scale * drawn
        is_plain = (drums.velocity == USUAL_VELOCITY) & (drums.offset == 0)
        share = strength * (is_plain if only_plain else np.ones(len(is_plain)))
        velocity = drums.velocity + share * (wanted[:, VELOCITY] * LOUDEST - drums.velocity)
        offset = drums.offset + share * (wanted[:, OFFSET] - drums.offset)
        return dataclasses.replace(
            drums,
            velocity=np.clip(np.rint(velocity), 1, 127).astype(np.int32),
            offset=np.clip(offset, -0.5, 0.5).astype(np.float32),
        )


@functools.partial(jax.jit, static_argnums=0)
def _apply(head: GrooveHead, params: Any, hits: jax.Array, tempo_bpm: jax.Array) -> Any:
    """One program for all patterns of a length, however often they are humanised."""
    return head.apply({"params": params}, hits, tempo_bpm)


def save(directory: pathlib.Path, humaniser: Humaniser) -> None:
    """Writes it beside a checkpoint, with parameters of 16 bits."""
    flat = flax.traverse_util.flatten_dict(humaniser.params, sep="/")
    arrays: dict[str, Any] = {name: np.asarray(leaf, np.float16) for name, leaf in flat.items()}
    plain = json.dumps({"config": humaniser.config, "facts": humaniser.facts})
    files.write_npz(directory / FILE, arrays | {"plain": plain})


def load(directory: pathlib.Path) -> Humaniser:
    """The one beside a checkpoint.

    Raises:
      UserError: there is none, or it cannot be read.
    """
    path = directory / FILE
    if not path.is_file():
        raise UserError(
            f"humanise: there is no {FILE} in {directory}; checkpoint=drums has one, and "
            "mode=train_prior makes one",
            "checkpoint",
            "mode",
        )
    with files.reading_npz(path) as arrays:
        plain = json.loads(str(arrays.pop("plain")))
        flat = {name: leaf.astype(np.float32) for name, leaf in arrays.items()}
        params = flax.traverse_util.unflatten_dict(flat, sep="/")
        return Humaniser(plain["config"], params, plain["facts"])
