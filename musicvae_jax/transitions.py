"""Transitions from one melody to another: pure functions on batches of pairs.

The three strategies are those of the seed project. Over the bars, t goes from 0
(melody 1) to 1 (melody 2), both reached exactly.
"""

from collections.abc import Callable

import flax
import jax
import jax.numpy as jnp

from musicvae_jax.melody import STEPS_PER_BAR
from musicvae_jax.models import noise
from musicvae_jax.models.vae import MusicVAE, previous_tokens

_CONTROL, _DECODE = 0, 1  # purposes of random numbers


@flax.struct.dataclass
class Pair:
    """Pairs of melodies and their paths.

    Attributes:
      tokens_1, tokens_2: [batch, steps] int32.
      path_1, path_2: [batch, bars, z], the posterior means.
    """

    tokens_1: jax.Array
    tokens_2: jax.Array
    path_1: jax.Array
    path_2: jax.Array


def linear_curve(bars: int) -> jax.Array:
    """t of each bar, [bars]: 0 in the first, 1 in the last."""
    return jnp.linspace(0.0, 1.0, bars)


def latent_path(pair: Pair, t: jax.Array) -> jax.Array:
    """The straight line between two paths: [batch, bars, z] for t: [bars]."""
    weight = t[:, None]
    return (1 - weight) * pair.path_1 + weight * pair.path_2


def control_tokens(pair: Pair, t: jax.Array, keys: jax.Array) -> jax.Array:
    """A Bernoulli mix of two melodies, bar by bar.

    Each bar is melody 2's with probability t[bar], otherwise melody 1's.

    Args:
      pair: the melodies.
      t: [bars].
      keys: [batch] keys.

    Returns:
      [batch, steps] int32.
    """
    takes_second = noise.bernoulli(keys, t, t.shape)
    by_step = jnp.repeat(takes_second, STEPS_PER_BAR, axis=1)
    return jnp.where(by_step, pair.tokens_2, pair.tokens_1)


def _follow(
    model: MusicVAE,
    params: dict,
    path: jax.Array,
    control: jax.Array,
    keys: jax.Array,
    temperature: jax.Array,
) -> jax.Array:
    """Decodes along a path with the control melody as the previous notes."""
    logits = model.apply(
        {"params": params}, path, previous_tokens(control, model.vocab), method="teacher_forced"
    )
    keys = noise.fold_in(keys, _DECODE)
    gumbel = jax.vmap(lambda key: jax.random.gumbel(key, logits.shape[1:]))(keys)
    return jnp.argmax(logits + temperature * gumbel, axis=-1).astype(jnp.int32)


def latent(model, params, pair, t, keys, temperature) -> jax.Array:
    """Decodes freely along a path that moves from melody 1's latent to melody 2's."""
    keys = noise.fold_in(keys, _DECODE)
    path = latent_path(pair, t)
    tokens, _ = model.apply({"params": params}, path, keys, temperature, method="sample")
    return tokens


def teacher_forcing(model, params, pair, t, keys, temperature) -> jax.Array:
    """Keeps melody 1's latent, and feeds the decoder a mix of both melodies' notes."""
    control = control_tokens(pair, t, noise.fold_in(keys, _CONTROL))
    return _follow(model, params, pair.path_1, control, keys, temperature)


def combined(model, params, pair, t, keys, temperature) -> jax.Array:
    """Both: the latent moves, and the decoder is fed a mix of both melodies' notes."""
    control = control_tokens(pair, t, noise.fold_in(keys, _CONTROL))
    return _follow(model, params, latent_path(pair, t), control, keys, temperature)


# Each takes (model, params, pair, t: [bars], keys: [batch], temperature) and gives
# tokens: [batch, steps] int32.
STRATEGIES: dict[str, Callable[..., jax.Array]] = {
    "latent": latent,
    "teacher_forcing": teacher_forcing,
    "combined": combined,
}


def bar_similarity(tokens: jax.Array, reference: jax.Array) -> jax.Array:
    """The share of equal tokens in each bar: [batch, bars], for [batch, steps] each."""
    equal = (tokens == reference).astype(jnp.float32)
    return equal.reshape(equal.shape[0], -1, STEPS_PER_BAR).mean(axis=-1)
