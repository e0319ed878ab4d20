"""Trains the head that plays drums as a drummer would."""

import dataclasses
import functools
import logging
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from musicvae_jax.datasets.grooves import Grooves
from musicvae_jax.inference.humaniser import Humaniser
from musicvae_jax.models import groove_head, noise
from musicvae_jax.models.groove_head import LOUDEST, GrooveHead

logger = logging.getLogger(__name__)

_STEPS_PER_CALL = 25
_CLIP_NORM = 1.0


@dataclasses.dataclass(frozen=True)
class GrooveRecipe:
    """How it is trained.

    Attributes:
      features, layers, dropout: of `GrooveHead`.
      batch_size, num_steps, learning_rate: of Adam, whose rate falls to 0 along a cosine.
      eval_every: steps between evaluations; the parameters that are kept are the best ones.
      seed: of all randomness.
    """

    features: int = 128
    layers: int = 2
    dropout: float = 0.2
    batch_size: int = 128
    num_steps: int = 3_000
    learning_rate: float = 2e-3
    eval_every: int = 250
    seed: int = 0

    @property
    def head(self) -> dict[str, Any]:
        """The fields of `GrooveHead`."""
        return {"features": self.features, "layers": self.layers, "dropout": self.dropout}


def train(grooves: dict[str, Grooves], recipe: GrooveRecipe | None = None) -> Humaniser:
    """Trains on windows of performances, and keeps what is best on the validation split.

    Args:
      grooves: from `datasets.grooves`, at least `train` and `validation`.
      recipe: how.
    """
    recipe = recipe or GrooveRecipe()
    head = GrooveHead(**recipe.head)
    rows = {name: _rows(grooves[name]) for name in ("train", "validation")}
    schedule = optax.cosine_decay_schedule(recipe.learning_rate, recipe.num_steps)
    optimizer = optax.chain(optax.clip_by_global_norm(_CLIP_NORM), optax.adam(schedule))
    key = jax.random.key(recipe.seed)
    first = jax.tree.map(lambda x: x[:1], rows["train"])
    params = jax.jit(head.init)(key, first[0], first[2])["params"]
    run = jax.jit(functools.partial(_steps, head=head, optimizer=optimizer, recipe=recipe))
    state = (params, optimizer.init(params), jnp.zeros((), jnp.int32))
    best: tuple[float, Any, int] = (np.inf, params, 0)
    for done in range(_STEPS_PER_CALL, recipe.num_steps + 1, _STEPS_PER_CALL):
        state, value = run(state, rows["train"])
        if done % recipe.eval_every and done < recipe.num_steps:
            continue
        nats = _evaluate(head, state[0], rows["validation"])
        logger.info("step %d: %.4f nats a hit, validation %.4f", done, float(value), nats)
        if nats < best[0]:
            best = (nats, jax.device_get(state[0]), done)
    facts = {
        "recipe": dataclasses.asdict(recipe),
        "windows": {name: len(part) for name, part in grooves.items()},
        "validation_nats_per_hit": round(best[0], 4),
        "step": best[2],
    }
    return Humaniser(recipe.head, best[1], facts)


_Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def _rows(grooves: Grooves) -> _Rows:
    """Hits, what is to be predicted, and tempos."""
    target = np.stack([grooves.velocity / np.float32(LOUDEST), grooves.offset], axis=-1)
    return grooves.hits.astype(np.float32), target.astype(np.float32), grooves.tempo_bpm


def _steps(
    state: Any,
    rows: _Rows,
    *,
    head: GrooveHead,
    optimizer: optax.GradientTransformation,
    recipe: GrooveRecipe,
) -> tuple[Any, jax.Array]:
    def mean_loss(params, hits, target, tempo, keys):
        middle, scale = head.apply({"params": params}, hits, tempo, keys)
        return groove_head.loss(middle, scale, target, hits)

    def step(carry, _):
        params, optimizer_state, number = carry
        key = jax.random.fold_in(jax.random.key(recipe.seed), number)
        drawn = jax.random.randint(key, (recipe.batch_size,), 0, len(rows[0]))
        hits, target, tempo = (jnp.asarray(array)[drawn] for array in rows)
        keys = noise.example_keys(key, 0, recipe.batch_size)
        value, gradient = jax.value_and_grad(mean_loss)(params, hits, target, tempo, keys)
        updates, optimizer_state = optimizer.update(gradient, optimizer_state, params)
        return (optax.apply_updates(params, updates), optimizer_state, number + 1), value

    state, values = lax.scan(step, state, length=_STEPS_PER_CALL)
    return state, values.mean()


def _evaluate(head: GrooveHead, params: Any, rows: _Rows, batch: int = 512) -> float:
    """Nats a hit over all windows."""
    total = count = 0.0
    apply = jax.jit(head.apply)
    for start in range(0, len(rows[0]), batch):
        hits, target, tempo = (array[start : start + batch] for array in rows)
        nats = groove_head.loss(*apply({"params": params}, hits, tempo), target, hits)
        total, count = total + float(nats) * hits.sum(), count + hits.sum()
    return float(total / max(count, 1))
