"""The command line.

python -m musicvae_jax.main --config=configs/hier.py [--config.KEY=VALUE] [--mode=MODE]

  train (default)  trains, evaluates, checkpoints; run again to go on
  evaluate         measures a checkpoint on the test split
  generate         writes new melodies
  reconstruct      encodes and decodes MIDI files
  interpolate      writes the transition between two MIDI files
  complete         continues a MIDI file
  build_data       only builds the data set, and reports what went into it
  inspect          explains what becomes of a MIDI file, and why
"""

import logging
import os
import pathlib
import sys

from absl import app, flags
from absl import logging as absl_logging
from ml_collections import config_flags

from musicvae_jax import config_check, host_memory
from musicvae_jax.errors import TrainingDivergedError, UserError

# Only names are needed here: importing JAX for `--help`, or in each process that
# reads tunes, would take seconds.
MODE_NAMES = (
    "train",
    "evaluate",
    "generate",
    "reconstruct",
    "interpolate",
    "complete",
    "build_data",
    "inspect",
)
_NEEDS_CONFIG = ("train", "build_data")

_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Configuration file, as configs/hier.py; --config.KEY=VALUE overrides a field. Needed by "
    "train and build_data; other modes take the checkpoint's.",
    lock_config=True,
)
_MODE = flags.DEFINE_enum("mode", "train", MODE_NAMES, "What to do; see above.")
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
_STRATEGY = flags.DEFINE_list(
    "strategy", ["all"], "interpolate: latent, teacher_forcing, combined, or all."
)
_GRANULARITY = flags.DEFINE_enum(
    "granularity", "bar", ["bar"], "interpolate: what is mixed; so far only whole bars."
)
_NUM = flags.DEFINE_integer("num", 4, "generate, complete: how many.", lower_bound=1)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of random choices in inference; training uses --config.seed.", lower_bound=0
)
_TEMPERATURE = flags.DEFINE_float(
    "temperature",
    None,
    "0 takes the likeliest notes, 1 samples as the model believes. Default: 0 for reconstruct and "
    "interpolate, 0.7 for generate and complete.",
    lower_bound=0.0,
)
_WAV = flags.DEFINE_boolean("wav", False, "Also write each melody as audio (sine waves).")
_BEAM_OPTIONS = flags.DEFINE_list(
    "beam_pipeline_options",
    [],
    "build_data: build on Apache Beam with these options, separated by commas, as "
    "--beam_pipeline_options=--runner=FlinkRunner,--flink_master=HOST:PORT. Default: on all cores "
    "of this machine, without Beam.",
)


def _config_name() -> str:
    path = config_flags.get_config_filename(flags.FLAGS["config"]) if _CONFIG.value else None
    return pathlib.Path(path).stem if path else "default"


def _run() -> None:
    if _CONFIG.value is not None:
        config_check.check(_CONFIG.value)
    from musicvae_jax import modes, options

    if _CONFIG.value is None and _MODE.value in _NEEDS_CONFIG:
        raise UserError(f"--mode={_MODE.value} needs a --config, for example configs/hier.py")
    workdir = pathlib.Path(_WORKDIR.value or f"runs/{_config_name()}").expanduser()
    output = pathlib.Path(_OUTPUT.value).expanduser() if _OUTPUT.value else workdir / _MODE.value
    told = options.Options(
        workdir=workdir,
        output=output,
        checkpoint=_CHECKPOINT.value,
        inputs=tuple(name for name in _INPUT.value if name),
        strategies=modes.check_strategies(_STRATEGY.value),
        num=_NUM.value,
        seed=_SEED.value,
        temperature=_TEMPERATURE.value,
        wav=_WAV.value,
        beam_options=tuple(_BEAM_OPTIONS.value),
    )
    logging.getLogger("musicvae_jax").info("%s on %s", _MODE.value, modes.describe_devices())
    modes.MODES[_MODE.value](_CONFIG.value, told)


def _set_up_logging() -> None:
    absl_logging.set_verbosity(absl_logging.ERROR)  # Orbax tells of every file otherwise
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("musicvae_jax")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False  # absl's handler would print each line once more


def _set_up_compilation_cache() -> None:
    import jax

    if not jax.config.jax_compilation_cache_dir:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        jax.config.update("jax_compilation_cache_dir", os.path.join(cache, "musicvae_jax", "xla"))


def _fail(message: object, code: int) -> None:
    print(f"error: {' '.join(str(message).split())}", file=sys.stderr)
    sys.exit(code)


def _main(argv: list[str]) -> None:
    if len(argv) > 1:
        _fail(f"unexpected argument {argv[1]!r}; every option begins with --", 2)
    _set_up_logging()
    _set_up_compilation_cache()
    try:
        _run()
    except UserError as error:
        _fail(error, 2)
    except TrainingDivergedError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        _fail("interrupted; training goes on from its last checkpoint when run again", 130)


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
        found = ", ".join(sorted(str(p) for p in pathlib.Path("configs").glob("*.py")))
        _fail(f"{named}: no such configuration file; there are {found or 'none here'}", 2)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        # ml_collections raises these for a misspelt field or a value of another type.
        _fail(error.args[0] if error.args else error, 2)


def main() -> None:
    """Parses the command line and runs; exits with 2 on bad input."""
    host_memory.keep_freed_memory()
    app.run(_main, flags_parser=_parse_flags)


if __name__ == "__main__":
    main()
