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

# Whatever training used: CPUs have no matrix products of 16 bits that are fast.
DTYPE = "float32"
_NOISE, _BEGINNING = 0, 1  # purposes of random numbers


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How bars are drawn.

    Attributes:
      steps: of the midpoint method.
      temperature: the scale of the noise that they begin with; below 1 they are more usual.

    The values are the best of those tried on validation data, see benchmarks/experiments.md.
    """

    steps: int = 8
    temperature: float = 0.87


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
        config = prior.config | {"dtype": DTYPE}
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
        for window, kept in _windows(bars, self.layout.bars):
            # What is equal to a bar that is written already is written as well.
            is_written = (place.form < kept.start) & (level < 1)
            of_root = np.take_along_axis(now, place.form[..., None], axis=1)
            now = np.where(is_written[..., None], of_root, now)
            level[is_written] = 1.0
            bar = np.arange(bars)[window]
            moves = (bar >= kept.start) & (level[:, window] < 1)
            if moves.any():
                form = np.maximum(place.form[:, window] - window.start, 0)
                rows = (now[:, window], level[:, window], moves, place.phase[:, window])
                drawn = self._integrate(self._params, (*rows, place.source, form))
                now[:, kept] = drawn[:, kept.start - window.start : kept.stop - window.start]
            level[:, kept] = 1.0
        return np.where(known, codes, self.prior.codes(now)).astype(np.float32)


def _windows(bars: int, window: int) -> Iterator[tuple[slice, slice]]:
    """What is drawn one after another: the bars that are seen, and those of them to be kept.

    All unknown bars of a window are drawn together. A melody that is longer than a window takes
    several, by quarters: each sees half a window before what is kept of it, and the bars in
    its last quarter, which are only a guess, are drawn again once more can be seen.
    """
    quarter = max(window // 4, 1)
    first = 0
    while first < bars:
        start = int(np.clip(first - window // 2, 0, max(bars - window, 0)))
        is_last = start + window >= bars
        stop = bars if is_last else max(start + window - quarter, first + 1)
        yield slice(start, min(start + window, bars)), slice(first, stop)
        first = stop


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
    """Follows the flow until some bars are known, by the midpoint method.

    With as many evaluations of the network, Euler's method loses a fifth of the codes'
    variance, and leaps become steps (benchmarks/experiments.md).

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

    def velocity(codes: jax.Array, done: jax.Array) -> jax.Array:
        """How far the codes go in all, as it looks after a share of the way."""
        now = level + way * done
        found = flow.apply({"params": params}, codes, now, phase, source)
        return alike @ jnp.asarray(found) * way[..., None]

    def step(codes: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        middle = codes + velocity(codes, number / steps) / (2 * steps)
        return codes + velocity(middle, (number + 0.5) / steps) / steps, None

    moved = jax.lax.scan(step, codes, jnp.arange(steps))[0]
    return jnp.where(moves[..., None], moved, codes)
