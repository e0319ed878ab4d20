"""ABC notation: tunes as measures, in the order in which they are played.

The text is read at music21's ABC token layer: making streams of it and expanding
the repeats takes many times as long.
"""

import dataclasses
import functools
import re
from collections.abc import Sequence
from fractions import Fraction

from musicvae_jax.music.melody import STEPS_PER_QUARTER

# Accidentals hold to the end of the bar (ABC 2.1, section 11.3). music21 assumes
# that only if the text claims that version. These collections follow it: within
# a bar, an altered note comes back unmarked 645 times, and marked again 36 times.
_ABC_VERSION = "%abc-2.1\n"


# What music21's tokens stumble over and a melody does not need: annotations, grace
# notes, slurs (but not tuplets), and one-letter ornaments before a note.
_ORNAMENTS = re.compile(
    r'"[^"]*"|\{[^}]*\}|![^!\n]*!|`|\((?!\d)|\)|[.~HJLMOPRSTuv](?=[\^_=]*[A-Ga-gz\[.~])'
)


@dataclasses.dataclass
class Measure:
    """What stands between two bar lines.

    Attributes:
      notes: `(MIDI pitch or None for a rest, length in steps, tied to the next)`.
      begins_repeat, ends_repeat: whether `|:` stands before, `:|` after it.
      ending: 1 or 2 under a first or second ending, otherwise 0.
      begins_strain, ends_strain: whether a double bar or repeat is at that side.
    """

    notes: list[tuple[int | None, Fraction, bool]]
    begins_repeat: bool = False
    ends_repeat: bool = False
    ending: int = 0
    begins_strain: bool = False
    ends_strain: bool = False

    @functools.cached_property
    def length(self) -> Fraction:
        """In steps; to be asked for when all notes are there."""
        return sum((length for _, length, _ in self.notes), Fraction(0))


def split_tunes(text: str) -> list[str]:
    """Splits a file at its `X:` lines into the texts of single tunes."""
    return re.split(r"(?m)^(?=X:)", text)[1:]


def header_field(text: str, letter: str) -> list[str]:
    """All values of a header field, for example of `T:`."""
    header = re.split(r"(?m)^K:", text, maxsplit=1)[0]
    values = re.findall(rf"(?m)^{letter}:[ \t]*(.*?)[ \t]*(?:%.*)?$", header)
    return [value.strip() for value in values]


@functools.cache
def _midi_number(pitch_name: str) -> int:
    from music21 import pitch

    return pitch.Pitch(pitch_name).midi


@functools.cache
def _steps(quarter_length: float, multiplier: float) -> Fraction:
    quarters = Fraction(quarter_length).limit_denominator(960)
    return quarters * STEPS_PER_QUARTER * Fraction(multiplier).limit_denominator(960)


def _note(token) -> tuple[int | None, Fraction, bool]:
    from music21 import abcFormat

    tuplet = token.activeTuplet
    length = _steps(token.quarterLength, 1 if tuplet is None else tuplet.tupletMultiplier())
    if isinstance(token, abcFormat.ABCChord):
        names = [sub.pitchName for sub in token.subTokens if sub.pitchName]
    else:
        names = [] if token.isRest else [token.pitchName]
    pitch = max(map(_midi_number, names), default=None)
    return pitch, length, token.tie in ("start", "continue")


def _without_ornaments(text: str) -> str:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not re.match(r"[A-Za-z]:|%", line):
            line = _ORNAMENTS.sub("", line)
            # A tie would separate `>` from the note that it shortens.
            lines[number] = re.sub(r"([<>]+)-", r"\1", line)
    return "\n".join(lines) + "\n"


@functools.lru_cache(maxsize=1)  # a tune may be read on two grids
def read_measures(text: str) -> tuple[Measure, ...]:
    """The measures of a tune as written, before repeats are played out."""
    from music21 import abcFormat

    handler = abcFormat.ABCHandler()
    handler.process(_ABC_VERSION + _without_ornaments(text))
    measures: list[Measure] = []
    current = Measure([], begins_strain=True)
    for token in handler.tokens:
        if isinstance(token, abcFormat.ABCNote):
            if not token.inGrace:
                current.notes.append(_note(token))
            continue
        if not isinstance(token, abcFormat.ABCBar):
            continue
        is_plain = token.isRegular() and not token.isRepeatBracket()
        if current.notes:
            measures.append(current)
            current = Measure([], ending=current.ending)
        if token.repeatForm == "end" and measures:
            measures[-1].ends_repeat = True
        elif token.repeatForm == "start":
            current.begins_repeat = True
        if token.isRepeatBracket():
            current.ending = token.isRepeatBracket()
        elif not is_plain:  # a repeat, a double bar, or the end
            current.begins_strain, current.ending = True, 0
            if measures:
                measures[-1].ends_strain = True
    if current.notes:
        measures.append(current)
    if measures:
        measures[-1].ends_strain = True
    return tuple(measures)


def play_repeats(measures: Sequence[Measure]) -> list[Measure]:
    """The measures in the order in which a musician plays them.

    A `:|` without its `|:` goes back to where the last repeat ended or began, and
    otherwise to the beginning. (music21's `expandRepeats` goes back to the very
    beginning each time, and plays `A :| B :|` as A A A B.)
    """
    played: list[Measure] = []
    repeat_start, index, is_second_time = 0, 0, False
    while index < len(measures):
        measure = measures[index]
        if measure.begins_repeat and not is_second_time:
            repeat_start = index
        skipped = measure.ending == (1 if is_second_time else 2) and _has_both_endings(
            measures, repeat_start, index
        )
        if not skipped:
            played.append(measure)
        if measure.ends_repeat and measure.ending != 2 and not is_second_time:
            is_second_time, index = True, repeat_start
            continue
        index += 1
        leaves_repeat = measure.ends_repeat and measure.ending != 1
        leaves_second_ending = measure.ending == 2 and (
            index == len(measures) or measures[index].ending != 2
        )
        if leaves_repeat or leaves_second_ending:
            is_second_time, repeat_start = False, index
    return played


def _has_both_endings(measures: Sequence[Measure], repeat_start: int, index: int) -> bool:
    first = any(measure.ending == 1 for measure in measures[repeat_start : index + 1])
    if measures[index].ending == 2:
        return first
    second = (measure.ending == 2 for measure in measures[index:])
    return first and any(second)
