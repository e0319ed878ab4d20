"""Writes bars with a bar prior: new melodies, continuations, what stands between given bars."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from musicvae_jax.inference.bar_prior import BarPrior, create_flow
from musicvae_jax.inference.batching import Batched
from musicvae_jax.models import noise
from musicvae_jax.models.bar_flow import PHASES, BarFlow, Layout
from musicvae_jax.system.devices import replicate

_NOISE, _BEGINNING = 0, 1  # purposes of random numbers


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How bars are drawn.

    Attributes:
      steps: of Euler's method, for each block.
      block: bars that are drawn together, after those before them; more of them at once cost
        less time.
      temperature: the scale of the noise that they begin with; below 1 they are more usual.

    The values are the best of those tried on validation data, see benchmarks/experiments.md.
    """

    steps: int = 12
    block: int = 4
    temperature: float = 0.91


@dataclasses.dataclass(frozen=True)
class Place:
    """Where bars stand in the songs that the prior knows, for a batch.

    Attributes:
      phase: [batch, bars] int32, see `BarFlow`.
      source: [batch] int32, see `BarFlow`.
      form: [batch, bars] int32, for each bar the number of the first one that is to be equal.
    """

    phase: np.ndarray
    source: np.ndarray
    form: np.ndarray


class Composer:
    """Draws codes of bars; its program is compiled when it first draws.

    Attributes:
      prior: from which it draws.
      layout: of the model's latents.
      sampling: how it draws.
    """

    def __init__(self, prior: BarPrior, layout: Layout, sampling: Sampling | None = None):
        self.prior = prior
        self.layout = layout
        self.sampling = sampling or Sampling()
        # CPUs have no matrix products of 16 bits that are fast.
        config = prior.config | {"dtype": "float32"}
        self._flow = create_flow(config, layout, len(prior.sources))
        self._integrate = Batched(self._integrated)
        self._params = replicate(prior.params, jax.local_devices())

    def _integrated(self, params: Any, rows: Any, shared: Any) -> jax.Array:
        return integrate(self._flow, params, *rows, steps=self.sampling.steps)

    def beginnings(self, keys: jax.Array, bars: int) -> Place:
        """Places for new melodies: those of windows of the training data, with their forms.

        Args:
          keys: [batch] keys.
          bars: of each melody; those that a window lacks repeat none.
        """
        outlines = self.prior.outlines
        draw = jax.vmap(lambda key: jax.random.randint(key, (), 0, len(outlines.form)))
        chosen = np.asarray(draw(noise.fold_in(keys, _BEGINNING)))
        phase = (outlines.phase[chosen, None].astype(np.int32) + np.arange(bars)) % PHASES
        form = np.tile(np.arange(bars, dtype=np.int32), (len(chosen), 1))
        own = min(bars, outlines.form.shape[1])
        form[:, :own] = outlines.form[chosen, :own]
        return Place(phase.astype(np.int32), outlines.source[chosen].astype(np.int32), form)

    def anywhere(self, batch: int, bars: int) -> Place:
        """Places of bars of which nothing is known."""
        source = np.full(batch, len(self.prior.sources), np.int32)
        form = np.tile(np.arange(bars, dtype=np.int32), (batch, 1))
        return Place(np.full((batch, bars), PHASES, np.int32), source, form)

    def write(
        self,
        codes: np.ndarray,
        is_known: np.ndarray,
        keys: jax.Array,
        place: Place,
        first_level: float = 0.0,
    ) -> np.ndarray:
        """Draws the bars that are not known, given those that are.

        Args:
          codes: [batch, bars, size], of any number of bars.
          is_known: [batch, bars] bool.
          keys: [batch] keys.
          place: of the bars.
          first_level: 0 draws them freely; towards 1, ever nearer to what `codes` says of
            them (Meng et al. 2022, arXiv 2108.01073).

        Returns:
          [batch, bars, size] float32; known bars are as they were.
        """
        _, bars, size = codes.shape
        drawn = np.asarray(noise.normal(noise.fold_in(keys, _NOISE), (bars, size)))
        drawn = np.take_along_axis(drawn, place.form[..., None], axis=1)
        start = (1 - first_level) * self.sampling.temperature * drawn
        start += first_level * self.prior.standard(codes)
        known = is_known[..., None]
        now = np.where(known, self.prior.standard(codes), start).astype(np.float32)
        level = np.where(is_known, 1.0, first_level).astype(np.float32)
        for window, block in _blocks(bars, self.layout.bars, self.sampling.block):
            bar = np.arange(bars)[window]
            # What is equal to a bar that is written already is written as well.
            of_root = np.take_along_axis(now, place.form[..., None], axis=1)
            is_written = (place.form < block.start) & (level < 1)
            is_written[:, block.stop :] = False
            now = np.where(is_written[..., None], of_root, now)
            level[is_written] = 1.0
            moves = (bar >= block.start) & (bar < block.stop) & (level[:, window] < 1)
            form = place.form[:, window] - window.start
            rows = (now[:, window], level[:, window], moves, place.phase[:, window], place.source)
            if moves.any():
                now[:, window] = self._integrate(self._params, (*rows, np.maximum(form, 0)))
            level[:, block] = 1.0
        return np.where(known, codes, self.prior.codes(now)).astype(np.float32)


def _blocks(bars: int, window: int, block: int) -> Iterator[tuple[slice, slice]]:
    """What is drawn one after another: the bars that are seen, and those that are drawn.

    A melody that fits in the window is seen as a whole. A longer one is drawn in quarters of
    the window, each of which sees half a window before it and a quarter after it.
    """
    block = min(block, window if bars <= window else max(window // 4, 1))
    for first in range(0, bars, block):
        start = int(np.clip(first - window // 2, 0, max(bars - window, 0)))
        yield slice(start, min(start + window, bars)), slice(first, min(first + block, bars))


def integrate(
    flow: BarFlow,
    params: Any,
    codes: jax.Array,
    level: jax.Array,
    moves: jax.Array,
    phase: jax.Array,
    source: jax.Array,
    form: jax.Array,
    *,
    steps: int,
) -> jax.Array:
    """Follows the flow until some bars are known, by Euler's method.

    Args:
      flow, params: the network.
      codes: [batch, bars, size] at their levels, in the flow's units.
      level: [batch, bars], the levels.
      moves: [batch, bars] bool, which bars are to become known; others stay as they are.
      phase, source: see `BarFlow`.
      form: [batch, bars] int32, see `Place`; bars that move together and are to be equal
        take their mean velocity.
      steps: how many.

    Returns:
      [batch, bars, size].
    """
    alike = (form[:, :, None] == form[:, None]) & moves[:, None]
    alike = alike / jnp.maximum(alike.sum(axis=-1, keepdims=True), 1)
    way = jnp.where(moves, 1 - level, 0.0)

    def step(codes: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        now = level + way * number / steps
        velocity = alike @ jnp.asarray(flow.apply({"params": params}, codes, now, phase, source))
        return codes + velocity * (way / steps)[..., None], None

    moved = jax.lax.scan(step, codes, jnp.arange(steps))[0]
    return jnp.where(moves[..., None], moved, codes)
