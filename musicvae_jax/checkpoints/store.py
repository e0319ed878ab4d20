"""Checkpoints by Orbax: parameters, optimizer and configuration, in separate items.

Inference reads only the parameters and the configuration, so a checkpoint to share
may lack the optimizer. Nothing in a checkpoint is executed when it is read: it is JSON
and arrays of numbers, and its configuration is checked like one that a user gives.

A checkpoint appears whole, by a rename, once all of it is written. If a run is killed
while it writes, the incomplete files are never read, and the next run removes them. A
checkpoint that is damaged later is recognised by the hashes in it; it is moved aside, and
the one before is taken.
"""

import contextlib
import json
import logging
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import absl.logging
import jax
import ml_collections
import numpy as np
import orbax.checkpoint as ocp

from musicvae_jax.checkpoints import config_check
from musicvae_jax.checkpoints.hashes import json_sha256, tree_sha256
from musicvae_jax.system import processes
from musicvae_jax.system.errors import CheckpointError, UserError

logger = logging.getLogger(__name__)

SUBDIRECTORY = "checkpoints"
_METRIC = "nll_per_token"
# Fields of `config.model` that change how a model is computed, but not the model.
_COMPUTATION = ("dtype", "lstm")
# Raised by Orbax, TensorStore and JSON for files that are missing, cut off or altered.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


def _policy() -> ocp.checkpoint_managers.AnyPreservationPolicy:
    managers = ocp.checkpoint_managers
    # `max_to_keep` with `best_fn` would drop the latest checkpoint when it is not
    # among the best, and a resumed run would begin from an old one.
    return managers.AnyPreservationPolicy(
        [
            managers.LatestN(2),
            managers.BestN(
                n=1,
                get_metric_fn=lambda metrics: metrics[_METRIC],
                reverse=True,  # the lowest is the best
                keep_checkpoints_without_metrics=False,
            ),
        ]
    )


