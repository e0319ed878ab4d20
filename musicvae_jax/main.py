"""The command line.

python -m musicvae_jax.main --config=configs/hier.py [--config.KEY=VALUE] [--mode=MODE]

"""

import contextlib
import logging
import os
import pathlib
import signal
import sys
import tempfile
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import ml_collections
from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags
from ml_collections.config_flags.config_flags import ConfigFileFlagParser

from musicvae_jax import configs, modes
from musicvae_jax.checkpoints import config_check
from musicvae_jax.commands import flags as mode_flags
from musicvae_jax.system import memory
from musicvae_jax.system.errors import (
    CheckpointError,
    PreemptedError,
    TrainingDivergedError,
    UserError,
)

if TYPE_CHECKING:
    from musicvae_jax.commands import options

logger = logging.getLogger("musicvae_jax")

__doc__ += modes.summaries() + "\n"  # `--help` begins with this text
flags.adopt_module_key_flags(mode_flags)  # else `--help` would leave them out


class _NameOrPath(ConfigFileFlagParser):
    """The parser of `--config`: also takes the name of a configuration of the package."""

    def parse(self, path: str) -> ml_collections.ConfigDict:
        return super().parse(configs.find(path))


_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    f"One of {', '.join(configs.names())}, or the path of a file such as configs/hier.py; "
    "--config.KEY=VALUE overrides a field. Needed by train and build_data; other modes take the "
    "checkpoint's.",
)
flags.FLAGS[_CONFIG.name].parser = _NameOrPath(_CONFIG.name)
_MODE = flags.DEFINE_enum("mode", "train", list(modes.MODES), "What to do; see above.")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Where training keeps checkpoints and metrics. Default: runs/CONFIG_NAME."
)
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    "",
    "The workdir of a training run, or 'pretrained'. Default: --workdir's best, else pretrained.",
)
_INPUT = flags.DEFINE_list(
    "input", [], "MIDI files, separated by commas. Default: two examples that are shipped."
)
_OUTPUT = flags.DEFINE_string("output", None, "Where results go. Default: WORKDIR/MODE.")
_BARS = flags.DEFINE_integer(
    "bars",
    None,
    "interpolate: bars of the bridge; complete: bars to add. Default: as many as the model knows.",
    lower_bound=1,
    upper_bound=64,
)
_NUM = flags.DEFINE_integer(
    "num",
    None,
    "generate, complete: how many (default 4); evaluate, export: how many samples to compare with "
    "the data (default 512). interpolate: how many candidates of each strategy, "
    "ranked by the score of the report (default 1).",
    lower_bound=1,
    upper_bound=10_000,
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of random choices in inference; training uses --config.seed.", lower_bound=0
)
_TEMPERATURE = flags.DEFINE_float(
    "temperature",
    None,
    "0 takes the likeliest notes, 1 samples as the model believes. Default: 0 for reconstruct and "
    "interpolate, 0.5 for interpolate with --num above 1, 0.7 elsewhere.",
    lower_bound=0.0,
)
_AUDIO = flags.DEFINE_boolean(
    "audio",
    False,
    "Also write audio, by FluidSynth where it is installed, else as sine waves.",
)
_SOUNDFONT = flags.DEFINE_string(
    "soundfont", None, "For --audio: an .sf2 or .sf3 file. Default: one that is found."
)
_HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "studio: the address to listen on. Others than this machine's own let anybody in who can reach "
    "it.",
)
_PORT = flags.DEFINE_integer(
    "port", 7860, "studio: the port; 0 for one that is free.", lower_bound=0, upper_bound=65535
)
_BEAM_OPTIONS = flags.DEFINE_list(
    "beam_pipeline_options",
    [],
    "build_data: build on Apache Beam with these options, separated by commas, as "
    "--beam_pipeline_options=--runner=FlinkRunner,--flink_master=HOST:PORT. Default: on all cores "
    "of this machine, without Beam.",
)

