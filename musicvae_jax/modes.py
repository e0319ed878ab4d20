"""What `--mode` can be.

A mode is imported when it runs, and not before: the command line reads this table for
`--help`, and in every process that reads tunes, where importing JAX would take seconds.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import ml_collections

from musicvae_jax.system.errors import UserError

if TYPE_CHECKING:
    from musicvae_jax.commands.options import Options

Run = Callable[[ml_collections.ConfigDict | None, "Options"], None]


@dataclasses.dataclass(frozen=True)
class Mode:
    """One mode of the command line.

    Attributes:
      summary: what it does, in one line.
      run: does it, with the configuration that was given, or None, and the options.
      needs_config: whether there must be a configuration.
      takes_fields: whether fields may be given that change the configuration of the checkpoint.
    """

    summary: str
    run: Run
    needs_config: bool = False
    takes_fields: bool = False


def _train(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import train

    train.train(config, options)


def _train_prior(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import train_prior

    train_prior.train_prior(config, options)


def _evaluate(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import evaluate

    evaluate.evaluate(config, options)


def _generate(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import melodies

    melodies.generate(config, options)


def _reconstruct(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import melodies

    melodies.reconstruct(config, options)


def _interpolate(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import interpolate

    interpolate.interpolate(config, options)


def _complete(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import melodies

    melodies.complete(config, options)


def _vary(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import melodies

    melodies.vary(config, options)


def _humanise(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import humanise

    humanise.humanise(config, options)


def _build_data(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import build_data

    build_data.build_data(config, options)


def _inspect(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import inspect

    inspect.inspect(config, options)


def _export(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    from musicvae_jax.commands import export

    export.export(config, options)


def _studio(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    with _extra("studio", "studio"):
        from musicvae_jax.studio import server
    server.studio(config, options)


def _export_page(config: ml_collections.ConfigDict | None, options: "Options") -> None:
    with _extra("export_page", "page"):
        from musicvae_jax.static_page import export
    export.export_page(config, options)


@contextlib.contextmanager
def _extra(mode: str, extra: str) -> Iterator[None]:
    """Imports what a mode needs that comes with an extra.

    Raises:
      UserError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"--mode={mode} needs {error.name}: pip install 'musicvae-jax[{extra}]'"
        ) from error


MODES = {
    "train": Mode(
        "(default) trains, evaluates, checkpoints; run again to go on", _train, needs_config=True
    ),
    "train_prior": Mode(
        "trains a prior over a model's bars, from which new melodies are drawn",
        _train_prior,
        takes_fields=True,
    ),
    "evaluate": Mode(
        "measures a checkpoint on the test split, or on your own music",
        _evaluate,
        takes_fields=True,
    ),
    "generate": Mode("writes new melodies", _generate),
    "reconstruct": Mode("encodes and decodes music files", _reconstruct),
    "interpolate": Mode("writes the transition between two music files", _interpolate),
    "complete": Mode("continues a music file", _complete),
    "vary": Mode("writes some bars of a music file anew", _vary),
    "humanise": Mode("plays the drums of a file as a drummer would", _humanise),
    "build_data": Mode(
        "builds the data set, trains nothing, and reports what went into it",
        _build_data,
        needs_config=True,
    ),
    "inspect": Mode("explains what becomes of a music file, and why", _inspect),
    "export": Mode(
        "writes a checkpoint to share, small and with its hashes", _export, takes_fields=True
    ),
    "studio": Mode("a page in the browser to make and hear transitions, on this machine", _studio),
    "export_page": Mode("writes a page that makes transitions without a server", _export_page),
}
