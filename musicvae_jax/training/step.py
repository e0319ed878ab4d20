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
from jax.sharding import PartitionSpec

from musicvae_jax.models import losses, noise
from musicvae_jax.models.vae import MusicVAE, init_params
from musicvae_jax.system.devices import AXIS, device_mesh
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


Step = Callable[[TrainState, jax.Array], tuple[TrainState, dict[str, jax.Array]]]


def parallel_train_step(
    model: MusicVAE,
    optimizer: optax.GradientTransformation,
    config: ml_collections.ConfigDict,
    devices: Sequence[jax.Device],
) -> Step:
    """The step over devices, as `config.train.parallel` says; see the two below."""
    over_devices = {"pmap": pmap_train_step, "mesh": mesh_train_step}
    return over_devices[config.train.parallel](model, optimizer, config, devices)


def pmap_train_step(
    model: MusicVAE,
    optimizer: optax.GradientTransformation,
    config: ml_collections.ConfigDict,
    devices: Sequence[jax.Device] | None = None,
) -> Step:
    """The step mapped over devices, by default all; the state that goes in is given up.

    Arrays are laid out by `system.devices.PmapLayout`.

    Raises:
      UserError: a device's share of a batch does not divide into its parts.
    """
    _check_shares(config, jax.device_count() if devices is None else len(devices))
    step = functools.partial(train_step, model=model, optimizer=optimizer, config=config)
    return jax.pmap(step, axis_name=AXIS, donate_argnums=0, devices=devices)


def mesh_train_step(
    model: MusicVAE,
    optimizer: optax.GradientTransformation,
    config: ml_collections.ConfigDict,
    devices: Sequence[jax.Device],
) -> Step:
    """The step as one `jit` over a mesh of devices; the state that goes in is given up.

    Arrays are laid out by `system.devices.MeshLayout`. Each device has its own copy of the state,
    as under pmap, so that both are the same program, and equal to the bit. A state without the
    axis of devices was equal only up to the last bit, after some steps of Adam.

    Raises:
      UserError: a device's share of a batch does not divide into its parts.
    """
    _check_shares(config, len(devices))
    step = functools.partial(train_step, model=model, optimizer=optimizer, config=config)

    def on_one(*share):
        """The step on what lies on one device, with the axis of devices in front."""
        made = step(*jax.tree.map(lambda leaf: leaf[0], share))
        return jax.tree.map(lambda leaf: leaf[None], made)

    # Without `check_vma`, which refuses loops that begin from zeros, as ours do: those are the
    # same on all devices, and what comes after a turn is not.
    share = PartitionSpec(AXIS)
    mapped = jax.shard_map(
        on_one, mesh=device_mesh(devices), in_specs=share, out_specs=share, check_vma=False
    )
    return jax.jit(mapped, donate_argnums=0)


def _check_shares(config: ml_collections.ConfigDict, devices: int) -> None:
    if config.train.batch_size % (devices * config.train.accumulate):
        raise UserError(
            f"config.train.batch_size={config.train.batch_size} does not divide by {devices} "
            f"devices times config.train.accumulate={config.train.accumulate} parts",
            "config.train.batch_size",
            "config.train.accumulate",
        )