@contextlib.contextmanager
def _without_notice_of_reading() -> Iterator[None]:
    """Orbax warns that a manager which is asked to read only does so."""

    def is_news(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Given directory is read only")

    orbax_logger = absl.logging.get_absl_logger()
    orbax_logger.addFilter(is_news)
    try:
        yield
    finally:
        orbax_logger.removeFilter(is_news)


@contextlib.contextmanager
def open_manager(workdir: pathlib.Path, read_only: bool = False) -> Iterator[ocp.CheckpointManager]:
    """The checkpoints of a run: the latest two and the one of lowest validation loss.

    Every process of a run opens, saves and restores; only the first one writes.
    """
    options = ocp.CheckpointManagerOptions(
        best_fn=lambda metrics: metrics[_METRIC],
        best_mode="min",
        preservation_policy=_policy(),
        read_only=read_only,
        create=not read_only,
        cleanup_tmp_directories=not read_only,
        save_interval_steps=0 if read_only else 1,
    )
    with _without_notice_of_reading() if read_only else contextlib.nullcontext():
        manager = ocp.CheckpointManager(workdir.absolute() / SUBDIRECTORY, options=options)
    try:
        yield manager
    except BaseException:
        with contextlib.suppress(Exception):  # a save that failed fails once more here
            manager.close()
        raise
    manager.close()


def save(
    manager: ocp.CheckpointManager,
    step: int,
    params: Any,
    optimizer: Any,
    config: ml_collections.ConfigDict,
    metrics: dict[str, float] | None,
) -> None:
    """Starts to write a checkpoint in the background; the arguments are host arrays.

    Args:
      manager: from `open_manager`.
      step: the number of training steps that were done.
      params, optimizer: the same in every process; the optimizer may be None for a
        checkpoint from which nobody will train.
      config: of the run.
      metrics: of validation, or None if there was no time for it.

    Raises:
      CheckpointError: this or the previous checkpoint cannot be written.
    """
    plain_config = json.loads(config.to_json())
    trees = {"params": params} | ({} if optimizer is None else {"optimizer": optimizer})
    hashes = {name: tree_sha256(tree) for name, tree in trees.items()}
    hashes["config"] = json_sha256(plain_config)
    if not manager.directory.is_dir():
        logger.warning("%s has vanished; it is made anew", manager.directory)
        if processes.is_primary():
            pathlib.Path(manager.directory).mkdir(parents=True, exist_ok=True)
        wait(manager, step)
        manager.reload()  # forgets the steps that are gone
    try:
        manager.save(
            step,
            args=ocp.args.Composite(
                config=ocp.args.JsonSave(plain_config),
                hashes=ocp.args.JsonSave(hashes),
                **{name: ocp.args.StandardSave(tree) for name, tree in trees.items()},
            ),
            metrics=metrics,
        )
    except UNREADABLE as error:
        raise _not_written(manager, step, error) from error


def wait(manager: ocp.CheckpointManager, step: int) -> None:
    """Waits until the checkpoint of a step is written.

    Raises:
      CheckpointError: it cannot be written.
    """
    try:
        manager.wait_until_finished()
    except UNREADABLE as error:
        raise _not_written(manager, step, error) from error


def reason(error: Exception) -> str:
    """The beginning and the end of a message; TensorStore's messages have the cause last."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) < 250 else f"{text[:100]} ... {text[-140:]}"


def _not_written(manager: ocp.CheckpointManager, step: int, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"a checkpoint cannot be written to {manager.directory}, at step {step}: "
        f"{reason(error)}. The ones before are whole; the same command goes on from there"
    )


def _as_target(abstract: Any) -> Any:
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), abstract)


def _restore(manager: ocp.CheckpointManager, step: int, **args: Any) -> Any:
    """Reads items of a checkpoint, and compares them with their hashes.

    Raises:
      ValueError: one is not what was written.
      OSError, KeyError, TypeError, AttributeError: one cannot be read.
    """
    # TensorStore does not notice every altered bit. Old checkpoints without hashes are
    # not compared.
    if (manager.directory / str(step) / "hashes").exists():
        args["hashes"] = ocp.args.JsonRestore()
    restored = manager.restore(step, args=ocp.args.Composite(**args))
    for name, expected in (restored.get("hashes") or {}).items():
        if name in args:
            value = restored[name]
            found = json_sha256(value) if name == "config" else tree_sha256(value)
            if found != expected:
                raise ValueError(f"{name} of step {step} is not what was written")
    return restored


def restore_config(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    """The configuration of a checkpoint, as plain values."""
    saved = _restore(manager, step, config=ocp.args.JsonRestore())["config"]
    return config_check.complete(saved)


def restore_params(manager: ocp.CheckpointManager, step: int, params: Any) -> Any:
    """Parameters alone, as host arrays; the argument gives shapes and types."""
    target = ocp.args.StandardRestore(_as_target(params))
    return _restore(manager, step, params=target)["params"]


def restore_for_training(
    manager: ocp.CheckpointManager, step: int, params: Any, optimizer: Any
) -> tuple[Any, Any]:
    """Parameters and optimizer as host arrays; the arguments give shapes and types."""
    restored = _restore(
        manager,
        step,
        params=ocp.args.StandardRestore(_as_target(params)),
        optimizer=ocp.args.StandardRestore(_as_target(optimizer)),
    )
    return restored["params"], restored["optimizer"]


def restore_latest(
    manager: ocp.CheckpointManager,
    params: Any,
    optimizer: Any,
    config: ml_collections.ConfigDict,
) -> tuple[int, Any, Any] | None:
    """The latest checkpoint that is whole: its step, parameters and optimizer.

    Later ones, which cannot be read, are moved aside, so that their steps can be written
    again.

    Args:
      manager: from `open_manager`.
      params, optimizer: trees whose leaves have the shapes and types to expect.
      config: of the run that continues.

    Returns:
      Host arrays, the same in every process; None if there is no checkpoint.

    Raises:
      UserError: the checkpoint is of another model, or none of them can be read.
    """
    damaged = []
    for step in sorted(manager.all_steps(), reverse=True):
        restored, why = None, "another process cannot read it"
        try:
            saved = restore_config(manager, step)
            check_same_model(saved, config, manager.directory)
            restored = restore_for_training(manager, step, params, optimizer)
        except UNREADABLE as error:
            why = reason(error)
        if processes.all_agree(restored is not None):
            _put_aside(manager, damaged)
            return step, *restored
        logger.warning("the checkpoint of step %d cannot be used: %s", step, why)
        damaged.append(step)
    if damaged:
        raise UserError(
            f"no checkpoint in {manager.directory} can be read (steps {damaged}); choose another "
            "workdir, or remove them to begin anew",
            "workdir",
        )
    return None


def _put_aside(manager: ocp.CheckpointManager, steps: list[int]) -> None:
    if not steps:
        return
    if processes.is_primary():
        for step in steps:
            folder = pathlib.Path(manager.directory) / str(step)
            number = len(list(folder.parent.glob(f"damaged-{step}-*")))
            folder.rename(folder.with_name(f"damaged-{step}-{number}"))
    processes.all_agree(True)  # no process goes on before they are renamed
    manager.reload()


def check_same_model(
    saved: dict[str, Any],
    config: ml_collections.ConfigDict,
    where: str | os.PathLike,
    may_differ: Sequence[str] = (),
) -> None:
    """Compares the model of a checkpoint with the one that is asked for.

    Args:
      saved: the configuration of the checkpoint.
      config: the one that is asked for.
      where: the checkpoint is.
      may_differ: fields of `config.model` that are not compared.

    Raises:
      UserError: they differ; lists the keys.
    """
    asked = json.loads(config.model.to_json())
    saved = saved["model"]
    differing = [
        f"model.{key} is {saved.get(key, 'missing')!r} there and {asked.get(key, 'missing')!r} here"
        for key in sorted({*saved, *asked})
        if key not in (*_COMPUTATION, *may_differ) and saved.get(key) != asked.get(key)
    ]
    if differing:
        raise UserError(f"the checkpoint in {where} is of another model: " + "; ".join(differing))
