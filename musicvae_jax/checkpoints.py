"""Checkpoints by Orbax: parameters, optimizer and configuration, apart from each other.

Inference reads only the parameters and the configuration, so a checkpoint to share
may lack the optimizer. Nothing in a checkpoint is executed when it is read.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import ml_collections
import numpy as np
import orbax.checkpoint as ocp

from musicvae_jax.errors import UserError

PRETRAINED = "pretrained"
SUBDIRECTORY = "checkpoints"
_METRIC = "nll_per_token"
# Fields of `config.model` that say how it is computed, and not what it is.
_COMPUTATION = ("dtype", "lstm")


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


def open_manager(workdir: pathlib.Path, read_only: bool = False) -> ocp.CheckpointManager:
    """The checkpoints of a run: the latest two and the one of lowest validation loss."""
    options = ocp.CheckpointManagerOptions(
        best_fn=lambda metrics: metrics[_METRIC],
        best_mode="min",
        preservation_policy=_policy(),
        read_only=read_only,
        create=not read_only,
    )
    return ocp.CheckpointManager(workdir.absolute() / SUBDIRECTORY, options=options)


def save(
    manager: ocp.CheckpointManager,
    step: int,
    params: Any,
    optimizer: Any,
    config: ml_collections.ConfigDict,
    metrics: dict[str, float],
) -> None:
    """Starts to write a checkpoint in the background; the arguments are host arrays."""
    manager.save(
        step,
        args=ocp.args.Composite(
            params=ocp.args.StandardSave(params),
            optimizer=ocp.args.StandardSave(optimizer),
            config=ocp.args.JsonSave(json.loads(config.to_json())),
        ),
        metrics=metrics,
    )


def _as_target(abstract: Any) -> Any:
    return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), abstract)


def restore_config(manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    """The configuration of a checkpoint, as plain values."""
    restored = manager.restore(step, args=ocp.args.Composite(config=ocp.args.JsonRestore()))
    return restored["config"]


def restore_for_training(
    manager: ocp.CheckpointManager, step: int, params: Any, optimizer: Any
) -> tuple[Any, Any]:
    """Parameters and optimizer as host arrays; the arguments give shapes and types."""
    restored = manager.restore(
        step,
        args=ocp.args.Composite(
            params=ocp.args.StandardRestore(_as_target(params)),
            optimizer=ocp.args.StandardRestore(_as_target(optimizer)),
        ),
    )
    return restored["params"], restored["optimizer"]


def check_same_model(
    saved: dict[str, Any], config: ml_collections.ConfigDict, where: str | os.PathLike
) -> None:
    """Compares the model of a checkpoint with the one that is asked for.

    Raises:
      UserError: they differ; lists the keys.
    """
    asked = json.loads(config.model.to_json())
    saved = saved["model"]
    differing = [
        f"model.{key} is {saved.get(key, 'missing')!r} there and {asked.get(key, 'missing')!r} here"
        for key in sorted({*saved, *asked})
        if key not in _COMPUTATION and saved.get(key) != asked.get(key)
    ]
    if differing:
        raise UserError(f"the checkpoint in {where} is of another model: " + "; ".join(differing))


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A trained model.

    Attributes:
      path: where it was read from.
      step: after how many training steps.
      config: the configuration it was trained with.
      params: host arrays.
    """

    path: pathlib.Path
    step: int
    config: ml_collections.ConfigDict
    params: Any

    def sha256(self) -> str:
        """A hash of the parameters' names, shapes and values."""
        digest = hashlib.sha256()
        for name, leaf in jax.tree_util.tree_leaves_with_path(self.params):
            digest.update(f"{jax.tree_util.keystr(name)}{leaf.shape}{leaf.dtype}".encode())
            digest.update(np.ascontiguousarray(leaf).tobytes())
        return digest.hexdigest()


def find(checkpoint: str, workdir: pathlib.Path) -> pathlib.Path:
    """The run directory that `--checkpoint` means: one given, the workdir's, or the shipped one.

    Raises:
      UserError: there is no checkpoint.
    """
    shipped = pathlib.Path(__file__).parent / PRETRAINED
    if checkpoint and checkpoint != PRETRAINED:
        directory = pathlib.Path(checkpoint).expanduser()
        directory = directory.parent if directory.name == SUBDIRECTORY else directory
        if _steps(directory):
            return directory
        raise UserError(
            f"--checkpoint={checkpoint}: no checkpoint there; a --workdir of training or "
            f"{PRETRAINED!r} is needed"
        )
    if not checkpoint and _steps(workdir):
        return workdir
    if _steps(shipped):
        return shipped
    if checkpoint:
        raise UserError(f"--checkpoint={PRETRAINED}: this installation ships no trained model")
    raise UserError(
        f"no checkpoint in --workdir={workdir}: train first "
        "(python -m musicvae_jax.main --config=configs/hier.py), or give --checkpoint=DIR"
    )


def _steps(directory: pathlib.Path) -> list[int]:
    folder = directory / SUBDIRECTORY
    if not folder.is_dir():
        return []
    return sorted(int(child.name) for child in folder.iterdir() if child.name.isdecimal())


def load(
    directory: pathlib.Path,
    abstract_params: Callable[[ml_collections.ConfigDict], Any],
    config: ml_collections.ConfigDict | None = None,
) -> Checkpoint:
    """Reads the best checkpoint of a run for inference.

    Args:
      directory: from `find`.
      abstract_params: called with the configuration; gives the parameters' shapes.
      config: if given, the checkpoint must be of its model.

    Raises:
      UserError: the checkpoint cannot be read, or is of another model.
    """
    try:
        with open_manager(directory, read_only=True) as manager:
            step = manager.best_step()
            step = manager.latest_step() if step is None else step
            saved = restore_config(manager, step)
            if config is not None:
                check_same_model(saved, config, directory)
            saved = ml_collections.ConfigDict(saved)
            target = _as_target(abstract_params(saved))
            restored = manager.restore(
                step, args=ocp.args.Composite(params=ocp.args.StandardRestore(target))
            )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the checkpoint in {directory} cannot be read: {reason}") from error
    return Checkpoint(directory, step, saved, restored["params"])
