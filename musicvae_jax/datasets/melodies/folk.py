"""Traditional tunes of music21's corpus: ABC text to melodies.

The tunes are read at music21's ABC token layer: making streams of them and
expanding the repeats takes many times as long.
"""

import dataclasses
import functools
import math
import pathlib
import re
from fractions import Fraction

from musicvae_jax.melody import DEFAULT_TEMPO_BPM, STEPS_PER_BAR, STEPS_PER_QUARTER, Melody

COLLECTIONS = ("oneills1850", "ryansMammoth", "airdsAirs")
# Steps per notated bar; two bars of 2/4 make one bar of 16 steps.
DUPLE_METERS = {"4/4": 16, "C": 16, "2/2": 16, "C|": 16, "2/4": 8}
MAX_LOST_SHARE = 0.05
VIOLIN = 40

# Accidentals hold to the end of the bar (ABC 2.1, section 11.3). music21 assumes
# that only if the text claims that version. These collections follow it: within
# a bar, an altered note comes back unmarked 645 times, and marked again 36 times.
_ABC_VERSION = "%abc-2.1\n"


# What music21's tokens stumble over and a melody does not need: annotations, grace
# notes, slurs (but not tuplets), and one-letter ornaments before a note.
_ORNAMENTS = re.compile(
    r'"[^"]*"|\{[^}]*\}|![^!\n]*!|`|\((?!\d)|\)|[.~HJLMOPRSTuv](?=[\^_=]*[A-Ga-gz\[.~])'
)


class TuneRejectedError(Exception):
    """The tune cannot become a melody; the message is the reason to count."""


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

    @property
    def length(self) -> Fraction:
        return sum((length for _, length, _ in self.notes), Fraction(0))


@dataclasses.dataclass(frozen=True)
class Tune:
    """One tune of a collection.

    Attributes:
      id: collection, file and number, for example `oneills1850/0001-0050:17`.
      titles: all of its titles, as printed.
      melody: repeats played out, 16 steps to the bar.
      num_lost: notes that fell on a step already taken by another.
    """

    id: str
    titles: tuple[str, ...]
    melody: Melody
    num_lost: int


def corpus_files(collection: str) -> list[pathlib.Path]:
    """The ABC files of a collection inside the installed music21, in order.

    Raises:
      ValueError: music21 has no such collection.
    """
    import music21  # slow to import, and only needed where tunes are read

    folder = pathlib.Path(music21.__file__).parent / "corpus" / collection
    files = sorted(folder.glob("*.abc"))
    if not files:
        raise ValueError(f"music21 {music21.__version__} has no ABC collection {collection!r}")
    return files


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


def _note(token) -> tuple[int | None, Fraction, bool]:
    from music21 import abcFormat

    length = Fraction(token.quarterLength).limit_denominator(960) * STEPS_PER_QUARTER
    if token.activeTuplet is not None:
        length *= Fraction(token.activeTuplet.tupletMultiplier()).limit_denominator(960)
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


def read_measures(text: str) -> list[Measure]:
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
    return measures


def play_repeats(measures: list[Measure]) -> list[Measure]:
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


def _has_both_endings(measures: list[Measure], repeat_start: int, index: int) -> bool:
    first = any(measure.ending == 1 for measure in measures[repeat_start : index + 1])
    if measures[index].ending == 2:
        return first
    second = (measure.ending == 2 for measure in measures[index:])
    return first and any(second)


def _place_on_bars(measures: list[Measure], bar: int) -> list[tuple[Fraction, Measure]]:
    """Places each measure on the grid of bars of `bar` steps.

    Short measures go where a player would put them. An upbeat (one that begins a
    strain) ends at a bar line, over the last beat of a bar already full if need
    be. Parts that together fill a bar stand one after another. After a short last
    bar of a strain, the rest of that bar is silent.

    Raises:
      TuneRejectedError: another measure is not as long as the meter says.
    """
    placed: list[tuple[Fraction, Measure]] = []
    position = Fraction(0)
    for measure in measures:
        filled = position % bar
        bar_line = position - filled + (bar if filled else 0)
        if measure.length % bar == 0:
            if filled and not placed[-1][1].ends_strain and not measure.begins_strain:
                raise TuneRejectedError("a bar is shorter than the meter")
            position = bar_line
        elif measure.length > bar:
            raise TuneRejectedError("a bar is longer than the meter")
        elif measure.begins_strain and filled + measure.length != bar:
            # The first bar line is a whole bar in, so that 2/4 stays paired.
            position = (bar_line if placed else Fraction(STEPS_PER_BAR)) - measure.length
        elif filled + measure.length > bar:
            raise TuneRejectedError("parts of a bar are longer than the meter")
        placed.append((position, measure))
        position += measure.length
    return placed


