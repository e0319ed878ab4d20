"""The training loop: batches, steps, evaluations, checkpoints, on all machines of a run.

What holds, however a run ends:

- A checkpoint is the whole state. The same command goes on from the latest one that
  can be read, with the batches, noise and learning rate of an uninterrupted run, and on
  the same kind and number of devices gives bit-identical parameters. On another number
  of devices or machines the batches are the same, and the losses up to rounding.
- SIGTERM loses no step that was done, see `preemption`. SIGKILL at any moment, or a
  machine that dies, loses the steps since the last checkpoint, at most
  `config.train.eval_every` and those done while a checkpoint was still being written.
- A full disk, or a directory that cannot be written, ends the run with exit code 1 and
  one line; the checkpoints before are whole. A checkpoint directory that is removed
  while training is made anew by the next checkpoint.
- When one process of several dies, the others end with an error: at once if they
  were waiting for it, else when its heartbeats are missed. One that lives but does
  not go on is ended, with the stacks of its threads, after `stall_timeout_sec`.
"""

import contextlib
import dataclasses
import faulthandler
import logging
import pathlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax
from tqdm import tqdm

from musicvae_jax.checkpoints import load, store
from musicvae_jax.models.lstm import BACKENDS
from musicvae_jax.models.vae import MusicVAE, abstract_params, create_model
from musicvae_jax.system import files, locks, processes
from musicvae_jax.system.devices import all_devices, host_copy, layout
from musicvae_jax.system.errors import PreemptedError, UserError
from musicvae_jax.system.progress import on_terminal
from musicvae_jax.training import data as training_data
from musicvae_jax.training import manifest, preemption, telemetry
from musicvae_jax.training import validation as training_validation
from musicvae_jax.training.metric_log import MetricLog
from musicvae_jax.training.step import (
    TrainState,
    create_optimizer,
    create_train_state,
    parallel_train_step,
)

logger = logging.getLogger(__name__)

# A run that was just told to stop may still be saving.
WORKDIR_WAIT_SEC = 60.0


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How a run goes on, which does not change what it computes.

    Attributes:
      profile_steps: the first step to trace and the one after the last, or None.
      stall_timeout_sec: of several processes, one that finishes no step for that many
        seconds is ended. It must be longer than the longest compilation or evaluation.
        0: never.
    """

    profile_steps: tuple[int, int] | None = None
    stall_timeout_sec: float = 1800.0


@contextlib.contextmanager
def _alone_in(workdir: pathlib.Path) -> Iterator[None]:
    """Keeps a second run out of a directory.

    Raises:
      UserError: another run is there.
    """
    with contextlib.ExitStack() as stack:
        if processes.is_primary():
            lock = locks.exclusive(workdir / ".lock", f"another run in {workdir}", WORKDIR_WAIT_SEC)
            try:
                stack.enter_context(lock)
            except TimeoutError as error:
                raise UserError(
                    f"workdir={workdir}: another run is training there", "workdir"
                ) from error
        yield


@contextlib.contextmanager
def _stall_watch(timeout_sec: float) -> Iterator[Callable[[], None]]:
    """Yields a function to call after each step; if it is not called, the process is ended.

    A process that hangs still sends heartbeats, and the others would wait for it forever.
    """
    if jax.process_count() == 1 or not timeout_sec:
        yield lambda: None
        return
    try:
        yield lambda: faulthandler.dump_traceback_later(timeout_sec, exit=True, file=sys.__stderr__)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _steps(first: int, last: int) -> Iterable[int]:
    """Step numbers, with a progress bar on a terminal."""
    is_shown = on_terminal() and processes.is_primary()
    with tqdm(total=last, initial=first, desc="training", disable=not is_shown) as bar:
        for step in range(first, last):
            yield step
            bar.update()


def _write_manifest(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, step: int, data: dict[str, Any]
) -> None:
    files.write_json(workdir / "config.json", config.to_dict())
    path = workdir / "manifest.json"
    starts = manifest.read(path)
    if starts and step > 0:
        for change in manifest.changes(starts[-1], config, data):
            logger.warning("not as in the previous start: %s", change)
    manifest.append(path, manifest.entry(config, step, data))


def train(
    config: ml_collections.ConfigDict,
    workdir: pathlib.Path,
    options: RunOptions | None = None,
) -> dict[str, float]:
    """Trains, or goes on training, and leaves checkpoints and metrics in `workdir`.

    Returns:
      The last validation metrics; empty if there was nothing left to do.

    Raises:
      UserError: the data set, the batch size, the directory or a kernel cannot be used.
      TrainingDivergedError: the loss or a gradient is no longer finite.
      PreemptedError: the run was told to stop, and has saved its state.
      CheckpointError: the state cannot be saved.
    """
    started = time.monotonic()
    backend = BACKENDS.get(config.model.lstm)
    if backend not in (None, jax.default_backend()):
        raise UserError(
            f"config.model.lstm={config.model.lstm}: needs a {backend.upper()}, and there is none "
            "here; auto runs everywhere",
            "config.model.lstm",
        )
    workdir = files.make_output_dir(workdir)
    processes.check_shared(workdir)
    with _alone_in(workdir):
        data = training_data.load(config)
        model, optimizer = create_model(config.model), create_optimizer(config.train)
        with store.open_manager(workdir) as manager:
            state = _first_state(manager, model, optimizer, config)
            step = int(state.step)
            if step >= config.train.num_steps:
                logger.info("step %d of %d is reached already", step, config.train.num_steps)
                return {}
            if processes.is_primary():
                _write_manifest(config, workdir, step, data.facts)
            with MetricLog(workdir, step, processes.is_primary()) as log:
                run = _Run(config, data, manager, log, options or RunOptions(), started)
                return run(model, optimizer, state)


def _first_state(
    manager: Any,
    model: MusicVAE,
    optimizer: optax.GradientTransformation,
    config: ml_collections.ConfigDict,
) -> TrainState:
    """The state of the run's latest checkpoint, else of `init_from`, else a new one."""
    state = jax.jit(lambda: create_train_state(model, optimizer, config.seed))()
    restored = store.restore_latest(manager, state.params, state.optimizer, config)
    if restored is None and config.train.init_from:
        source = config.train.init_from
        directory = load.find(source, manager.directory, "config.train.init_from")
        # No parameter belongs to a step of the bar.
        params = load.load(directory, abstract_params, config, ("steps_per_bar",)).params
        logger.info("beginning from the parameters of %s", directory)
        return create_train_state(model, optimizer, config.seed, params)
    if restored is None:
        return state
    step, params, optimizer = restored
    logger.info("continuing from step %d in %s", step, manager.directory.parent)
    return TrainState(jnp.asarray(step, jnp.int32), params, optimizer)


