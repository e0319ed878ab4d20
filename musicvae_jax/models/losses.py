"""The loss, and the metrics that are reported beside it. All values are of one example."""

import math

import jax
import jax.numpy as jnp
import optax

LN_2 = math.log(2.0)


def nll_nats(logits: jax.Array, tokens: jax.Array) -> jax.Array:
    """Negative log likelihood of each token.

    Args:
      logits: [batch, steps, vocab] float32.
      tokens: [batch, steps] int32.

    Returns:
      [batch, steps] nats.
    """
    return optax.softmax_cross_entropy_with_integer_labels(logits, tokens)


def kl_nats(mu: jax.Array, sigma: jax.Array) -> jax.Array:
    """KL divergence of N(mu, sigma^2) from N(0, 1), by dimension.

    Kingma & Welling 2014 (arXiv 1312.6114), appendix B.

    Args:
      mu, sigma: [batch, ...].

    Returns:
      [batch, ...] nats.
    """
    return 0.5 * (mu**2 + sigma**2 - 1.0) - jnp.log(sigma)


def loss_and_metrics(
    logits: jax.Array,
    tokens: jax.Array,
    mu: jax.Array,
    sigma: jax.Array,
    beta: jax.Array,
    free_bits: float,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The loss of each example: its nats plus beta times the KL beyond the free bits.

    Args:
      logits: [batch, steps, vocab] float32.
      tokens: [batch, steps] int32.
      mu, sigma: [batch, ...], the posterior.
      beta: the weight of the KL term.
      free_bits: bits of KL of a melody that cost nothing.

    Returns:
      loss: [batch], and metrics, each [batch]: `nll_per_token` (nats), `kl_bits`
      (raw, whatever was charged), `accuracy` of the likeliest tokens.
    """
    nll = nll_nats(logits, tokens)
    kl = kl_nats(mu, sigma).reshape(mu.shape[0], -1).sum(axis=-1)
    loss = nll.sum(axis=-1) + beta * jnp.maximum(kl - free_bits * LN_2, 0.0)
    metrics = {
        "loss": loss,
        "nll_per_token": nll.mean(axis=-1),
        "kl_bits": kl / LN_2,
        "accuracy": (logits.argmax(axis=-1) == tokens).mean(axis=-1),
    }
    return loss, metrics
