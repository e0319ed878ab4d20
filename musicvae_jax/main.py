"""The command line: `musicvae --help`, or `python -m musicvae_jax.main --help`."""

import contextlib
import dataclasses
import logging
import os
import pathlib
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from typing import Any, NoReturn

import ml_collections
from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags
from ml_collections.config_flags.config_flags import ConfigFileFlagParser

from musicvae_jax import configs, modes
from musicvae_jax.checkpoints import config_check
from musicvae_jax.commands import flags as mode_flags
from musicvae_jax.commands import help, process_flags, run_flags
from musicvae_jax.system import memory
from musicvae_jax.system.errors import (
    CheckpointError,
    PreemptedError,
    TrainingDivergedError,
    UserError,
)

# absl would answer these with all flags of this module, and exit with 1.
_HELP = {"--help", "-help", "-h", "-?", "--helpshort"}

logger = logging.getLogger("musicvae_jax")


class _NameOrPath(ConfigFileFlagParser):
    """The parser of `--config`: also takes the name of a configuration of the package."""

    def parse(self, path: str) -> ml_collections.ConfigDict:
        return super().parse(configs.find(path))


_NEEDS_CONFIG = [name for name, mode in modes.MODES.items() if mode.needs_config]
_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    f"One of {', '.join(configs.names())}, or the path of a file. --config.KEY=VALUE overrides a "
    f"field; {configs.find('default')} explains them. Needed by {', '.join(_NEEDS_CONFIG)}; other "
    "modes use the configuration of the checkpoint, and evaluate and export its fields as "
    "--config.KEY=VALUE alone change them.",
)
# What the command line changes of the configuration of a checkpoint: values by field.
_FIELDS: dict[str, Any] = {}
flags.FLAGS[_CONFIG.name].parser = _NameOrPath(_CONFIG.name)
_MODE = flags.DEFINE_enum("mode", "train", list(modes.MODES), "What to do.")
help.describe("Model", (), _CONFIG)


def _config_name() -> str:
    path = config_flags.get_config_filename(flags.FLAGS["config"]) if _CONFIG.value else None
    return pathlib.Path(path).stem if path else "default"


def _join_cluster() -> None:
    from musicvae_jax.system import processes

    if process_flags.join(is_training=_MODE.value == "train") is not None:
        for handler in logger.handlers:
            handler.setFormatter(
                logging.Formatter(f"%(asctime)s [{processes.name()}] %(message)s", "%H:%M:%S")
            )


