"""Flags of all modes or of several: files, models, sampling, training, data, the page."""

import pathlib
from typing import TYPE_CHECKING

from absl import flags

from musicvae_jax.commands import flags as mode_flags
from musicvae_jax.commands import help, reading_flags
from musicvae_jax.system.errors import UserError

if TYPE_CHECKING:
    from musicvae_jax.commands.options import Options

_BY_MODE = ""  # the text of a flag whose meaning depends on the mode, see below
_OUTPUT = flags.DEFINE_string("output", None, "The folder of the results. Default: WORKDIR/MODE.")
_AUDIO = flags.DEFINE_boolean(
    "audio", False, "Also write audio, by FluidSynth where it is installed, else as sine waves."
)
_NOTATION = flags.DEFINE_boolean(
    "notation", False, "Also write notation (MusicXML), of whole songs the line of the melodies."
)
_SOUNDFONT = flags.DEFINE_string(
    "soundfont", None, "An .sf2 or .sf3 file for --audio. Default: one found on this machine."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "The folder of a training run. Default: runs/NAME_OF_CONFIG."
)
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    "",
    "The folder of a training run or of an exported model, or 'pretrained', or 'drums'. Default: "
    "the best checkpoint in --workdir, or pretrained if there is none (in humanise drums).",
)
_BARS = flags.DEFINE_integer("bars", None, _BY_MODE, lower_bound=1, upper_bound=64)
_NUM = flags.DEFINE_integer("num", None, _BY_MODE, lower_bound=1, upper_bound=10_000)
_TEMPERATURE = mode_flags.define_float("temperature", None, _BY_MODE, low=0.0, high=10.0)
_STRENGTH = mode_flags.define_float(
    "strength",
    1.0,
    "Of drums: how far velocity and timing are those that a drummer would play: 0 not at all, 1 "
    "wholly, and up to 2 more than that. In other modes than humanise, of what the model writes.",
    low=0.0,
    high=2.0,
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Of all random choices but those of training (--config.seed).", lower_bound=0
)
_PROFILE = flags.DEFINE_string(
    "profile", None, "START:STOP, the steps of which a trace is written to WORKDIR/profile."
)
_STALL_TIMEOUT = mode_flags.define_float(
    "stall_timeout_sec",
    1800.0,
    "A process of several that completes no step for that many seconds is ended; 0: never.",
    low=0.0,
    high=1e6,
)
_BEAM_OPTIONS = flags.DEFINE_list(
    "beam_pipeline_options",
    [],
    "Build on Apache Beam with these options, separated by commas, such as "
    "--beam_pipeline_options=--runner=FlinkRunner,--flink_master=HOST:PORT. Default: on all cores "
    "of this machine, without Beam.",
)
_HOST = flags.DEFINE_string(
    "host",
    "127.0.0.1",
    "The address to listen on. Any other than the default lets everybody in who can reach it.",
)
_PORT = flags.DEFINE_integer(
    "port", 7860, "The port; 0 for any free one.", lower_bound=0, upper_bound=65535
)
_RUNTIME = flags.DEFINE_string(
    "runtime",
    None,
    "The file that `npm pack onnxruntime-web@1.30.0` makes, which runs the model in browsers. "
    "Default: it is fetched from registry.npmjs.org, and kept for the next time.",
)

