"""Many windows through a model and back: decoded freely, teacher-forced, and how likely."""

import dataclasses
import functools
from typing import Any

import jax
import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.inference.batching import Batched
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import losses, noise
from musicvae_jax.models.vae import previous_tokens


@dataclasses.dataclass(frozen=True)
class RoundTrip:
    """Windows through a model and back.

    Attributes:
      tokens: what came back.
      forced_from_mean: [windows, steps] uint8, teacher-forced given the posterior mean,
        where `tokens.teacher_forced` is given a draw.
      kl_bits: [windows] float32, of the posterior from the standard normal.
      mu: [windows, ...] float32, the posterior means.
    """

    tokens: DecodedWindows
    forced_from_mean: np.ndarray
    kl_bits: np.ndarray
    mu: np.ndarray


def _round_trip(
    model: MelodyModel, params: Any, rows: tuple[jax.Array, jax.Array], shared: Any
) -> dict[str, jax.Array]:
    """Rows of tokens [batch, steps] int32 and data of keys [batch, 2], for `Batched`."""
    tokens, keys = rows
    dtype = model.codec.stored.dtype
    trained, keys = model.trained(params), jax.random.wrap_key_data(keys)
    logits, mu, sigma = trained.apply("__call__", tokens, keys)
    path = trained.apply("path", mu)
    inputs = previous_tokens(tokens, trained.model.vocab)
    from_mean = trained.apply("teacher_forced", path, inputs)
    sampled, _ = trained.apply("sample", path, keys, 0.0)
    divergence = losses.kl_nats(mu, sigma).reshape(len(tokens), -1).sum(axis=-1)
    return {
        "sampled": sampled.astype(dtype),
        "teacher_forced": logits.argmax(axis=-1).astype(dtype),
        "nll": losses.nll_nats(logits, tokens),
        "forced_from_mean": from_mean.argmax(axis=-1).astype(dtype),
        "kl_bits": divergence / losses.LN_2,
        "mu": mu,
    }


def reconstruct(model: MelodyModel, truth: np.ndarray, songs: np.ndarray, seed: int) -> RoundTrip:
    """Encodes windows and decodes them, freely from the posterior mean, and teacher-forced.

    Args:
      model: whose noise for a window depends on the window's number and the seed.
      truth: [windows, steps], of the codec in which data sets store it; at least one window.
      songs: [windows], what tells songs apart.
      seed: of the draws from the posterior.
    """
    codec = model.checkpoint.config.model.codec
    tokens = input_pipeline.convert(truth, codec)
    keys = noise.example_keys(jax.random.key(seed), 0, len(truth))
    rows = (tokens, np.asarray(jax.random.key_data(keys)))
    batched = Batched(functools.partial(_round_trip, model))
    made = batched(model.replicated, rows, description="reconstructing")
    of_tokens = {name: made.pop(name) for name in ("sampled", "teacher_forced", "nll")}
    of_tokens["steps_per_bar"] = model.model.steps_per_bar
    return RoundTrip(DecodedWindows(codec, songs, truth, **of_tokens), **made)