class _Run:
    """One start of a run, from the step that it begins with."""

    def __init__(
        self,
        config: ml_collections.ConfigDict,
        data: training_data.RunData,
        manager: Any,
        log: MetricLog,
        options: RunOptions,
        started: float,
    ):
        self._config = config
        self._data = data
        self._manager = manager
        self._log = log
        self._options = options
        self._started = started
        self._layout = layout(config.train.parallel, all_devices())

    def _is_out_of_time(self, done: int) -> bool:
        limit = self._config.train.max_minutes
        minutes = (time.monotonic() - self._started) / 60
        if limit == 0 or not processes.agreed(limit <= minutes):
            return False
        logger.info("%.1f minutes are over at step %d", limit, done)
        return True

    def _evaluate(
        self, done: int, state: TrainState, evaluator: training_validation.Evaluator
    ) -> dict[str, float]:
        params = self._layout.for_pmap(state.params)
        results = training_validation.evaluate(evaluator, params, self._data.validation)
        self._log.write(done, "validation", results)
        return results

    def _save(self, done: int, state: TrainState, results: dict[str, float] | None) -> None:
        params, optimizer = host_copy(state.params), host_copy(state.optimizer)
        store.save(self._manager, done, params, optimizer, self._config, results)

    def __call__(
        self, model: MusicVAE, optimizer: optax.GradientTransformation, state: TrainState
    ) -> dict[str, float]:
        """See `train`."""
        config, first, last = self._config.train, int(state.step), self._config.train.num_steps
        devices = all_devices()
        state = self._layout.replicate(state)
        step_devices = parallel_train_step(model, optimizer, self._config, devices)
        evaluator = training_validation.Evaluator(model, self._config)
        results: dict[str, float] = {}
        # Emulated devices that share few cores deadlock when many steps are queued.
        waits = jax.default_backend() == "cpu"
        folder = self._log.workdir / "profile"
        with (
            preemption.watch() as is_told_to_stop,
            _stall_watch(self._options.stall_timeout_sec) as progress,
            telemetry.CompileClock() as compile_clock,
            telemetry.Profile(self._options.profile_steps, folder) as profile,
        ):
            progress()
            window = telemetry.MetricWindow(first, compile_clock)
            for step in _steps(first, last):
                profile.before(step)
                with window.waiting():
                    batch = self._layout.shard(self._data.batches(step))
                state, metrics = step_devices(state, batch)
                window.append(metrics)
                if waits:
                    jax.block_until_ready(metrics)
                profile.after(step, metrics)
                progress()
                done = step + 1
                # Asked at every step, as `watch` wants; at the last one all is over anyway.
                is_stopped = is_told_to_stop(step) and done < last
                is_eval = done % config.eval_every == 0 or done == last
                if not (is_eval or is_stopped or done % config.log_every == 0):
                    continue
                self._log.write(done, "train", window.read(config.batch_size))
                is_over = done == last or is_stopped or self._is_out_of_time(done)
                if is_stopped:
                    self._save(done, state, None)
                elif is_eval or is_over:
                    results = self._evaluate(done, state, evaluator)
                    self._save(done, state, results)
                if is_over:
                    store.wait(self._manager, done)
                    break
                window = telemetry.MetricWindow(done, compile_clock)
        if is_stopped:
            raise PreemptedError(f"told to stop: the state of step {done} is saved")
        return results
