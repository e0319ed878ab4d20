"""Flags of single modes: of transitions, and of attributes that are added to latents."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from absl import flags

from musicvae_jax.music.attributes import ATTRIBUTES
from musicvae_jax.system.errors import UserError

if TYPE_CHECKING:
    from musicvae_jax.commands.options import TransitionOptions

MAX_AMOUNT = 10.0

_STRATEGY = flags.DEFINE_list(
    "strategy",
    ["all"],
    "interpolate: latent, teacher_forcing, combined, dual_conductor, dual_combined, the baselines "
    "crossfade and cut, or all.",
)
_GRANULARITY = flags.DEFINE_enum(
    "granularity",
    "bar",
    ["bar", "note"],
    "interpolate: whether melodies are mixed by whole bars, or note by note where none is held.",
)
_PATH = flags.DEFINE_enum(
    "path", "linear", ["linear", "spherical"], "interpolate: how the latent moves."
)
_CURVE = flags.DEFINE_list(
    "curve",
    ["linear"],
    "interpolate: how far each bar has come from melody 1 (0) to melody 2 (1): linear, "
    "smoothstep, hold, sigmoid, or numbers, as 0,0.2,0.8,1, for each bar or joined by lines.",
)
_CONTROL_CURVE = flags.DEFINE_list(
    "control_curve", [], "interpolate: the same for the notes that are mixed. Default: --curve."
)
_ENDS = flags.DEFINE_enum(
    "ends",
    "exact",
    ["exact", "model"],
    "interpolate: whether bars at 0 and 1 are the melodies' own, or the model's reconstructions.",
)
_KEEP = flags.DEFINE_enum(
    "keep", "best", ["best", "all"], "interpolate: which of --num candidates are written."
)
_SCALE = flags.DEFINE_string(
    "scale",
    "none",
    "interpolate: keep to a scale, as C_major or F#_dorian; auto: to that of melody 1's key, and "
    "from half way to that of melody 2's.",
)
_PITCH_RANGE = flags.DEFINE_list(
    "pitch_range", [], "interpolate: the lowest and highest MIDI note to be used, as 55,79."
)
_RHYTHM = flags.DEFINE_enum(
    "rhythm",
    "free",
    ["free", "1", "2"],
    "interpolate: keep the rhythm of melody 1 or 2, with pitches that go from one to the other.",
)
_SPLICE = flags.DEFINE_boolean(
    "splice",
    False,
    "interpolate: play the first melody as it was, the bridge, and the second as it was. With "
    "three inputs or more it is always so.",
)
_ORDER = flags.DEFINE_enum(
    "order",
    "given",
    ["given", "latent"],
    "interpolate: the order of a chain; latent: from the first input on, so that neighbours are "
    "alike.",
)
_LOOP = flags.DEFINE_boolean(
    "loop", False, "interpolate: end with a bridge back to the first melody, to be repeated."
)
_KEY_PATH = flags.DEFINE_enum(
    "key_path",
    "keep",
    ["keep", "transpose", "glide"],
    "interpolate: with --splice, leave the keys, move later melodies to the first one's key, or "
    "let the bridge glide from one key to the other.",
)
_PROGRAMS = flags.DEFINE_enum(
    "programs",
    "crossfade",
    ["keep", "switch", "crossfade"],
    "interpolate: with --splice, the first melody's instrument throughout, or a change within the "
    "bridge.",
)
_PAIRS = flags.DEFINE_string(
    "pairs",
    None,
    "interpolate: instead of --input, a CSV file of two MIDI files a line, and a name if wanted; "
    "paths are relative to it.",
)
_ATTRIBUTE = flags.DEFINE_list(
    "attribute",
    [],
    f"generate, reconstruct: change {', '.join(ATTRIBUTES)}, as density:+1,range:-0.5; 1 adds what "
    "in the training data lies between melodies that have much of it and that have little.",
)


def read_transition(texts: Mapping[str, str] | None = None) -> "TransitionOptions":
    """What the flags say.

    Args:
      texts: by flag, what is to be taken instead of what the command line says.

    Raises:
      UserError: one cannot be used.
    """
    # Imports JAX, which `--help` need not wait for.
    from musicvae_jax.commands import options
    from musicvae_jax.transitions import strategies

    def value(flag: flags.FlagHolder) -> Any:
        return value_of(flag.name, texts or {})

    curve = options.parse_curve("curve", value(_CURVE))
    control_curve = curve
    if value(_CONTROL_CURVE):
        control_curve = options.parse_curve("control_curve", value(_CONTROL_CURVE))
    return options.TransitionOptions(
        strategies=options.check_strategies(value(_STRATEGY)),
        curve=curve,
        control_curve=control_curve,
        settings=strategies.Settings(
            path=value(_PATH),
            granularity=value(_GRANULARITY),
            ends=value(_ENDS),
            scale=options.check_scale(value(_SCALE)),
            pitch_range=options.parse_pitch_range(value(_PITCH_RANGE)),
            rhythm=0 if value(_RHYTHM) == "free" else int(value(_RHYTHM)),
        ),
        keep_all=value(_KEEP) == "all",
        splice=value(_SPLICE),
        order_by_latent=value(_ORDER) == "latent",
        loop=value(_LOOP),
        key_path=value(_KEY_PATH),
        programs=value(_PROGRAMS),
        pairs=value(_PAIRS),
    )


def read_attributes(texts: Mapping[str, str] | None = None) -> dict[str, float]:
    """How much of each attribute is to be added.

    Args:
      texts: by flag, what is to be taken instead of what the command line says.

    Raises:
      UserError: an attribute is unknown or named twice, or its amount is no such number.
    """
    amounts: dict[str, float] = {}
    for entry in value_of(_ATTRIBUTE.name, texts or {}):
        name, _, amount = (part.strip() for part in entry.partition(":"))
        if name not in ATTRIBUTES:
            raise UserError(
                f"--attribute={entry}: no such attribute; valid are {', '.join(ATTRIBUTES)}, each "
                "with an amount, as density:+1"
            )
        if name in amounts:
            raise UserError(f"--attribute={entry}: {name} is given twice")
        amounts[name] = _amount(entry, amount)
    return amounts


def _amount(entry: str, text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not abs(amount) <= MAX_AMOUNT:
        raise UserError(
            f"--attribute={entry}: a number from -{MAX_AMOUNT:g} to {MAX_AMOUNT:g} is needed after "
            "the colon, as density:+1"
        )
    return amount


def value_of(name: str, texts: Mapping[str, str]) -> Any:
    """The value of any flag: what `texts` says, parsed as on the command line, or its own.

    Raises:
      UserError: the text is not a value of the flag.
    """
    flag = flags.FLAGS[name]
    if name not in texts:
        return flag.value
    try:
        return flag.parser.parse(texts[name])
    except ValueError as error:
        raise UserError(f"--{name}={texts[name]}: {error}") from error


def in_flags(error: UserError) -> str:
    """The message of an error for the command line, where arguments are flags.

    `workdir=runs/x: ...` becomes `--workdir=runs/x: ...` if the error lists `workdir`.
    """
    text = str(error)
    for name in error.arguments:
        text = re.sub(rf"(?<![\w./-]){re.escape(name)}(?![\w/-])", f"--{name}", text, count=1)
    return text
