"""Flags of single modes: of transitions, and of attributes that are added to latents."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from absl import flags

from musicvae_jax.commands import help
from musicvae_jax.music.attributes import ATTRIBUTES
from musicvae_jax.system.errors import UserError

if TYPE_CHECKING:
    from musicvae_jax.commands.options import TransitionOptions

MAX_AMOUNT = 10.0


class FiniteFloatParser(flags.FloatParser):
    """absl's parser compares with bounds, which NaN passes, being neither below nor above."""

    def is_outside_bounds(self, value: float) -> bool:
        return not math.isfinite(value) or super().is_outside_bounds(value)


def define_float(
    name: str, default: float | None, help_text: str, low: float, high: float
) -> flags.FlagHolder:
    """A flag that takes numbers from `low` to `high`."""
    parser = FiniteFloatParser(low, high)
    return flags.DEFINE(parser, name, default, help_text, serializer=flags.ArgumentSerializer())


_STRATEGY = flags.DEFINE_list(
    "strategy",
    ["all"],
    "How transitions are made: latent, teacher_forcing, combined, dual_conductor, dual_combined, "
    "composed, the baselines crossfade and cut, or all.",
)
_CURVE = flags.DEFINE_list(
    "curve",
    ["linear"],
    "How far each bar is from melody 1 (0) to melody 2 (1): linear, smoothstep, hold, sigmoid, or "
    "numbers such as 0,0.2,0.8,1, one for each bar, or fewer that are joined by lines.",
)
_CONTROL_CURVE = flags.DEFINE_list(
    "control_curve", [], "The same for the notes that are mixed. Default: --curve."
)
_PATH = flags.DEFINE_enum("path", "linear", ["linear", "spherical"], "How the latent moves.")
_GRANULARITY = flags.DEFINE_enum(
    "granularity",
    "bar",
    ["bar", "note"],
    "Whether melodies are mixed by whole bars, or by notes, at steps where no note is held.",
)
_ENDS = flags.DEFINE_enum(
    "ends",
    "exact",
    ["exact", "model"],
    "Whether bars at 0 and 1 are copied from the melodies, or reconstructed by the model.",
)
_SCALE = flags.DEFINE_string(
    "scale",
    "none",
    "Use only the notes of a scale such as C_major or F#_dorian; auto: the scale of melody 1's "
    "key, and from the middle on that of melody 2's.",
)
_PITCH_RANGE = flags.DEFINE_list(
    "pitch_range", [], "The lowest and the highest MIDI note that may be used, such as 55,79."
)
_RHYTHM = flags.DEFINE_enum(
    "rhythm",
    "free",
    ["free", "1", "2"],
    "Keep the rhythm of melody 1 or 2, with pitches that move from one melody to the other.",
)
_ADHERENCE = flags.DEFINE_float(
    "adherence",
    0.5,
    "How closely composed follows the bridge of dual_conductor: 0 composes freely between the "
    "melodies, 1 gives what the model makes of that bridge.",
    lower_bound=0.0,
    upper_bound=1.0,
)
_METER_AT = flags.DEFINE_enum(
    "meter_at",
    "middle",
    ["first", "middle", "last"],
    "Between melodies in two meters, where that of melody 2 begins: with the bridge, in the "
    "middle of it, or after it.",
)
_METER_KEEPS = flags.DEFINE_enum(
    "meter_keeps",
    "beat",
    ["beat", "bar"],
    "What keeps its length where the meter changes: the beat that both meters have, or the bar.",
)
_SPLICE = flags.DEFINE_boolean(
    "splice",
    False,
    "Write one piece: the first song unchanged, the bridge, and the second song unchanged, each "
    "with all of its tracks. Three or more inputs are always spliced.",
)
_BRIDGE_BARS = flags.DEFINE_list(
    "bridge_bars",
    [],
    "The bars of each bridge of a chain in turn, such as 8,4,16, instead of --bars for all.",
)
_ACCOMPANIMENT = flags.DEFINE_enum(
    "accompaniment",
    "fade",
    ["none", "fade", "hold"],
    "With --splice, what accompanies a bridge: nothing; the first song's last bars, which give "
    "way to the second song's first bars; or the tonic and the fifth of the key, held.",
)
_DRUMS = flags.DEFINE_enum(
    "drums",
    "accompaniment",
    ["accompaniment", "bridge"],
    "With --splice, what the drums of two songs play in their bridge: what --accompaniment has of "
    "them, or a bridge from the drums of the one to those of the other, by the model drums.",
)
_MELODY_ONLY = flags.DEFINE_boolean(
    "melody_only", False, "With --splice: play the melodies of the songs alone."
)
_FROM = flags.DEFINE_string(
    "from",
    None,
    "With --splice: leave the first song after this bar of its melody, counted from 1 as in the "
    "picture; auto: at the end of a phrase from which the bridge is good. Default: at its end.",
)
_TO = flags.DEFINE_string(
    "to",
    None,
    "With --splice: enter the second song at this bar of its melody, or auto. Default: bar 1.",
)
_ORDER = flags.DEFINE_enum(
    "order",
    "given",
    ["given", "latent"],
    "The order of three or more inputs; latent: the first input, and then always the most "
    "similar one.",
)
_LOOP = flags.DEFINE_boolean(
    "loop", False, "End with a bridge back to the first melody, so that the piece can repeat."
)
_KEY_PATH = flags.DEFINE_enum(
    "key_path",
    "keep",
    ["keep", "transpose", "glide"],
    "With --splice: keep the keys, transpose later melodies to the first one's key, or let the "
    "bridge move from one key to the other.",
)
_PROGRAMS = flags.DEFINE_enum(
    "programs",
    "crossfade",
    ["keep", "switch", "crossfade"],
    "With --splice: the bridge keeps the first melody's instrument, switches to the next one's, "
    "or fades from one to the other; with --melody_only, keep is for the whole piece.",
)
_PAIRS = flags.DEFINE_string(
    "pairs",
    None,
    "Instead of --input, a CSV file with two music files a line and, if wanted, a name and the "
    "melody track of each, as of --track. Paths are relative to the file.",
)
_KEEP = flags.DEFINE_enum(
    "keep", "best", ["best", "all"], "Which of the --num candidates are written."
)
_KEEP_BARS = flags.DEFINE_list(
    "keep_bars",
    [],
    "The bars that stay as they are, counted from 1, such as 1-4,9-16. The others are "
    "written anew.",
)
_ATTRIBUTE = flags.DEFINE_list(
    "attribute",
    [],
    f"Change {', '.join(ATTRIBUTES)}, for example density:+1,range:-0.5. An amount of 1 is the "
    "difference between melodies of the training data with much and with little of the attribute.",
)
_MODES = ("interpolate",)
help.describe("Transition", _MODES, _STRATEGY, _CURVE, _CONTROL_CURVE, _PATH, _GRANULARITY, _ENDS)
help.describe("Transition", _MODES, _ADHERENCE, _METER_AT, _METER_KEEPS)
help.describe("Constraints", _MODES, _SCALE, _PITCH_RANGE, _RHYTHM)
help.describe("Piece", _MODES, _SPLICE, _ACCOMPANIMENT, _DRUMS, _MELODY_ONLY, _FROM, _TO)
help.describe("Piece", _MODES, _ORDER, _LOOP, _BRIDGE_BARS, _KEY_PATH, _PROGRAMS)
help.describe("Many transitions", _MODES, _PAIRS, _KEEP)
help.describe("Variation", ("vary",), _KEEP_BARS)
help.describe("Attributes", ("generate", "reconstruct"), _ATTRIBUTE)


