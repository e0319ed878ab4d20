"""Trains a bar prior for a trained model, or goes on training it.

The state is saved whole at every evaluation, so that the same command goes on from there; the
batches and the noise depend on the seed and the step alone. The prior itself, with the averaged
parameters, is written beside the model's checkpoint whenever validation is better than before.
"""

import json
import logging
import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from musicvae_jax.inference import bar_prior
from musicvae_jax.inference.bar_prior import BarPrior
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import bar_flow, noise
from musicvae_jax.models.bar_flow import BarFlow
from musicvae_jax.system import files
from musicvae_jax.system.devices import host_copy, replicate
from musicvae_jax.system.errors import PreemptedError, TrainingDivergedError, UserError
from musicvae_jax.training import preemption, prior_data, prior_step
from musicvae_jax.training.metric_log import MetricLog
from musicvae_jax.training.prior_data import Codes
from musicvae_jax.training.prior_step import PriorState, TrainCodes

logger = logging.getLogger(__name__)

STATE_FILE = "state.npz"
_SHIFTS_SEED = 1
_EVAL_WINDOWS = 2048
_OUTLINES = 4096  # kept with the prior
_EVAL_ROUNDS = 4  # draws of noise for each validation window


def train(
    model: MelodyModel, config: ml_collections.ConfigDict, folder: pathlib.Path
) -> dict[str, float]:
    """Trains; leaves the state and the metrics in `folder`, the prior beside the checkpoint.

    Args:
      model: whose codes are learned.
      config: of the run; `config.prior` says how, `config.dataset` from what.
      folder: of this run.

    Returns:
      The last validation metrics; empty if there was nothing left to do.

    Raises:
      UserError: the data, the batch size or the folder cannot be used, or the state in it is
        of another configuration or model.
      TrainingDivergedError: the loss is no longer finite.
      PreemptedError: the run was told to stop, and has saved its state.
    """
    if jax.process_count() > 1:
        raise UserError("mode=train_prior: runs in one process", "mode")
    plain = json.loads(config.prior.to_json())
    _check_batch(plain)
    folder = files.make_output_dir(folder)
    windows = prior_data.load_windows(config, folder)
    codes = {
        name: prior_data.encode(model, split, plain["transpositions"] if name == "train" else 1, 0)
        for name, split in windows.items()
    }
    run = _Run(model, plain, config.seed, codes, folder)
    return run()


def _check_batch(config: dict[str, Any]) -> None:
    devices = jax.local_device_count()
    if config["batch_size"] % devices:
        raise UserError(
            f"config.prior.batch_size={config['batch_size']} does not divide by the {devices} "
            "devices",
            "config.prior.batch_size",
        )


