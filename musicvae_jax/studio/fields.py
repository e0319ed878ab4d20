"""The options of the page, which are flags of the command line."""

import csv
import dataclasses
import io
import pathlib
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from absl import flags

from musicvae_jax.commands import flags as mode_flags
from musicvae_jax.commands.options import Options
from musicvae_jax.midi.reading import Reading
from musicvae_jax.music.grid import given_name
from musicvae_jax.studio import words
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import curves
from musicvae_jax.transitions.places import AUTO

# The flags that the page shows for each mode, in this order; those of MORE among the details.
USUAL = {
    "interpolate": ("bars", "key_path", "accompaniment", "splice"),
    "vary": ("num",),
    "complete": ("bars", "num"),
    "generate": ("bars", "num"),
    "reconstruct": (),
}
MORE = {
    "interpolate": (
        "strategy",
        "adherence",
        "curve",
        "control_curve",
        "granularity",
        "path",
        "ends",
        "num",
        "keep",
        "scale",
        "pitch_range",
        "rhythm",
        "programs",
        "drums",
        "from",
        "to",
        "meter_at",
        "meter_keeps",
        "temperature",
        "seed",
        "strength",
        "loop",
        "melody_only",
    ),
    "vary": ("temperature", "seed", "strength"),
    "complete": ("temperature", "seed", "strength"),
    "generate": ("attribute", "temperature", "seed", "strength"),
    "reconstruct": ("attribute", "temperature", "seed", "strength"),
}
# Which the page has other means to ask for.
_MARKED = {"vary": ("keep_bars",), "interpolate": ("bridge_bars",)}
# Numbers of modes that the flags leave open.
_USUAL_NUMBERS = {"num": "4", "interpolate num": "1"}
# An empty text is a value of these.
_OPEN = ("attribute", "bridge_bars", "control_curve", "from", "keep_bars", "pitch_range", "to")
_SUGGESTED = {
    **dict.fromkeys(("curve", "control_curve"), tuple(curves.CURVES)),
    **dict.fromkeys(("from", "to"), (AUTO,)),
}
# Defaults of the page, which begins with two melodies, where they are not the flags' own.
_BEGINS = {"interpolate": {"splice": "true"}}
DEFAULT_WORKDIR = pathlib.Path("runs/default")
MAX_NUM = 16
MAX_SEED = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Field:
    """A flag as a control of the page.

    Attributes:
      name: of the flag.
      kind: `flag`, `choice`, `number`, `strategies` or `text`.
      value: the initial text.
      words: the label.
      hint: shown while it is empty.
      choices: all values of a choice, with words for each; suggestions for a text.
      low, high, step: of a number.
    """

    name: str
    kind: str
    value: str
    words: str
    hint: str
    choices: tuple[tuple[str, str], ...] = ()
    low: str = ""
    high: str = ""
    step: str = ""


