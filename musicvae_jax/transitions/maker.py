"""Bridges between melodies: every strategy, many pairs and candidates at once, ranked."""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from musicvae_jax.inference.batching import MAX_BATCH
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import noise
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.system.devices import AXIS, replicate
from musicvae_jax.transitions import curves, strategies
from musicvae_jax.transitions import scores as transitions_scores


@dataclasses.dataclass(frozen=True)
class Plan:
    """What kind of bridge is wanted.

    Attributes:
      bars: its length.
      is_spliced: whether it will stand between its melodies; see `windows.bridge_ends`
        and `curves.positions`.
      curve, control_curve: see `curves.sample`.
      settings: the rest.
    """

    bars: int
    is_spliced: bool = False
    curve: str | tuple[float, ...] = "linear"
    control_curve: str | tuple[float, ...] = "linear"
    settings: strategies.Settings = dataclasses.field(default_factory=strategies.Settings)

    def t(self, name: str) -> np.ndarray:
        """The curve `t_latent` or `t_control`: [bars] float32."""
        curve = self.curve if name == "t_latent" else self.control_curve
        return curves.sample(curve, self.bars, self.is_spliced)

    def t_of(self, strategy: str) -> np.ndarray:
        """The mean of the curves that a strategy follows: [bars] float32."""
        followed = strategies.STRATEGIES[strategy].curves
        return np.mean([self.t(name) for name in followed], axis=0, dtype=np.float32)


@dataclasses.dataclass(frozen=True)
class Bridge:
    """One transition.

    Attributes:
      melody: with melody 1's tempo and program.
      number: which of the candidates it is; their random numbers depend on it.
      by_bar: [bars] each, `t_latent`, `t_control` as far as the strategy follows them,
        and from `metrics.measure`.
      scores: the other metrics, of the whole.
    """

    melody: Melody
    number: int
    by_bar: dict[str, np.ndarray]
    scores: dict[str, float]

    def report(self) -> dict:
        """All but the melody, for JSON."""
        rounded = {
            name: np.round(value.astype(np.float64), 4).tolist()
            for name, value in self.by_bar.items()
        }
        scores = {name: round(value, 4) for name, value in self.scores.items()}
        return {"candidate": self.number, **scores, **rounded}


class BridgeMaker:
    """Makes bridges with a model, on all local devices."""

    def __init__(self, model: MelodyModel):
        self._melodies = model
        self._codec = model.checkpoint.config.model.codec
        self._params = replicate(model.params)
        pmap = functools.partial(jax.pmap, axis_name=AXIS)
        self._make = pmap(
            self._make_on_device,
            in_axes=(0, 0, 0, None, None, 0, None),
            static_broadcasted_argnums=(7, 8),
        )
        self._measure = pmap(self._measure_on_device, in_axes=(0, 0, 0, 0, None))

    def _make_on_device(
        self, params, tokens_1, tokens_2, t_latent, t_control, keys, temperature, strategy, settings
    ):
        tokens, bridge = strategies.transition(
            *(self._melodies.model, params, self._codec, strategy, tokens_1, tokens_2),
            *(t_latent, t_control, keys, temperature, settings),
        )
        return tokens, bridge.notes_1, bridge.notes_2

    def _measure_on_device(self, params, tokens, notes_1, notes_2, t):
        return transitions_scores.measure(
            self._melodies.model, params, self._codec, tokens, notes_1, notes_2, t
        )

    def __call__(
        self,
        pairs: Sequence[tuple[Melody, Melody]],
        strategy: str,
        plan: Plan,
        num: int = 1,
        seed: int = 0,
        temperature: float = 0.0,
        pair_numbers: Sequence[int] | None = None,
    ) -> list[list[Bridge]]:
        """Makes `num` bridges for each pair, all at once.

        Args:
          pairs: melodies of any length of at least a bar.
          strategy: a name in `transitions.STRATEGIES`.
          plan: what is wanted.
          num: how many candidates for each pair. More of them leave the first as they are.
          seed: of all randomness. A pair's depends on it and on the pair's number.
          temperature: of decoding.
          pair_numbers: for each pair; by default they are counted from 0.

        Returns:
          For each pair its different candidates, the best score first.
        """
        ends = [bridge_ends(*pair, plan.bars, plan.is_spliced) for pair in pairs]
        sides = [
            np.repeat(self._melodies.tokens(side), num, axis=0) for side in zip(*ends, strict=True)
        ]
        numbers = np.arange(len(pairs)) if pair_numbers is None else np.asarray(pair_numbers)
        keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(jax.random.key(seed), numbers)
        keys = jax.vmap(lambda key: noise.example_keys(key, 0, num))(keys).reshape(-1)
        parts = [
            self._part(strategy, plan, temperature, *rows)
            for rows in _parts([*sides, np.asarray(jax.random.key_data(keys))])
        ]
        tokens, measured = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
        bridges = []
        for index, (first, _) in enumerate(pairs):
            rows = range(index * num, (index + 1) * num)
            candidates = [
                self._bridge(row, tokens, measured, first, strategy, plan, index * num)
                for row in rows
            ]
            bridges.append(_ranked(candidates))
        return bridges

    def _part(self, strategy, plan, temperature, tokens_1, tokens_2, keys):
        """Rows [batch, ...] of at most `MAX_BATCH`: tokens and metrics."""
        batch, devices = len(tokens_1), jax.local_device_count()
        t = [jnp.asarray(plan.t(name)) for name in ("t_latent", "t_control")]
        padding = -batch % devices

        def shard(rows):
            rows = np.concatenate([rows, np.repeat(rows[-1:], padding, axis=0)])
            return rows.reshape(devices, -1, *rows.shape[1:])

        keys = jax.random.wrap_key_data(jnp.asarray(shard(keys)))
        tokens, *melodies = self._make(
            *(self._params, shard(tokens_1), shard(tokens_2), *t, keys),
            *(jnp.float32(temperature), strategy, plan.settings),
        )
        t = jnp.asarray(plan.t_of(strategy))
        measured = self._measure(self._params, tokens, *melodies, t)
        return jax.tree.map(
            lambda leaf: np.asarray(leaf).reshape(-1, *leaf.shape[2:])[:batch], (tokens, measured)
        )

    def _bridge(self, row, tokens, measured, like, strategy, plan, first_row) -> Bridge:
        values = {name: value[row] for name, value in measured.items()}
        by_bar = {name: plan.t(name) for name in strategies.STRATEGIES[strategy].curves}
        by_bar |= {name: value for name, value in values.items() if value.ndim}
        scores = {name: float(value) for name, value in values.items() if not value.ndim}
        melody = self._melodies.melody(tokens[row], like=like)
        return Bridge(melody, row - first_row, by_bar, scores)


def _parts(arrays: Sequence[np.ndarray]):
    """Cuts arrays into equal parts of at most `MAX_BATCH` rows; the last may be shorter."""
    for first in range(0, len(arrays[0]), MAX_BATCH):
        yield [array[first : first + MAX_BATCH] for array in arrays]


def _ranked(candidates: Sequence[Bridge]) -> list[Bridge]:
    """The different ones, the best first."""
    different = {tuple(c.melody.notes()): c for c in reversed(candidates)}
    return sorted(different.values(), key=lambda c: (-c.scores["score"], c.number))
