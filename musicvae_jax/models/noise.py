"""Random numbers that belong to examples, not to devices.

Every draw is made from its example's own key, so a batch gives the same numbers
on one device as on eight, and one pair of melodies the same as among a thousand.
"""

import functools

import jax
import jax.numpy as jnp


def as_key(seed: int | jax.Array) -> jax.Array:
    """The key of a seed: an integer, or a key of `jax.random.key` or `jax.random.PRNGKey`.

    Raises:
      ValueError: an array that is not a single key.
    """
    if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        key = seed
    elif isinstance(seed, jax.Array) and seed.ndim:
        key = jax.random.wrap_key_data(seed)
    else:
        key = jax.random.key(seed)
    if key.ndim:
        raise ValueError(
            f"a seed must be an integer or a single key, got keys of shape {key.shape}"
        )
    return key


def example_keys(key: jax.Array, first: int | jax.Array, batch: int) -> jax.Array:
    """Keys of `batch` examples, of which the first is number `first` of the whole batch.

    Returns:
      [batch] keys.
    """
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, first + jnp.arange(batch))


def fold_in(keys: jax.Array, data: int | jax.Array) -> jax.Array:
    """Derives keys: [batch] for one purpose or step, the same for every example."""
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(keys, data)


def normal(keys: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Standard normal numbers: [batch, *shape]."""
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


def bernoulli(keys: jax.Array, probability: jax.Array | float, shape: tuple[int, ...]) -> jax.Array:
    """Coins: [batch, *shape] bool."""
    return jax.vmap(lambda key: jax.random.bernoulli(key, probability, shape))(keys)


def gumbel(keys: jax.Array, size: int) -> jax.Array:
    """Standard Gumbel numbers: [batch, size]."""
    return jax.vmap(lambda key: jax.random.gumbel(key, (size,)))(keys)


def scaled_gumbel(
    keys: jax.Array, steps: int, size: int, temperature: jax.Array | float
) -> jax.Array:
    """Temperature times standard Gumbel numbers, of all steps at once.

    argmax(logits + this) is a sample at that temperature, and for 0 the argmax itself,
    for which nothing is drawn.

    Args:
      keys: [batch] keys.
      steps, size: numbers of each example.
      temperature: a scalar.

    Returns:
      [steps, batch, size] float32.
    """

    def draw():
        by_step = jax.vmap(lambda step: gumbel(fold_in(keys, step), size))(jnp.arange(steps))
        return temperature * by_step

    zeros = functools.partial(jnp.zeros, (steps, keys.shape[0], size), jnp.float32)
    if isinstance(temperature, float) and temperature == 0:
        return zeros()
    return jax.lax.cond(jnp.asarray(temperature) > 0, draw, zeros)


def dropout(inputs: jax.Array, rate: float, keys: jax.Array | None, purpose: int) -> jax.Array:
    """Drops features of an example at all of its steps alike.

    One mask for the whole sequence, as Gal & Ghahramani 2016 (arXiv 1512.05287)
    derive for recurrent networks.

    Args:
      inputs: [..., batch, features].
      rate: the share that is dropped.
      keys: [batch] keys, or None to drop nothing.
      purpose: tells one use of dropout from another.
    """
    if keys is None or rate == 0:
        return inputs
    keep = bernoulli(fold_in(keys, purpose), 1 - rate, inputs.shape[-1:])
    return jnp.where(keep, inputs / (1 - rate), 0).astype(inputs.dtype)