def read_transition(texts: Mapping[str, str] | None = None) -> "TransitionOptions":
    """The options of a transition.

    Args:
      texts: by flag, values that replace those of the command line.

    Raises:
      UserError: a value is not valid.
    """
    # These import JAX, for which `--help` need not wait.
    from musicvae_jax.commands import options
    from musicvae_jax.transitions import curves, strategies
    from musicvae_jax.transitions.settings import Settings

    def value(flag: flags.FlagHolder) -> Any:
        return value_of(flag.name, texts or {})

    curve = options.parse_curve(value(_CURVE))
    curves.check("curve", curve)
    control_curve = options.parse_curve(value(_CONTROL_CURVE)) if value(_CONTROL_CURVE) else curve
    curves.check("control_curve", control_curve)
    return options.TransitionOptions(
        strategies=strategies.check(value(_STRATEGY)),
        curve=curve,
        control_curve=control_curve,
        settings=Settings(
            path=value(_PATH),
            granularity=value(_GRANULARITY),
            ends=value(_ENDS),
            scale=value(_SCALE),
            pitch_range=options.parse_pitch_range(value(_PITCH_RANGE)),
            rhythm=0 if value(_RHYTHM) == "free" else int(value(_RHYTHM)),
        ),
        adherence=value(_ADHERENCE),
        meter_at=value(_METER_AT),
        keeps=value(_METER_KEEPS),
        keep_all=value(_KEEP) == "all",
        splice=value(_SPLICE),
        order_by_latent=value(_ORDER) == "latent",
        loop=value(_LOOP),
        bridge_bars=options.parse_lengths(value(_BRIDGE_BARS)),
        key_path=value(_KEY_PATH),
        programs=value(_PROGRAMS),
        accompaniment=value(_ACCOMPANIMENT),
        has_drum_bridge=value(_DRUMS) == "bridge",
        melody_only=value(_MELODY_ONLY),
        leave=options.parse_bar("from", value(_FROM)),
        enter=options.parse_bar("to", value(_TO)),
        pairs=value(_PAIRS),
    )


def read_kept_bars(texts: Mapping[str, str] | None = None) -> tuple[int, ...]:
    """The bars that are kept, from 0.

    Args:
      texts: by flag, values that replace those of the command line.

    Raises:
      UserError: a part is not a bar or a range of bars.
    """
    kept: list[int] = []
    for part in value_of(_KEEP_BARS.name, texts or {}):
        match = re.fullmatch(r"\s*(\d{1,4})(?:-(\d{1,4}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise UserError(
                f"--keep_bars={part}: bars are counted from 1, and ranges rise, such as 1-4,9-16"
            )
        kept += range(first - 1, last)
    return tuple(kept)


def read_attributes(texts: Mapping[str, str] | None = None) -> dict[str, float]:
    """How much of each attribute is added.

    Args:
      texts: by flag, values that replace those of the command line.

    Raises:
      UserError: an attribute is unknown or named twice, or its amount is not valid.
    """
    amounts: dict[str, float] = {}
    for entry in value_of(_ATTRIBUTE.name, texts or {}):
        name, _, amount = (part.strip() for part in entry.partition(":"))
        if name not in ATTRIBUTES:
            raise UserError(
                f"--attribute={entry}: no such attribute; valid are {', '.join(ATTRIBUTES)}, each "
                "with an amount such as density:+1"
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
            "the colon, such as density:+1"
        )
    return amount


def value_of(name: str, texts: Mapping[str, str]) -> Any:
    """The value of any flag: from `texts`, parsed as on the command line, or its own.

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
