"""The training step, written for one device and mapped over all of them."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax
import jax
import jax.numpy as jnp
import ml_collections
import optax
from jax import lax

from musicvae_jax.models import losses, noise
from musicvae_jax.models.vae import MusicVAE, init_params
from musicvae_jax.system.devices import AXIS
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import schedules


@flax.struct.dataclass
class TrainState:
    """All that a step changes."""

    step: jax.Array
    params: Any
    optimizer: optax.OptState


def create_optimizer(config: ml_collections.ConfigDict) -> optax.GradientTransformation:
    """Adam with clipped gradients (`config.train`)."""
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        optax.adam(schedules.learning_rate(config)),
    )


def create_train_state(
    model: MusicVAE, optimizer: optax.GradientTransformation, seed: int, params: Any = None
) -> TrainState:
    """The state before the first step, from given parameters, or else from initial ones."""
    params = init_params(model, seed) if params is None else params
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))


def train_step(
    state: TrainState,
    tokens: jax.Array,
    *,
    model: MusicVAE,
    optimizer: optax.GradientTransformation,
    config: ml_collections.ConfigDict,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step as one device sees it; gradients and metrics are averaged over `AXIS`.

    Args:
      state: the same on every device.
      tokens: [per device, steps] int32, this device's part of the batch.
      model, optimizer, config: fixed for a run.
    """
    per_device = tokens.shape[0]
    key = jax.random.fold_in(jax.random.key(config.seed), state.step)
    # Noise belongs to the example's place in the global batch, so that the same
    # batch gives the same loss on any number of devices.
    keys = noise.example_keys(key, lax.axis_index(AXIS) * per_device, per_device)
    beta = schedules.beta(config.train, state.step)
    probability = schedules.sampling_probability(config.train, state.step)

    def mean_loss(params, tokens, keys):
        logits, mu, sigma = model.apply(
            {"params": params}, tokens, keys, True, sampling_probability=probability
        )
        loss, metrics = losses.loss_and_metrics(
            logits, tokens, mu, sigma, beta, config.train.free_bits
        )
        return loss.mean(), jax.tree.map(jnp.mean, metrics)

    gradients, metrics = _in_parts(
        jax.grad(mean_loss, has_aux=True), config.train.accumulate, state.params, tokens, keys
    )
    gradients, metrics = lax.pmean((gradients, metrics), AXIS)
    metrics["gradient_norm"] = optax.tree.norm(gradients)
    updates, optimizer_state = optimizer.update(gradients, state.optimizer, state.params)
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, optimizer_state), metrics


def _in_parts(
    function: Callable[..., Any], parts: int, params: Any, tokens: jax.Array, keys: jax.Array
) -> Any:
    """The mean of function(params, tokens, keys) over equal parts of a batch, one at a time."""
    if parts == 1:
        return function(params, tokens, keys)
    split = jax.tree.map(lambda x: x.reshape(parts, -1, *x.shape[1:]), (tokens, keys))

    def add(total, part):
        return jax.tree.map(jnp.add, total, function(params, *part)), None

    zeros = jax.tree.map(
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype),
        jax.eval_shape(function, params, *jax.tree.map(lambda x: x[0], split)),
    )
    total, _ = lax.scan(add, zeros, split)
    return jax.tree.map(lambda leaf: leaf / parts, total)


def pmap_train_step(
    model: MusicVAE,
    optimizer: optax.GradientTransformation,
    config: ml_collections.ConfigDict,
    devices: Sequence[jax.Device] | None = None,
) -> Callable[[TrainState, jax.Array], tuple[TrainState, dict[str, jax.Array]]]:
    """The step over devices, by default all; the state that goes in is given up.

    Raises:
      UserError: a device's share of a batch does not divide into its parts.
    """
    shares = (jax.device_count() if devices is None else len(devices)) * config.train.accumulate
    if config.train.batch_size % shares:
        raise UserError(
            f"config.train.batch_size={config.train.batch_size} does not divide by "
            f"{shares // config.train.accumulate} devices times "
            f"config.train.accumulate={config.train.accumulate} parts",
            "config.train.batch_size",
            "config.train.accumulate",
        )
    step = functools.partial(train_step, model=model, optimizer=optimizer, config=config)
    return jax.pmap(step, axis_name=AXIS, donate_argnums=0, devices=devices)