@contextlib.contextmanager
def _one_writer(output: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields where this process writes: what any but the first one does is thrown away."""
    from musicvae_jax.system import processes

    if processes.is_primary():
        yield output
        return
    logger.setLevel(logging.WARNING)
    with (
        tempfile.TemporaryDirectory() as nowhere,
        open(os.devnull, "w") as null,
        contextlib.redirect_stdout(null),
    ):
        yield pathlib.Path(nowhere)


def _run() -> None:
    if _CONFIG.value is not None:
        config_check.check(_CONFIG.value)
    _join_cluster()
    from musicvae_jax.system import devices, processes

    mode = modes.MODES[_MODE.value]
    if _CONFIG.value is None and mode.needs_config:
        raise UserError(f"--mode={_MODE.value} needs a --config, for example hier")
    if _FIELDS and not mode.takes_fields:
        with_fields = ", ".join(name for name, mode in modes.MODES.items() if mode.takes_fields)
        raise UserError(
            f"--config.{next(iter(_FIELDS))} without --config: only for --mode={with_fields}"
        )
    workdir, output = run_flags.folders(_MODE.value, _config_name())
    with _one_writer(output) as output:
        options = dataclasses.replace(run_flags.read(workdir, output), fields=_FIELDS)
        logger.info("%s on %s", _MODE.value, devices.in_words())
        mode.run(_CONFIG.value, options)
    processes.stop()


def _set_up_logging() -> None:
    # Orbax tells of every file otherwise, and prints the traceback of what it also raises.
    absl_logging.set_verbosity(absl_logging.FATAL)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    package = logging.getLogger("musicvae_jax")
    package.setLevel(logging.INFO)
    package.addHandler(handler)
    package.propagate = False  # absl's handler would print each line once more


def _set_up_compilation_cache() -> None:
    import jax

    if not jax.config.jax_compilation_cache_dir:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        jax.config.update("jax_compilation_cache_dir", os.path.join(cache, "musicvae_jax", "xla"))


def _tell(message: object) -> None:
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)


def _fail(message: object, code: int) -> NoReturn:
    _tell(message)
    sys.exit(code)


def _exit_code() -> int:
    """Runs, and says how it went."""
    try:
        _run()
        return 0
    except PreemptedError as error:
        from musicvae_jax.system import processes

        logger.info("%s; the same command goes on from there", error)
        processes.stop()
        return process_flags.preemption_exit_code()
    except UserError as error:
        _tell(mode_flags.in_flags(error))
        return 2
    except (TrainingDivergedError, CheckpointError, OSError) as error:
        _tell(error)
        return 1
    except KeyboardInterrupt:
        _tell("interrupted; training goes on from its last checkpoint when run again")
        return 130
    except SystemExit as error:
        return error.code
    except Exception as error:
        from musicvae_jax.system import processes

        if not processes.is_peer_lost(error):
            raise
        _tell(
            f"another process of this run has ended or cannot be reached ({str(error)[:200]}); "
            "its own output tells why; training goes on from its last checkpoint when run again"
        )
        return 1


def _main(argv: list[str]) -> None:
    if len(argv) > 1:
        _fail(f"unexpected argument {argv[1]!r}; every option begins with --", 2)
    _set_up_logging()
    _set_up_compilation_cache()
    # What is half-written is removed and workers are ended, which a plain SIGTERM would not do;
    # the training loop answers by itself.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        code = _exit_code()
    except Exception:
        traceback.print_exc()
        code = 1
    if code:
        from musicvae_jax.system import processes

        processes.exit_if_not_alone(code)
    sys.exit(code)


def _print_help() -> None:
    """Prints the flags of the mode that the command line names, or else what there is."""
    name = _MODE.value
    text = help.of_mode(name, modes.MODES[name]) if _MODE.present else help.overview(modes.MODES)
    with contextlib.suppress(BrokenPipeError):  # a pager that was left early
        print(text, flush=True)


def _parse_flags(argv: list[str]) -> list[str]:
    wanted = [arg for arg in argv if arg not in _HELP]
    is_named = any(arg == "--config" or arg.startswith("--config=") for arg in wanted)
    if is_named or not any(arg.startswith("--config.") for arg in wanted):
        rest = _parse(wanted)
    else:  # fields that are to change the configuration of a checkpoint
        rest = _parse([wanted[0], "--config=default", *wanted[1:]])
        config = flags.FLAGS[_CONFIG.name]
        _FIELDS.update(config_flags.get_override_values(config))
        config.value = None
    if not _HELP.isdisjoint(argv):
        _print_help()
        sys.exit(0)
    return rest


def _parse(argv: list[str]) -> list[str]:
    try:
        rest = flags.FLAGS(argv)
        if _CONFIG.value is not None:
            _ = _CONFIG.value.seed  # ml_collections tells only now of a file that it cannot load
        return rest
    except OSError as error:
        named = next((arg for arg in argv if arg.startswith("--config=")), "--config")
        path = pathlib.Path(named.partition("=")[2])
        if path.is_file():
            _fail(f"{named}: cannot be loaded: {error}", 2)
        names = ", ".join(configs.names())
        _fail(f"{named}: no such configuration; there are {names}, or give a file", 2)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        # ml_collections raises these for a misspelt field or a value of another type.
        told = error.args[0] if error.args else error
        _fail(config_check.unknown_field(argv) or told, 2)


def main() -> None:
    """Parses the command line and runs; exits with 2 on bad input."""
    memory.keep_freed_memory()
    app.run(_main, flags_parser=_parse_flags)


if __name__ == "__main__":
    main()
