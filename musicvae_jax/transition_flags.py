"""The flags of `--mode=interpolate`."""

import typing

from absl import flags

if typing.TYPE_CHECKING:
    from musicvae_jax.options import TransitionOptions

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


def read() -> "TransitionOptions":
    """What the flags say.

    Raises:
      UserError: one cannot be used.
    """
    # Imports JAX, which `--help` need not wait for.
    from musicvae_jax import options, transitions

    curve = options.parse_curve("curve", _CURVE.value)
    control_curve = curve
    if _CONTROL_CURVE.value:
        control_curve = options.parse_curve("control_curve", _CONTROL_CURVE.value)
    return options.TransitionOptions(
        strategies=options.check_strategies(_STRATEGY.value),
        curve=curve,
        control_curve=control_curve,
        settings=transitions.Settings(
            path=_PATH.value,
            granularity=_GRANULARITY.value,
            ends=_ENDS.value,
            scale=options.check_scale(_SCALE.value),
            pitch_range=options.parse_pitch_range(_PITCH_RANGE.value),
            rhythm=0 if _RHYTHM.value == "free" else int(_RHYTHM.value),
        ),
        keep_all=_KEEP.value == "all",
        splice=_SPLICE.value,
        order_by_latent=_ORDER.value == "latent",
        loop=_LOOP.value,
        key_path=_KEY_PATH.value,
        programs=_PROGRAMS.value,
        pairs=_PAIRS.value,
    )