class _Run:
    """One start of a run."""

    def __init__(
        self,
        model: MelodyModel,
        config: dict[str, Any],
        seed: int,
        codes: dict[str, Codes],
        folder: pathlib.Path,
    ):
        self._config, self._seed, self._folder = config, seed, folder
        self._checkpoint = model.checkpoint
        self._codes = codes
        self._best = float("inf")
        windows = codes["train"].windows
        self._layout = bar_flow.layout(model.model)
        self._flow = bar_prior.create_flow(config, self._layout, len(windows.sources))
        self._mean, self._unit = prior_data.units(codes["train"])
        self._identity = json.dumps(
            {"config": config, "seed": seed, "model": model.checkpoint.sha256()}, sort_keys=True
        )

    def __call__(self) -> dict[str, float]:
        """See `train`."""
        config = self._config
        optimizer = prior_step.create_optimizer(config)
        initial = bar_prior.init_params(self._flow, self._layout, self._seed)
        state = self._restored(prior_step.create_state(initial, optimizer))
        step, last = int(state.step), config["num_steps"]
        if step >= last:
            logger.info("step %d of %d is reached already", step, last)
            return {}
        data = replicate(self._train_codes(), jax.local_devices())
        state = replicate(state, jax.local_devices())
        count = config["steps_per_call"]
        programs: dict[int, Any] = {}
        evaluate = _Evaluator(self._flow, self._codes["validation"], self._mean, self._unit)
        results: dict[str, float] = {}
        with MetricLog(self._folder, step) as log, preemption.watch() as is_told_to_stop:
            logged, since = step, time.monotonic()
            while step < last:
                stops = (self._next(step, "log_every"), self._next(step, "eval_every"), last)
                size = min(count, *(stop - step for stop in stops))
                if size not in programs:
                    programs[size] = prior_step.pmap_steps(
                        self._flow, optimizer, config, self._seed, size
                    )
                state, metrics = programs[size](state, data)
                jax.block_until_ready(metrics)
                step += size
                is_stopped = is_told_to_stop(step) and step < last
                if step % config["log_every"] == 0 or step == last:
                    rate = (step - logged) / (time.monotonic() - since)
                    self._log(log, step, host_copy(metrics), rate)
                    logged, since = step, time.monotonic()
                if step % config["eval_every"] == 0 or step == last or is_stopped:
                    whole = host_copy(state)
                    results = evaluate(whole.average)
                    log.write(step, "validation", results)
                    self._save(whole, results)
                    since = time.monotonic()
                if is_stopped:
                    raise PreemptedError(f"told to stop: the state of step {step} is saved")
        return results

    def _next(self, step: int, field: str) -> int:
        """The next multiple of a field of the configuration."""
        every = self._config[field]
        return (step // every + 1) * every

    def _log(self, log: MetricLog, step: int, metrics: dict[str, np.ndarray], rate: float) -> None:
        values = {name: float(value) for name, value in metrics.items()}
        log.write(step, "train", values | {"steps_per_sec": rate})
        if not np.isfinite(list(values.values())).all():
            raise TrainingDivergedError(f"the loss of the prior is not finite at step {step}")

    def _train_codes(self) -> TrainCodes:
        codes = self._codes["train"]
        cumulative = np.cumsum(codes.windows.weight, dtype=np.float64)
        standard = codes.means
        for some in np.array_split(np.arange(len(standard)), max(1, len(standard) // 4096)):
            standard[some] = (standard[some] - self._mean) / self._unit
        return TrainCodes(
            codes=standard,
            source=codes.windows.source.astype(np.int32),
            start_bar=codes.windows.start_bar.astype(np.int32),
            form=_forms(codes),
            cumulative=(cumulative / cumulative[-1]).astype(np.float32),
        )

    def _save(self, state: PriorState, results: dict[str, float]) -> None:
        is_best = results["loss"] < self._best
        self._best = min(self._best, results["loss"])
        leaves = {f"{n:04d}": leaf for n, leaf in enumerate(jax.tree.leaves(state))}
        with files.replacing(self._folder / STATE_FILE) as temporary:
            np.savez(temporary, identity=self._identity, best=self._best, **leaves)
        if not is_best:
            return
        facts = {"step": int(state.step), "model": self._checkpoint.sha256()} | results
        prior = BarPrior(
            config=self._config,
            params=state.average,
            mean=self._mean,
            unit=self._unit,
            sources=self._codes["train"].windows.sources,
            outlines=self._codes["train"].windows.outlines(_OUTLINES, self._layout.bars),
            facts=facts,
        )
        bar_prior.save(self._checkpoint.path, prior)
        logger.info("wrote %s", self._checkpoint.path / bar_prior.FILE)

    def _restored(self, state: PriorState) -> PriorState:
        """The state in the folder, or the one given if there is none.

        Raises:
          UserError: it cannot be read, or is of another run.
        """
        path = self._folder / STATE_FILE
        if not path.is_file():
            return state
        with files.reading_npz(path) as found:
            identity, best = str(found.pop("identity")), float(found.pop("best"))
            leaves = [found[name] for name in sorted(found)]
        if identity != self._identity:
            raise UserError(
                f"{path}: of another configuration or model; remove it, or give another folder"
            )
        self._best = best
        logger.info("continuing from step %d in %s", leaves[0], self._folder)
        return jax.tree.unflatten(jax.tree.structure(state), [jnp.asarray(x) for x in leaves])


def _forms(codes: Codes) -> np.ndarray:
    """The forms of windows, in bars that have codes: [windows, bars] int32."""
    form, bars = codes.windows.form, codes.means.shape[2]
    return (form if form.shape[1] == bars else np.zeros((len(form), bars))).astype(np.int32)


class _Evaluator:
    """The loss on validation windows, with noise that is always the same."""

    def __init__(self, flow: BarFlow, codes: Codes, mean: np.ndarray, unit: np.ndarray):
        total = len(codes.means)
        some = np.linspace(0, total - 1, min(_EVAL_WINDOWS, total)).astype(np.int64)
        windows = codes.windows
        phase = windows.start_bar[some, None] + np.arange(codes.means.shape[2])
        self._rows = (
            ((codes.means[some, 0] - mean) / unit).astype(np.float32),
            (phase % bar_flow.PHASES).astype(np.int32),
            windows.source[some].astype(np.int32),
            np.tile(np.arange(codes.means.shape[2]), (len(some), 1)),
        )
        self._loss = jax.jit(lambda params, rows, keys: prior_step.loss(params, flow, *rows, keys))

    def __call__(self, params: Any) -> dict[str, float]:
        total, parts = len(self._rows[0]), []
        for number in range(_EVAL_ROUNDS):
            key = jax.random.fold_in(jax.random.key(0), number)
            for first in range(0, total, 256):
                some = slice(first, min(first + 256, total))
                keys = noise.example_keys(key, first, some.stop - first)
                rows = tuple(row[some] for row in self._rows)
                parts.append((some.stop - first) * float(self._loss(params, rows, keys)))
        return {"loss": sum(parts) / (_EVAL_ROUNDS * total)}
