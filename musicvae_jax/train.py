"""Training: one step written for a device, mapped over all of them."""

import functools
import logging
import pathlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import flax
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from flax import jax_utils
from jax import lax
from tqdm import tqdm

from musicvae_jax import atomic_io, checkpoints, evaluate, input_pipeline, losses, schedules
from musicvae_jax.errors import TrainingDivergedError, UserError
from musicvae_jax.evaluate import AXIS
from musicvae_jax.melody import STEPS_PER_BAR
from musicvae_jax.metric_log import MetricLog
from musicvae_jax.models import noise
from musicvae_jax.models.vae import MusicVAE, create_model
from musicvae_jax.progress import on_terminal

logger = logging.getLogger(__name__)


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


def init_params(model: MusicVAE, seed: int) -> Any:
    """Initial parameters, a function of the seed; shapes do not depend on the batch."""
    tokens = jnp.zeros((1, model.bars * STEPS_PER_BAR), jnp.int32)
    key = jax.random.key(seed)
    return model.init(key, tokens, noise.example_keys(key, 0, 1))["params"]


def create_train_state(
    model: MusicVAE, optimizer: optax.GradientTransformation, seed: int
) -> TrainState:
    """The state before the first step."""
    params = init_params(model, seed)
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
            f"--config.train.batch_size={config.train.batch_size} does not divide by "
            f"{shares // config.train.accumulate} devices times "
            f"--config.train.accumulate={config.train.accumulate} parts"
        )
    step = functools.partial(train_step, model=model, optimizer=optimizer, config=config)
    return jax.pmap(step, axis_name=AXIS, donate_argnums=0, devices=devices)


def replicate(tree: Any, devices: Sequence[jax.Device] | None = None) -> Any:
    """Copies a tree to devices, laid out as the mapped step gives it back.

    Without the identity, the second step would be compiled anew for the layout of
    its own output.
    """
    copies = jax_utils.replicate(tree, devices)
    return jax.pmap(lambda copy: copy, axis_name=AXIS, devices=devices)(copies)


def _host_copy(tree: Any) -> Any:
    """One device's copy of a replicated tree, as host arrays, fetched all at once."""
    copies = jax.device_get(jax.tree.map(lambda leaf: leaf.addressable_shards[0].data, tree))
    # On CPU `copies` may be views of buffers that the next step overwrites.
    return jax.tree.map(lambda copy: np.array(copy[0]), copies)


class _MetricWindow:
    """Metrics of the steps since the last log line, left on the devices until then."""

    def __init__(self, first_step: int):
        self._first_step = first_step
        self._metrics: list[dict[str, jax.Array]] = []
        self._start = time.monotonic()

    def append(self, metrics: dict[str, jax.Array]) -> None:
        self._metrics.append(metrics)

    def read(self, batch_size: int) -> dict[str, float]:
        """Waits for the devices, checks every step, and returns means.

        Raises:
          TrainingDivergedError: a loss or a gradient norm is not finite.
        """
        steps = _host_copy(self._metrics)
        for offset, metrics in enumerate(steps):
            for name in ("loss", "gradient_norm"):
                if not np.isfinite(metrics[name]):
                    raise TrainingDivergedError(
                        f"training diverged: {name} is {metrics[name]} at step "
                        f"{self._first_step + offset}; try a lower --config.train.learning_rate. "
                        "The last checkpoint is from before."
                    )
        means = {name: float(np.mean([m[name] for m in steps])) for name in steps[0]}
        seconds = time.monotonic() - self._start
        means["steps_per_sec"] = len(steps) / seconds
        means["sequences_per_sec"] = len(steps) * batch_size / seconds
        return means


def _steps(first: int, last: int) -> Iterable[int]:
    """Step numbers, with a bar on a terminal; elsewhere the metrics' lines tell."""
    bar = tqdm(total=last, initial=first, desc="training", disable=not on_terminal())
    with bar:
        for step in range(first, last):
            yield step
            bar.update()


