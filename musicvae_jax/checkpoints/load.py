"""Checkpoints for inference: found by name, read without the optimizer."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import ml_collections

from musicvae_jax.checkpoints import config_check, store
from musicvae_jax.checkpoints.hashes import check_hashes, tree_sha256
from musicvae_jax.system.errors import UserError

PRETRAINED, TRIPLE, DRUMS = "pretrained", "triple", "drums"
# The models that come with the package, by name.
SHIPPED = {
    PRETRAINED: pathlib.Path(__file__).parents[1] / PRETRAINED,
    TRIPLE: pathlib.Path(__file__).parents[1] / "pretrained_triple",
    DRUMS: pathlib.Path(__file__).parents[1] / "pretrained_drums",
}
# Of them the one that is taken where no other is asked for, by the steps of a bar.
OF_STEPS = {16: PRETRAINED, 12: TRIPLE}


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A trained model.

    Attributes:
      path: the directory that it was read from.
      step: the number of training steps.
      config: the configuration that it was trained with.
      params: host arrays.
    """

    path: pathlib.Path
    step: int
    config: ml_collections.ConfigDict
    params: Any

    def sha256(self) -> str:
        """A hash of the parameters' names, shapes and values."""
        return tree_sha256(self.params)


def find(
    checkpoint: str,
    workdir: pathlib.Path,
    argument: str = "checkpoint",
    usual: str = PRETRAINED,
) -> pathlib.Path:
    """The run directory to load from: one given, the workdir, or a shipped model's.

    Args:
      checkpoint: the directory of a training run, a name in `SHIPPED`, or empty for the
        workdir's model if there is one, else a shipped one.
      workdir: of this run.
      argument: what an error calls `checkpoint`.
      usual: the name of the shipped one.

    Raises:
      UserError: there is no checkpoint.
    """
    if checkpoint and checkpoint not in SHIPPED:
        directory = pathlib.Path(checkpoint).expanduser()
        directory = directory.parent if directory.name == store.SUBDIRECTORY else directory
        if _steps(directory):
            return directory
        raise UserError(
            f"{argument}={checkpoint}: no checkpoint there; the workdir of a training run or "
            f"{' or '.join(map(repr, SHIPPED))} is needed",
            argument,
        )
    if not checkpoint and _steps(workdir):
        return workdir
    shipped = SHIPPED[checkpoint or usual]
    if _steps(shipped):
        check_hashes(shipped)
        return shipped
    if checkpoint:
        raise UserError(
            f"{argument}={checkpoint}: this installation does not ship that model", argument
        )
    raise UserError(
        f"no model in workdir={workdir}, and {usual!r} is not shipped: train one there, or give "
        f"{argument}=DIR",
        "workdir",
        argument,
    )


def is_run(directory: pathlib.Path) -> bool:
    """Whether there is a checkpoint in a directory."""
    return bool(_steps(directory))


def _steps(directory: pathlib.Path) -> list[int]:
    folder = directory / store.SUBDIRECTORY
    if not folder.is_dir():
        return []
    return sorted(int(child.name) for child in folder.iterdir() if child.name.isdecimal())


def load(
    directory: pathlib.Path,
    abstract_params: Callable[[ml_collections.ConfigDict], Any],
    config: ml_collections.ConfigDict | None = None,
    may_differ: Sequence[str] = (),
) -> Checkpoint:
    """Reads the best checkpoint of a run for inference.

    Args:
      directory: from `find`.
      abstract_params: gives the shapes of a configuration's parameters.
      config: if given, the checkpoint's model must be the one that it describes.
      may_differ: fields of `config.model` in which it may be another.

    Raises:
      UserError: the checkpoint cannot be read, or is of another model.
    """
    try:
        with store.open_manager(directory, read_only=True) as manager:
            step = manager.best_step()
            step = manager.latest_step() if step is None else step
            saved = store.restore_config(manager, step)
            if config is not None:
                store.check_same_model(saved, config, directory, may_differ)
            saved = ml_collections.ConfigDict(saved)
            config_check.check(saved)
            params = store.restore_params(manager, step, abstract_params(saved))
    except store.UNREADABLE as error:
        raise UserError(
            f"the checkpoint in {directory} cannot be read: {store.reason(error)}"
        ) from error
    return Checkpoint(directory, step, saved, params)
