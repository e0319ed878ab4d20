"""The text of `--help`, made from the definitions of the flags and the table of modes."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from absl import flags

WIDTH = 96
_COLUMN = 26
_OVERVIEW = """\
Learns melodies or drums, writes new ones, and makes transitions from one to another.

  musicvae --mode=interpolate                       start here: a transition of two examples
  musicvae --mode=interpolate --input=A.mid,B.mid   the same for two melodies of your own
  musicvae --mode=studio                            the same in your browser
  musicvae --config=small                           trains a model

Modes:
{modes}

  musicvae --mode=MODE --help                       the flags of a mode (--helpfull: of all)"""
# In the order in which they are shown. `describe` adds the flags: for each, the modes that use
# it and what it does in them. The key "" stands for every mode.
_TOPICS: dict[str, dict[str, dict[str, str]]] = {
    "Input and output": {},
    "Bars and beats of the input": {},
    "Transition": {},
    "Constraints": {},
    "Piece": {},
    "Many transitions": {},
    "Variation": {},
    "Attributes": {},
    "Sampling": {},
    "Model": {},
    "Training": {},
    "Data": {},
    "Page": {},
    "Several processes": {},
}


class Mode(Protocol):
    """A mode of the command line, as far as help is concerned."""

    @property
    def summary(self) -> str: ...


def describe(
    topic: str, modes: Sequence[str] | Mapping[str, str], *holders: flags.FlagHolder[Any]
) -> None:
    """Says which modes use flags, and under which heading help shows them.

    Args:
      topic: the heading.
      modes: names of the modes, none for all; or what the flag does, by names separated by
        commas, where that depends on the mode.
      holders: the flags.
    """
    for holder in holders:
        flag = flags.FLAGS[holder.name]
        values = f"<{'|'.join(flag.parser.enum_values)}>: " if _is_choice(flag) else ""
        text = flag.help.removeprefix(values)  # which absl has put there
        texts = modes if isinstance(modes, Mapping) else {", ".join(modes): text}
        _TOPICS[topic][flag.name] = {
            mode: text for names, text in texts.items() for mode in names.split(", ")
        }
        # For --helpfull, which does not know of modes.
        flag.help = values + " ".join(
            f"{names}: {text}" if names else text for names, text in texts.items()
        )


def overview(modes: Mapping[str, Mode]) -> str:
    """What to do first, and the modes; it fits a screen."""
    lines = (f"  {name:<12} {mode.summary}" for name, mode in modes.items())
    return _OVERVIEW.format(modes="\n".join(lines))


def of_mode(name: str, mode: Mode) -> str:
    """The flags that a mode uses, by topic."""
    lines = [f"musicvae --mode={name}: {mode.summary}"]
    for topic, entries in _TOPICS.items():
        used = {
            flag: texts.get(name) or texts.get("")
            for flag, texts in entries.items()
            if name in texts or "" in texts
        }
        if used:
            lines += ["", topic]
        for flag, text in used.items():
            lines += _entry(flags.FLAGS[flag], text or "")
    return "\n".join([*lines, "", "musicvae --helpfull lists the flags of all modes."])


def _entry(flag: flags.Flag[Any], text: str) -> Iterable[str]:
    """The lines of a flag: its name and values, what it does, its default."""
    if not (isinstance(flag.default, bool) or flag.default in (None, "", [])):
        text += f" Default: {_plain(flag.default)}."
    shown = f"  {_usage(flag)}"
    body = textwrap.wrap(text, WIDTH - _COLUMN)
    if len(shown) + 2 > _COLUMN:
        body.insert(0, "")
    first, *others = body
    return [f"{shown:<{_COLUMN}}{first}".rstrip(), *(" " * _COLUMN + line for line in others)]


def _usage(flag: flags.Flag[Any]) -> str:
    """A flag with the kind of its value: `--seed=N`, `--ends=exact|model`, `--[no]loop`."""
    parser = flag.parser
    if isinstance(parser, flags.BooleanParser):
        return f"--[no]{flag.name}"
    if _is_choice(flag):
        return f"--{flag.name}={'|'.join(parser.enum_values)}"
    for kind, value in (
        (flags.IntegerParser, "N"),
        (flags.FloatParser, "X"),
        (flags.ListParser, "A,B,..."),
    ):
        if isinstance(parser, kind):
            return f"--{flag.name}={value}"
    return f"--{flag.name}=TEXT"


def _is_choice(flag: flags.Flag[Any]) -> bool:
    return isinstance(flag.parser, flags.EnumParser)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)