def usual_numbers(bars: int, temperature: float) -> dict[str, str]:
    """What a model takes if nothing else is asked for, by flag or by mode and flag.

    Args:
      bars: that the model knows.
      temperature: of its new melodies.
    """
    of_model = {"bars": str(bars), "complete bars": str(bars - bars // 2)}
    return _USUAL_NUMBERS | of_model | {"temperature": f"{temperature:g}"}


def field(mode: str, name: str, usual: Mapping[str, str]) -> Field:
    """The control for a flag in a mode; `usual` is of `usual_numbers`."""
    flag = flags.FLAGS[name]
    value = _BEGINS.get(mode, {}).get(name, _text(flag.value))
    hint = words.HINTS.get(f"{mode} {name}", words.HINTS.get(name, ""))
    if name == "temperature":  # what is usual depends on the other options
        hint = hint or usual[name]
    else:
        value = value or usual.get(f"{mode} {name}", usual.get(name, ""))
    text = Field(
        name=name,
        kind="text",
        value=value,
        words=words.WORDS.get(f"{mode} {name}", words.WORDS.get(name, "")),
        hint=hint,
    )
    if isinstance(flag.parser, flags.BooleanParser):
        return dataclasses.replace(text, kind="flag")
    if isinstance(flag.parser, flags.EnumParser):
        told = words.CHOICES[name]
        choices = tuple((choice, told[choice]) for choice in flag.parser.enum_values)
        return dataclasses.replace(text, kind="choice", choices=choices)
    if isinstance(flag.parser, flags.IntegerParser | flags.FloatParser):
        highest = {"num": MAX_NUM, "seed": MAX_SEED, "temperature": 5}
        return dataclasses.replace(
            text,
            kind="number",
            low=_text(flag.parser.lower_bound),
            high=_text(highest.get(name, flag.parser.upper_bound)),
            step="1" if isinstance(flag.parser, flags.IntegerParser) else "0.1",
        )
    if name == "strategy":
        return dataclasses.replace(text, kind="strategies")
    known = _SUGGESTED.get(name, ())
    return dataclasses.replace(text, choices=tuple((value, value) for value in known))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def shown(mode: str, without: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The flags that the page shows for a mode, and those among its details.

    Args:
      mode: a key of `USUAL`.
      without: flags that mean nothing for the music of the studio.
    """
    usual, more = (
        tuple(name for name in part[mode] if name not in without) for part in (USUAL, MORE)
    )
    return usual, more


def read(
    mode: str,
    texts: Mapping[str, str],
    inputs: Sequence[str],
    base: Options,
    without: Collection[str] = (),
) -> Options:
    """The options that the page's controls stand for, as from the command line.

    Args:
      mode: a key of `USUAL`.
      texts: by flag; an empty text means the default.
      inputs: names of the inputs.
      base: the options of the studio itself.
      without: as for `shown`.

    Raises:
      UserError: an option is unknown in this mode, or its value cannot be used.
    """
    usual, more = shown(mode, without)
    known = usual + more + _MARKED.get(mode, ())
    for name in texts:
        if name not in known:
            raise UserError(f"--{name}: not an option of {mode}; there are {', '.join(known)}")
    given = {name: text.strip() for name, text in texts.items() if text.strip()}
    # What is left empty is the flag's default, and not what the studio was started with.
    values = {name: _text(flags.FLAGS[name].default) for name in known} | given
    values = {name: text for name, text in values.items() if text or name in _OPEN}
    numbers = {
        name: mode_flags.value_of(name, values) if name in values else None
        for name in ("bars", "num", "seed", "temperature")
    }
    for name, highest in (("num", MAX_NUM), ("seed", MAX_SEED)):
        if numbers[name] is not None and numbers[name] > highest:
            raise UserError(f"--{name}={numbers[name]}: the studio takes {highest} at most")
    transition = mode_flags.read_transition(values) if mode == "interpolate" else base.transition
    amounts = mode_flags.read_attributes(values) if "attribute" in known else {}
    kept = mode_flags.read_kept_bars(values) if "keep_bars" in known else ()
    strength = mode_flags.value_of("strength", values) if "strength" in known else base.strength
    return dataclasses.replace(
        base,
        inputs=tuple(inputs),
        transition=transition,
        attributes=amounts,
        kept_bars=kept,
        strength=strength,
        **numbers,
    )


def with_strategy(options: Options, strategy: str) -> Options:
    """The same for one strategy alone."""
    transition = dataclasses.replace(options.transition, strategies=(strategy,))
    return dataclasses.replace(options, transition=transition)


def command(
    mode: str,
    texts: Mapping[str, str],
    inputs: Sequence[str],
    base: Options,
    readings: Sequence[Reading] = (),
) -> str:
    """The command line that does the same.

    Args:
      mode, texts, inputs, base: as of `read`.
      readings: what is known of each input; empty if nothing is.
    """
    parts = ["musicvae", f"--mode={mode}"]
    if base.checkpoint:
        parts.append(f"--checkpoint={base.checkpoint}")
    elif base.workdir != DEFAULT_WORKDIR:
        parts.append(f"--workdir={base.workdir}")
    if inputs:
        parts.append(f"--input={_comma_separated(inputs)}")
    tracks = [reading.track or "" for reading in readings]
    ones = ["" if r.bar_one is None else f"{r.bar_one:g}" for r in readings]
    grids = ["" if reading.grid is None else given_name(reading.grid) for reading in readings]
    for name, known in (("track", tracks), ("bar_one", ones), ("grid", grids)):
        if any(known):
            parts.append(f"--{name}={_comma_separated(known)}")
    for name, text in texts.items():
        text = text.strip()
        if text and text != _text(flags.FLAGS[name].default):
            is_flag = isinstance(flags.FLAGS[name].parser, flags.BooleanParser)
            parts.append(f"--{name}" if is_flag and text == "true" else f"--{name}={text}")
    return " ".join(shlex.quote(part) for part in parts)


def _comma_separated(names: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()
