"""Schedules: pure functions from a step to a scalar."""

import jax
import jax.numpy as jnp
import ml_collections
import optax


def learning_rate(config: ml_collections.ConfigDict) -> optax.Schedule:
    """A linear rise from 0, and exponential decay towards a floor (`config.train`).

    rate(step) = ((first - final) * decay ** step + final) * min((step + 1) / warmup, 1)
    """
    first, final = config.learning_rate, config.final_learning_rate
    decay, warmup = config.learning_rate_decay, config.learning_rate_warmup

    def rate(step: jax.Array) -> jax.Array:
        decayed = first if decay == 1 else (first - final) * decay**step + final
        risen = jnp.minimum((step + 1) / warmup, 1.0) if warmup else 1.0
        return jnp.asarray(decayed * risen, jnp.float32)

    return rate


def beta(config: ml_collections.ConfigDict, step: jax.Array) -> jax.Array:
    """The weight of the KL term: zero, then a straight line up to `beta`, then level."""
    length = config.beta_end_step - config.beta_start_step
    if length <= 0:
        return jnp.where(step >= config.beta_start_step, config.beta, 0.0)
    return config.beta * jnp.clip((step - config.beta_start_step) / length, 0.0, 1.0)


def sampling_probability(config: ml_collections.ConfigDict, step: jax.Array) -> jax.Array | None:
    """The probability that a previous token is replaced by a sample; None means never.

    'inverse_sigmoid' is Bengio et al. 2015 (arXiv 1506.03099, section 2.4).
    """
    if config.sampling == "none":
        return None
    if config.sampling == "constant":
        return jnp.asarray(config.sampling_rate, jnp.float32)
    k = config.sampling_rate
    # 1 - k / (k + exp(step / k)), written so that it cannot overflow.
    return jax.nn.sigmoid(step / k - jnp.log(k))
