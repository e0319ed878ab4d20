"""A tighter bound on the likelihood of melodies, by importance weighting.

Burda et al. 2016 (arXiv 1509.00519, equation 8): with z_1, ..., z_K from the posterior,

  log p(x) >= E log 1/K sum_k w_k,  w_k = p(x | z_k) p(z_k) / q(z_k | x)

which is the evidence lower bound for K = 1, and never falls as K grows.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.inference import latent_prior
from musicvae_jax.inference.batching import Batched
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import losses, noise
from musicvae_jax.models.vae import previous_tokens

STANDARD, FITTED = "standard_normal", "fitted_prior"

# Nats of latents [batch, ...] under a prior: [batch].
LogDensity = Callable[[np.ndarray], np.ndarray]


def priors_of(model: MelodyModel) -> dict[str, LogDensity]:
    """The standard normal that the model was trained with, and one that was fitted, if any."""
    priors: dict[str, LogDensity] = {STANDARD: latent_prior.standard_log_density}
    if model.prior is not None:
        priors[FITTED] = model.prior.log_density
    return priors


def nll_bound(log_weights: np.ndarray, k: int) -> np.ndarray:
    """An upper bound on the negative log likelihood of each window, in expectation.

    Args:
      log_weights: [windows, samples] log w; every k of them give one estimate, and the
        result is the mean of these.
      k: at most the number of samples; what does not fill a k is left out.

    Returns:
      [windows] nats.
    """
    windows, samples = log_weights.shape
    groups = samples // k
    logs = log_weights[:, : groups * k].reshape(windows, groups, k)
    largest = logs.max(axis=2, keepdims=True)
    log_mean = np.log(np.exp(logs - largest).mean(axis=2)) + largest[..., 0]
    return -log_mean.mean(axis=1)


def _likelihoods(
    model: MelodyModel, params: Any, rows: tuple[jax.Array, ...], shared: Any
) -> tuple[jax.Array, jax.Array]:
    """One draw z for each row, and log p(x | z) / q(z | x): [batch] nats; for `Batched`."""
    tokens, mu, sigma, keys = rows
    trained = model.trained(params)
    epsilon = noise.normal(jax.random.wrap_key_data(keys), mu.shape[1:])
    z = mu + sigma * epsilon
    inputs = previous_tokens(tokens, trained.model.vocab)
    logits = trained.apply("teacher_forced", trained.apply("path", z), inputs)
    log_q = -0.5 * epsilon**2 - jnp.log(sigma) - 0.5 * jnp.log(2 * jnp.pi)
    log_likelihood = -losses.nll_nats(logits, tokens).sum(axis=-1)
    return z, log_likelihood - log_q.reshape(len(tokens), -1).sum(axis=-1)


def log_weights(
    model: MelodyModel,
    truth: np.ndarray,
    samples: int,
    seed: int,
    priors: Mapping[str, LogDensity],
) -> dict[str, np.ndarray]:
    """Log importance weights of windows, under each of several priors.

    Args:
      model: whose posteriors and decoder are used.
      truth: [windows, steps] uint8, of `MelodyCodec`.
      samples: draws from the posterior of each window.
      seed: of the draws, which are the same for every prior.
      priors: by name, such as `priors_of(model)`; one that only gives a lower bound of its
        density still makes the result an upper bound on the negative log likelihood.

    Returns:
      [windows, samples] float64 by prior.
    """
    tokens = input_pipeline.convert(truth, model.checkpoint.config.model.codec)
    posterior = model.encode_tokens(tokens)
    keys = noise.example_keys(jax.random.key(seed), 0, len(tokens) * samples)
    per_window = (tokens, posterior.mu, posterior.sigma)
    rows = [np.repeat(array, samples, axis=0) for array in per_window]
    rows = (*rows, np.asarray(jax.random.key_data(keys)))
    batched = Batched(functools.partial(_likelihoods, model))
    z, logs = batched(model.replicated, rows, description="importance weighting")
    return {name: (logs + log_p(z)).reshape(-1, samples) for name, log_p in priors.items()}