def _sounding_notes(placed: list[tuple[Fraction, Measure]]) -> list[list]:
    """`[pitch, start, end]` with tied notes joined and rests left out, in fractional steps."""
    notes: list[list] = []
    tied = False
    for position, measure in placed:
        while notes and notes[-1][1] >= position:  # an upbeat over the bar before
            notes.pop()
        if notes:
            notes[-1][2] = min(notes[-1][2], position)
        for pitch, length, ties_on in measure.notes:
            joins = tied and notes and notes[-1][0] == pitch and notes[-1][2] == position
            if joins:
                notes[-1][2] += length
            elif pitch is not None and length:
                notes.append([pitch, position, position + length])
            position += length
            tied = ties_on
    return notes


def _nearest_step(position: Fraction) -> int:
    return math.floor(position + Fraction(1, 2))


def _on_grid(notes: list[list]) -> tuple[list[tuple[int, int, int]], int]:
    """Rounds to whole steps; of notes that begin on one step the first is kept.

    Returns the notes and how many were lost.
    """
    kept: list[tuple[int, int, int]] = []
    for pitch, start, end in notes:
        step = _nearest_step(start)
        if not kept or step > kept[-1][1]:
            kept.append((pitch, step, max(step + 1, _nearest_step(end))))
    next_starts = [start for _, start, _ in kept[1:]] + [kept[-1][2]] if kept else []
    clipped = [
        (pitch, start, min(end, following))
        for (pitch, start, end), following in zip(kept, next_starts, strict=True)
    ]
    return clipped, len(notes) - len(kept)


def _tempo_bpm(text: str, meter: str) -> float:
    """Quarter notes per minute by the `Q:` field, as in `1/2=112`, `112` or `C=112`."""
    for value in header_field(text, "Q"):
        match = re.match(r"(?:(\d+)/(\d+)\s*=\s*)?(\d+)", value)
        if match:
            beats, unit, per_minute = match.groups()
            beat = Fraction(int(beats), int(unit)) if beats else Fraction(1, 4)
            return float(beat * 4 * int(per_minute))
    # Cut time is counted in halves, at a walking speed.
    return 2 * 90.0 if meter in ("C|", "2/2") else DEFAULT_TEMPO_BPM


def read_tune(text: str, id: str) -> Tune:
    """Reads one tune.

    Args:
      text: the tune's ABC text, from its `X:` line on.
      id: what to call it.

    Raises:
      TuneRejectedError: it is not in a duple meter throughout, has several voices,
        its bars do not add up, or too many of its notes miss the sixteenth grid.
    """
    meters = header_field(text, "M")
    if not meters or meters[0] not in DUPLE_METERS:
        raise TuneRejectedError("the meter is not 4/4, 2/2 or 2/4")
    body = re.split(r"(?m)^K:.*$", text, maxsplit=1)[-1]
    if re.search(r"(?m)^M:|\[M:", body):
        raise TuneRejectedError("the meter changes")
    if re.search(r"(?m)^V:|\[V:", text):
        raise TuneRejectedError("several voices")
    try:
        measures = read_measures(text)
    except Exception as error:  # music21 raises what it meets: anything from KeyError on
        raise TuneRejectedError("music21 cannot read it") from error
    placed = _place_on_bars(play_repeats(measures), DUPLE_METERS[meters[0]])
    notes, num_lost = _on_grid(_sounding_notes(placed))
    if not notes:
        raise TuneRejectedError("no notes")
    if num_lost > MAX_LOST_SHARE * (len(notes) + num_lost):
        raise TuneRejectedError("over 5 % of its notes miss the sixteenth grid")
    num_bars = -(-notes[-1][2] // STEPS_PER_BAR)
    melody = Melody.from_notes(
        notes, num_bars * STEPS_PER_BAR, tempo_bpm=_tempo_bpm(text, meters[0]), program=VIOLIN
    )
    return Tune(id, tuple(header_field(text, "T")), melody, num_lost)
