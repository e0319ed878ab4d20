"""Flags of what is read: the files, and what is known of their bars and beats."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from musicvae_jax.commands import help
from musicvae_jax.commands.flags import value_of
from musicvae_jax.system.errors import UserError

if TYPE_CHECKING:
    from musicvae_jax.midi.reading import Reading


class FilesParser(flags.ListParser):
    """Names separated by commas; or one of a file that exists, commas and all."""

    def parse(self, argument: str | list[str]) -> list[str]:
        if isinstance(argument, str) and os.path.exists(argument):
            return [argument]
        return super().parse(argument)


_INPUT: flags.FlagHolder = flags.DEFINE_multi(
    FilesParser(),
    flags.CsvListSerializer(","),
    "input",
    [],
    "Files of MIDI, MusicXML, ABC or Humdrum kern, or recordings of one voice (.wav, .flac, .ogg, "
    ".mp3), separated by commas, or the flag again for each file. Default: two examples of the "
    "package.",
)
_BAR_ONE = flags.DEFINE_list(
    "bar_one",
    [],
    "The quarter note of the file, from 0, at which bar 1 begins; what sounds before it is an "
    "upbeat. One number for each input, separated by commas, or one for all. Default: as the "
    "file says or, in MIDI that does not tell, as its notes suggest.",
)
_METER = flags.DEFINE_list(
    "meter",
    [],
    "The meter of a file, whatever it says, such as 4/4; one for each input, or one for all.",
)
_GRID = flags.DEFINE_list(
    "grid",
    [],
    "The grid on which a file is read, and its meter, whatever it says: 4/4, triplets, 3/4, 6/8, "
    "9/8, 12/8, 3/2 or 6/4; one for each input, or one for all. Default: that grid of the file's "
    "meter which moves its notes least.",
)
_TEMPO = flags.DEFINE_list(
    "tempo",
    [],
    "Quarter notes a minute at which the beats of a file lie, whatever it says; one for each "
    "input, or one for all.",
)
_TRACK = flags.DEFINE_list(
    "track",
    [],
    "The track that is the melody, by its number as inspect prints it, or by its name; one for "
    "each input, or one for all; with --pairs, one for the first and one for the second file. "
    "Default: the track that looks most like one.",
)
help.describe(
    "Input and output",
    ("reconstruct", "interpolate", "complete", "vary", "inspect", "humanise"),
    _INPUT,
)
help.describe(
    "Bars and beats of the input",
    ("reconstruct", "interpolate", "complete", "vary", "inspect", "humanise"),
    _BAR_ONE,
    _METER,
    _GRID,
    _TEMPO,
)
help.describe(
    "Input and output", ("reconstruct", "interpolate", "complete", "vary", "inspect"), _TRACK
)


def read_inputs() -> tuple[str, ...]:
    """The files that are named."""
    return tuple(name for names in _INPUT.value for name in names if name)


def read_readings(num_inputs: int) -> tuple["Reading", ...]:
    """What is known of each input.

    Raises:
      UserError: a value is not valid, or there are fewer or more than inputs.
    """
    from musicvae_jax.midi.reading import make_reading

    told = (_one_each(flag, num_inputs) for flag in (_BAR_ONE, _METER, _TEMPO, _TRACK, _GRID))
    return tuple(
        make_reading(
            _number(_BAR_ONE, one), beats or None, _number(_TEMPO, bpm), track or None, grid or None
        )
        for one, beats, bpm, track, grid in zip(*told, strict=True)
    )


def _one_each(flag: flags.FlagHolder, num_inputs: int) -> Sequence[str]:
    values = value_of(flag.name, {}) or [""]
    count = max(num_inputs, 1)
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise UserError(
            f"--{flag.name}={','.join(values)}: {len(values)} values for {num_inputs} inputs; one "
            "for each or one for all is needed"
        )
    return values


def _number(flag: flags.FlagHolder, text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"--{flag.name}={text}: a number is needed") from error