# Of several processes, on one machine or many.
_COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "HOST:PORT of the first process, in a run of several. Default: $JAX_COORDINATOR_ADDRESS; on "
    "TPU VMs, under SLURM's srun and Open MPI it is found without.",
)
_NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "How many processes. Default: $JAX_NUM_PROCESSES.", lower_bound=1
)
_PROCESS_ID = flags.DEFINE_integer(
    "process_id",
    None,
    "Which one this is, from 0. Default: $JAX_PROCESS_ID, or $JOB_COMPLETION_INDEX of Kubernetes.",
    lower_bound=0,
)
_HEARTBEAT_TIMEOUT = flags.DEFINE_integer(
    "heartbeat_timeout_sec",
    60,
    "A process that is silent for so long counts as dead, and the others end.",
    lower_bound=5,
)
_STALL_TIMEOUT = flags.DEFINE_float(
    "stall_timeout_sec",
    1800.0,
    "train: one of several processes that finishes no step for so long is ended; 0: never.",
    lower_bound=0.0,
)
_PREEMPTION_EXIT_CODE = flags.DEFINE_integer(
    "preemption_exit_code",
    0,
    "train: the exit code after SIGTERM was answered by saving the state. Schedulers that start "
    "again only what failed need one that is not 0.",
    lower_bound=0,
    upper_bound=255,
)
_PROFILE = flags.DEFINE_string(
    "profile", None, "train: START:STOP, the steps of which to write a trace to WORKDIR/profile."
)


def _config_name() -> str:
    path = config_flags.get_config_filename(flags.FLAGS["config"]) if _CONFIG.value else None
    return pathlib.Path(path).stem if path else "default"


def _profile_steps() -> tuple[int, int] | None:
    if _PROFILE.value is None:
        return None
    start, _, stop = _PROFILE.value.partition(":")
    if not (start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
        raise UserError(f"--profile={_PROFILE.value}: START:STOP is needed, as 100:110")
    return int(start), int(stop)


def _join_cluster() -> None:
    from musicvae_jax.system import processes

    cluster = processes.find_cluster(
        os.environ,
        _COORDINATOR.value,
        _NUM_PROCESSES.value,
        _PROCESS_ID.value,
        processes.has_tpu(os.environ),
    )
    processes.start(cluster, _HEARTBEAT_TIMEOUT.value, _MODE.value == "train")
    if cluster is not None:
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


def _options(workdir: pathlib.Path, output: pathlib.Path) -> "options.Options":
    from musicvae_jax.commands import options
    from musicvae_jax.training import loop

    return options.Options(
        workdir=workdir,
        output=output,
        checkpoint=_CHECKPOINT.value,
        inputs=tuple(name for name in _INPUT.value if name),
        transition=mode_flags.read_transition(),
        attributes=mode_flags.read_attributes(),
        bars=_BARS.value,
        num=_NUM.value,
        seed=_SEED.value,
        temperature=_TEMPERATURE.value,
        audio=_AUDIO.value,
        soundfont=_SOUNDFONT.value,
        run=loop.RunOptions(_profile_steps(), _STALL_TIMEOUT.value),
        beam_options=tuple(_BEAM_OPTIONS.value),
        studio=options.StudioOptions(_HOST.value, _PORT.value),
    )


def _run() -> None:
    if _CONFIG.value is not None:
        config_check.check(_CONFIG.value)
    _join_cluster()
    from musicvae_jax.system import devices, processes

    mode = modes.MODES[_MODE.value]
    if _CONFIG.value is None and mode.needs_config:
        raise UserError(f"--mode={_MODE.value} needs a --config, for example hier")
    workdir = pathlib.Path(_WORKDIR.value or f"runs/{_config_name()}").expanduser()
    output = pathlib.Path(_OUTPUT.value).expanduser() if _OUTPUT.value else workdir / _MODE.value
    with _one_writer(output) as output:
        told = _options(workdir, output)
        logger.info("%s on %s", _MODE.value, devices.in_words())
        mode.run(_CONFIG.value, told)
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
        return _PREEMPTION_EXIT_CODE.value
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


def _parse_flags(argv: list[str]) -> list[str]:
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
        _fail(error.args[0] if error.args else error, 2)


def main() -> None:
    """Parses the command line and runs; exits with 2 on bad input."""
    memory.keep_freed_memory()
    app.run(_main, flags_parser=_parse_flags)


if __name__ == "__main__":
    main()