def _restore(
    manager: Any, state: TrainState, config: ml_collections.ConfigDict, workdir: pathlib.Path
) -> TrainState:
    step = manager.latest_step()
    if step is None:
        return state
    checkpoints.check_same_model(checkpoints.restore_config(manager, step), config, workdir)
    params, optimizer = checkpoints.restore_for_training(
        manager, step, state.params, state.optimizer
    )
    logger.info("continuing from step %d in %s", step, workdir)
    return TrainState(jnp.asarray(step, jnp.int32), params, optimizer)


def train(config: ml_collections.ConfigDict, workdir: pathlib.Path) -> dict[str, float]:
    """Trains, or goes on training, and leaves checkpoints and metrics in `workdir`.

    Returns:
      The last validation metrics; empty if there was nothing left to do.

    Raises:
      UserError: the data set, the batch size or the directory cannot be used.
      TrainingDivergedError: the loss or a gradient is no longer finite.
    """
    started = time.monotonic()
    workdir = atomic_io.make_output_dir(workdir)
    builder = input_pipeline.build_dataset(config)
    split = input_pipeline.load_split(builder, "train")
    batches = input_pipeline.TrainBatches(split, config, jax.process_index(), jax.process_count())
    validation = input_pipeline.load_split(builder, "validation")
    if len(validation) == 0:
        logger.warning("no song fell into the validation split: validating on training data")
        validation = split
    validation = input_pipeline.eval_subset(validation, config.train.eval_examples)
    model, optimizer = create_model(config.model), create_optimizer(config.train)
    state = jax.jit(lambda: create_train_state(model, optimizer, config.seed))()
    with checkpoints.open_manager(workdir) as manager:
        state = _restore(manager, state, config, workdir)
        step = int(state.step)
        if step >= config.train.num_steps:
            logger.info("step %d of %d is reached already", step, config.train.num_steps)
            return {}
        atomic_io.write_json(workdir / "config.json", config.to_dict())
        log = MetricLog(workdir, step)
        try:
            return _loop(
                config, model, optimizer, state, batches, validation, manager, log, started
            )
        finally:
            log.close()


def _loop(
    config: ml_collections.ConfigDict,
    model: MusicVAE,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    batches: input_pipeline.TrainBatches,
    validation: input_pipeline.Split,
    manager: Any,
    log: MetricLog,
    started: float,
) -> dict[str, float]:
    first, last = int(state.step), config.train.num_steps
    state = replicate(state)
    step_devices = pmap_train_step(model, optimizer, config)
    evaluator = evaluate.Evaluator(model, config)
    results: dict[str, float] = {}
    window = _MetricWindow(first)
    # Emulated devices that share few cores deadlock when many steps are queued.
    waits = jax.default_backend() == "cpu"
    for step in _steps(first, last):
        state, metrics = step_devices(state, input_pipeline.shard(batches(step)))
        window.append(metrics)
        if waits:
            jax.block_until_ready(metrics)
        done = step + 1
        is_log = done % config.train.log_every == 0 or done == last
        is_eval = done % config.train.eval_every == 0 or done == last
        out_of_time = False
        if is_log or is_eval:
            log.write(done, "train", window.read(config.train.batch_size))
            minutes = (time.monotonic() - started) / 60
            out_of_time = 0 < config.train.max_minutes <= minutes
        if is_eval or out_of_time:
            results = evaluator(state.params, validation)
            log.write(done, "validation", results)
            checkpoints.save(
                manager,
                done,
                _host_copy(state.params),
                _host_copy(state.optimizer),
                config,
                results,
            )
        if is_log or is_eval:
            window = _MetricWindow(done)
        if out_of_time:
            logger.info("%.1f minutes are over at step %d", config.train.max_minutes, done)
            break
    manager.wait_until_finished()
    return results