_MAKES_MUSIC = ("generate", "reconstruct", "interpolate", "complete", "vary")
_HAS_MODEL = (
    *_MAKES_MUSIC,
    "humanise",
    "train_prior",
    "evaluate",
    "export",
    "export_page",
    "studio",
)
_TEMPERATURE_MEANS = "0 takes the most probable notes, 1 samples from the model's distribution. "
_WRITES = ("humanise", "train_prior", "evaluate", "export", "export_page", "build_data", "inspect")
help.describe("Input and output", (*_MAKES_MUSIC, *_WRITES), _OUTPUT)
help.describe("Input and output", _MAKES_MUSIC, _NOTATION)
help.describe("Input and output", (*_MAKES_MUSIC, "humanise"), _AUDIO, _SOUNDFONT)
help.describe("Model", _HAS_MODEL, _CHECKPOINT)
help.describe("Model", (), _WORKDIR)
help.describe(
    "Sampling",
    {
        "interpolate": "Bars of the bridge. Default: as many as the model's melodies have.",
        "generate": "Bars of each melody. Default: as many as the model's melodies have.",
        "complete": "Bars to add. Default: as many as the model's melodies have.",
    },
    _BARS,
)
help.describe(
    "Sampling",
    {
        "generate, complete, vary": "How many melodies to write. Default: 4.",
        "evaluate, export": "How many samples to compare with the data. Default: 512.",
        "interpolate": "How many candidates of each strategy, ranked by their score. Default: 1.",
    },
    _NUM,
)
help.describe(
    "Sampling",
    {
        "generate, complete, evaluate, export": (
            f"{_TEMPERATURE_MEANS}Default: 0 for a model with a bar prior, 0.7 for others."
        ),
        "reconstruct, vary": f"{_TEMPERATURE_MEANS}Default: 0.",
        "humanise": "0 takes the likeliest velocity and timing, 1 draws them. Default: 0.",
        "interpolate": f"{_TEMPERATURE_MEANS}Default: 0, and 0.5 if --num is above 1.",
    },
    _TEMPERATURE,
)
help.describe("Sampling", (*_MAKES_MUSIC, "evaluate", "export", "humanise"), _SEED)
help.describe("Sampling", (*_MAKES_MUSIC, "humanise"), _STRENGTH)
help.describe("Training", ("train",), _PROFILE)
help.describe("Several processes", ("train",), _STALL_TIMEOUT)
help.describe("Data", ("build_data",), _BEAM_OPTIONS)
help.describe("Page", ("studio",), _HOST, _PORT)
help.describe("Page", ("export_page",), _RUNTIME)


def folders(mode: str, config_name: str) -> tuple[pathlib.Path, pathlib.Path]:
    """Where training keeps its state, and where a mode writes."""
    workdir = pathlib.Path(_WORKDIR.value or f"runs/{config_name}").expanduser()
    return workdir, pathlib.Path(_OUTPUT.value).expanduser() if _OUTPUT.value else workdir / mode


def read(workdir: pathlib.Path, output: pathlib.Path) -> "Options":
    """The options of a mode.

    Args:
      workdir, output: as `folders` returns them; several processes may write elsewhere.

    Raises:
      UserError: the value of a flag is not valid.
    """
    # These import JAX, for which `--help` need not wait.
    from musicvae_jax.commands import options
    from musicvae_jax.training import loop

    inputs, transition = reading_flags.read_inputs(), mode_flags.read_transition()
    num_files = len(inputs) if transition.pairs is None else 2
    return options.Options(
        workdir=workdir,
        output=output,
        checkpoint=_CHECKPOINT.value,
        inputs=inputs,
        readings=reading_flags.read_readings(num_files),
        transition=transition,
        attributes=mode_flags.read_attributes(),
        kept_bars=mode_flags.read_kept_bars(),
        bars=_BARS.value,
        num=_NUM.value,
        seed=_SEED.value,
        temperature=_TEMPERATURE.value,
        strength=_STRENGTH.value,
        audio=_AUDIO.value,
        notation=_NOTATION.value,
        soundfont=_SOUNDFONT.value,
        run=loop.RunOptions(_profile_steps(), _STALL_TIMEOUT.value),
        beam_options=tuple(_BEAM_OPTIONS.value),
        studio=options.StudioOptions(_HOST.value, _PORT.value),
        runtime=_RUNTIME.value,
    )


def _profile_steps() -> tuple[int, int] | None:
    if _PROFILE.value is None:
        return None
    start, _, stop = _PROFILE.value.partition(":")
    if not (start.isdecimal() and stop.isdecimal() and int(start) < int(stop)):
        raise UserError(f"--profile={_PROFILE.value}: START:STOP is needed, such as 100:110")
    return int(start), int(stop)
