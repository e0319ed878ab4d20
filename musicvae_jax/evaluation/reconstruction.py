"""What a model makes of many windows: decoded freely, told the truth, and how likely."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.evaluation.accuracy import Reconstruction
from musicvae_jax.inference.melody_model import MAX_BATCH, MelodyModel
from musicvae_jax.models import losses, noise
from musicvae_jax.models.vae import MusicVAE, previous_tokens
from musicvae_jax.system import processes
from musicvae_jax.system.progress import progress


@dataclasses.dataclass(frozen=True)
class Reconstructed:
    """Windows through a model and back.

    Attributes:
      tokens: what came back.
      forced_from_mean: [windows, steps] uint8, teacher-forced given the posterior mean,
        where `tokens.teacher_forced` is given a draw.
      kl_bits: [windows] float32, of the posterior from the standard normal.
      mu: [windows, ...] float32, the posterior means.
    """

    tokens: Reconstruction
    forced_from_mean: np.ndarray
    kl_bits: np.ndarray
    mu: np.ndarray


def _reconstruct(
    params: Any, tokens: jax.Array, keys: jax.Array, *, model: MusicVAE
) -> dict[str, jax.Array]:
    """One part: [batch, steps] int32 and [batch] keys."""
    variables = {"params": params}
    logits, mu, sigma = model.apply(variables, tokens, keys)
    path = model.apply(variables, mu, method="path")
    inputs = previous_tokens(tokens, model.vocab)
    from_mean = model.apply(variables, path, inputs, method="teacher_forced")
    sampled, _ = model.apply(variables, path, keys, 0.0, method="sample")
    divergence = losses.kl_nats(mu, sigma).reshape(len(tokens), -1).sum(axis=-1)
    return {
        "sampled": sampled.astype("uint8"),
        "teacher_forced": logits.argmax(axis=-1).astype("uint8"),
        "nll": losses.nll_nats(logits, tokens),
        "forced_from_mean": from_mean.argmax(axis=-1).astype("uint8"),
        "kl_bits": divergence / losses.LN_2,
        "mu": mu,
    }


def in_parts(
    compute: Callable[[np.ndarray], Mapping[str, np.ndarray | jax.Array]],
    total: int,
    size: int,
    description: str,
) -> dict[str, np.ndarray]:
    """Computes rows in parts of one size, so that one program does for all of them.

    Of several processes, which all call it with the same, each computes some parts.

    Args:
      compute: given the numbers of rows [size], returns arrays [size, ...] by name.
      total: rows.
      size: of a part, at most; the last one repeats the last row.
      description: for the progress.

    Returns:
      Arrays [total, ...] by name.
    """
    parts = -(-total // size)
    size = -(-total // parts)
    whole: dict[str, np.ndarray] = {}
    for number in progress(range(parts), description, parts):
        first = number * size
        count = min(size, total - first)
        is_own = number % jax.process_count() == jax.process_index()
        if whole and not is_own:
            continue  # the first is computed everywhere, for its shapes
        made = compute(np.minimum(first + np.arange(size), total - 1))
        for name, rows in made.items():
            if name not in whole:
                whole[name] = np.zeros((total, *rows.shape[1:]), rows.dtype)
            if is_own:
                whole[name][first : first + count] = np.asarray(rows)[:count]
    return {name: processes.combine(rows) for name, rows in whole.items()}


def reconstruct(
    model: MelodyModel, truth: np.ndarray, songs: np.ndarray, seed: int
) -> Reconstructed:
    """Encodes windows and decodes them, freely from the posterior mean and told the truth.

    Args:
      model: whose noise for a window depends on the window's number and the seed.
      truth: [windows, steps] uint8, of `MelodyCodec`; at least one window.
      songs: [windows], what tells songs apart.
      seed: of the draws from the posterior.
    """
    codec = model.checkpoint.config.model.codec
    tokens = input_pipeline.convert(truth, codec)
    step = jax.jit(functools.partial(_reconstruct, model=model.model))

    def compute(rows: np.ndarray) -> dict[str, jax.Array]:
        keys = noise.example_keys(jax.random.key(seed), int(rows[0]), len(rows))
        return step(model.params, tokens[rows], keys)

    made = in_parts(compute, len(truth), MAX_BATCH, "reconstructing")
    of_tokens = {name: made.pop(name) for name in ("sampled", "teacher_forced", "nll")}
    return Reconstructed(Reconstruction(codec, songs, truth, **of_tokens), **made)
