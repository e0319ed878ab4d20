"""A quick measurement on melodies that the model has not seen; `evaluation` measures more."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jax import lax

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.models import losses, noise
from musicvae_jax.models.vae import MusicVAE
from musicvae_jax.system.devices import AXIS, all_devices, shard

# A latent dimension is active if its mean varies by more than this over melodies
# (Burda et al. 2016, arXiv 1509.00519, appendix C).
ACTIVE_VARIANCE = 0.01


def eval_step(
    params: Any, tokens: jax.Array, weight: jax.Array, batch: jax.Array, *, model: MusicVAE
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Metrics of one batch as one device sees it.

    Args:
      params: the same on every device.
      tokens: [per device, steps] int32.
      weight: [per device] float32, 0 for padding.
      batch: number of the batch, for its noise.
      model: the model.

    Returns:
      Sums over all devices, and mu of all: [devices, per device, ...].
    """
    per_device = tokens.shape[0]
    key = jax.random.fold_in(jax.random.key(0), batch)
    keys = noise.example_keys(key, lax.axis_index(AXIS) * per_device, per_device)
    variables = {"params": params}
    logits, mu, sigma = model.apply(variables, tokens, keys)
    _, metrics = losses.loss_and_metrics(logits, tokens, mu, sigma, jnp.ones(()), 0.0)
    path = model.apply(variables, mu, method="path")
    sampled, _ = model.apply(variables, path, keys, 0.0, method="sample")
    metrics["sampled_accuracy"] = (sampled == tokens).mean(axis=-1)
    metrics["teacher_forced_accuracy"] = metrics.pop("accuracy")
    sums = {n: lax.psum((v * weight).sum(), AXIS) for n, v in metrics.items()}
    return sums, lax.all_gather(mu, AXIS)


def pmap_eval_step(model: MusicVAE, devices: Sequence[jax.Device]) -> Callable[..., Any]:
    """`eval_step` over devices, each with its own tokens and weights."""
    step = functools.partial(eval_step, model=model)
    return jax.pmap(step, axis_name=AXIS, in_axes=(0, 0, 0, None), devices=devices)


class Evaluator:
    """Evaluates parameters on a split; compiled once.

    The metrics are `loss` (negative evidence lower bound, nats a melody),
    `nll_per_token` (nats, teacher-forced, z sampled), `kl_bits`,
    `teacher_forced_accuracy`, `sampled_accuracy` (argmax decoding from mu, the
    model's own tokens fed back), and `active_units`.
    """

    def __init__(self, model: MusicVAE, config: ml_collections.ConfigDict):
        self._codec = config.model.codec
        devices = all_devices()
        self._batch_size = -(-config.train.batch_size // len(devices)) * len(devices)
        share = self._batch_size // jax.process_count()
        first = jax.process_index() * share
        self._local = slice(first, first + share)
        self._step = pmap_eval_step(model, devices)

    def __call__(self, params: Any, split: Split) -> dict[str, float]:
        """Evaluates replicated parameters on the windows of a split, at least one.

        Every process calls it with the same split, evaluates its share, and gets the
        metrics of the whole.
        """
        totals: dict[str, float] = {}
        means = []
        for number, first in enumerate(range(0, len(split), self._batch_size)):
            tokens = split.tokens[first : first + self._batch_size]
            count = len(tokens)
            tokens = np.pad(tokens, ((0, self._batch_size - count), (0, 0)))
            weight = (np.arange(self._batch_size) < count).astype(np.float32)
            tokens = input_pipeline.convert(tokens[self._local], self._codec)
            sums, mu = self._step(
                params,
                shard(tokens),
                shard(weight[self._local]),
                number,
            )
            for name, value in sums.items():
                totals[name] = totals.get(name, 0.0) + float(value[0])
            means.append(np.asarray(mu[0]).reshape(self._batch_size, -1)[:count])
        metrics = {name: value / len(split) for name, value in totals.items()}
        metrics["active_units"] = active_units(np.concatenate(means))
        return metrics


def evaluate(evaluator: Evaluator, params: Any, split: Split) -> dict[str, float]:
    """Metrics of the windows of a split, of at least one source.

    Of several sources each counts the same, whatever its number of windows: a metric is the
    mean of what it is for each, and `METRIC/SOURCE` has those.
    """
    by_source = {name: evaluator(params, part) for name, part in split.by_source().items()}
    names = next(iter(by_source.values()))
    metrics = {name: float(np.mean([m[name] for m in by_source.values()])) for name in names}
    if len(by_source) > 1:
        for source, own in by_source.items():
            metrics |= {f"{name}/{source}": value for name, value in own.items()}
    return metrics


def active_units(mu: np.ndarray) -> int:
    """How many numbers of the posterior means [windows, ...] vary from window to window."""
    return int((mu.var(axis=0) > ACTIVE_VARIANCE).sum())
