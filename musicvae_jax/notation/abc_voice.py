"""A voice of an ABC tune: notes, rests, bar lines and what changes the lengths of notes."""

import dataclasses
import re
from fractions import Fraction

from musicvae_jax.notation.abc_fields import ACCIDENTALS
from musicvae_jax.notation.score import (
    MAX_TIMES,
    STEPS,
    TICKS_PER_QUARTER,
    Bar,
    VoiceInfo,
    times_of,
)

# How many notes a tuplet takes the time of; 3 or the half of a compound beat for 5, 7, 9.
_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
_NOTE = r"(?:\^\^|\^|__|_|=)?[A-Ga-g][,']*"
_LENGTH = r"\d*(?:/+\d*)*"
TOKEN = re.compile(
    r'(?P<skipped>"[^"]*"|\{[^}]*\}|![^!]*!|`)'
    r"|\[(?P<field>[A-Za-z]):(?P<value>[^\]]*)\]"
    r"|(?P<unseen>\[\|\])"
    r"|(?P<bar>\.?(?:\[(?=\|))?(?:[:|]*\|[:|]*|::+)\]?:*)(?:\s*\[?(?P<ending>\d[\d,-]*))?"
    r"|\[(?P<bracket>\d[\d,-]*)"
    rf"|\[(?P<chord>[^\]|]*)\](?P<chord_length>{_LENGTH})"
    rf"|(?P<note>{_NOTE})(?P<length>{_LENGTH})"
    rf"|(?P<rest>[zx])(?P<rest_length>{_LENGTH})"
    r"|(?P<bars_rest>[ZX])(?P<bars>\d{0,3})"
    r"|\((?P<tuplet>\d)(?::(?P<time>\d?))?(?::(?P<count>\d*))?"
    r"|(?P<tie>-)|(?P<broken><+|>+)|(?P<overlay>&)"
)
_LETTER = re.compile(rf"({_NOTE})({_LENGTH})")


@dataclasses.dataclass
class Event:
    """Notes that begin together, or a rest.

    Attributes:
      pitches: MIDI numbers.
      length: in quarter notes.
      tied: those of the pitches that a tie joins to the event before.
      ties_on: whether a tie follows.
    """

    pitches: tuple[int, ...]
    length: Fraction
    tied: frozenset[int] = frozenset()
    ties_on: bool = False

    @property
    def ticks(self) -> int:
        return round(self.length * TICKS_PER_QUARTER)


@dataclasses.dataclass
class Voice:
    """A voice on its way through the text.

    Attributes:
      info: who plays it.
      unit: the length of a note without a number, in quarter notes.
      meter, signature, transposition: in force; the signature in semitones, by letter.
      bars: those that are complete, without notes: these are in `events`.
      events: of each bar.
      altered: semitones by letter, by the accidentals of this bar.
      ending: in force.
      parts: the names of those that begin in it, with the number of their first bar.
    """

    info: VoiceInfo
    unit: Fraction
    meter: tuple[int, int] | None
    signature: dict[str, int]
    transposition: int = 0
    bars: list[Bar] = dataclasses.field(default_factory=list)
    events: list[list[Event]] = dataclasses.field(default_factory=list)
    current: list[Event] = dataclasses.field(default_factory=list)
    next_bar: Bar = dataclasses.field(default_factory=Bar)
    altered: dict[str, int] = dataclasses.field(default_factory=dict)
    tied: dict[str, int] = dataclasses.field(default_factory=dict)
    ending: frozenset[int] = frozenset()
    broken: Fraction = Fraction(1)
    tuplet: tuple[int, Fraction] = (0, Fraction(1))
    is_overlaid: bool = False
    parts: list[tuple[str, int]] = dataclasses.field(default_factory=list)


def begin_part(voice: Voice, name: str) -> None:
    end_bar(voice, "")
    voice.next_bar.begins_strain = True
    voice.parts.append((name, len(voice.bars)))


def read_sign(voice: Voice, sign: str) -> None:
    """Reads `!D.C.!` or `"^Fine"`, which count for the bar in which they stand."""
    words = sign.strip('!"^_<>@ ')
    bar = voice.next_bar
    bar.fine |= re.fullmatch(r"fine\.?", words, re.IGNORECASE) is not None
    bar.da_capo |= re.match(r"(D\. ?C\.|Da ?Capo)", words, re.IGNORECASE) is not None
    bar.dal_segno |= re.match(r"(D\. ?S\.|Dal ?Segno)", words, re.IGNORECASE) is not None
    bar.segno |= words.lower() == "segno"


def end_voice(voice: Voice) -> None:
    """Ends the last bar; what is written after it counts for it."""
    end_bar(voice, "|")
    if voice.bars:
        voice.bars[-1].fine |= voice.next_bar.fine
        voice.bars[-1].da_capo |= voice.next_bar.da_capo
        voice.bars[-1].dal_segno |= voice.next_bar.dal_segno


def end_bar(voice: Voice, sign: str, ending: str = "") -> None:
    """Ends the bar of a voice, if it has begun, and reads what the bar line says."""
    opening = sign.lstrip(".[")
    ends = len(opening) - len(opening.lstrip(":"))
    if sign and not sign.strip(":"):  # `::` is `:|:`
        ends = 1
    is_double = bool(re.search(r"\|\||\|\]|\[\||:", sign))
    if voice.current:
        bar = voice.next_bar
        bar.meter, bar.endings = voice.meter, voice.ending
        voice.bars.append(bar)
        voice.events.append(voice.current)
        voice.current, voice.next_bar = [], Bar()
        voice.is_overlaid = False
    if sign:
        voice.altered = {}
    if ends and voice.bars:
        voice.bars[-1].repeat_times = min(ends + 1, MAX_TIMES)
    voice.next_bar.begins_repeat |= sign.endswith(":")
    voice.next_bar.begins_strain |= is_double
    if ending:
        voice.ending = times_of(ending)
    elif is_double:
        voice.ending = frozenset()


def rest_bars(voice: Voice, count: int) -> None:
    numerator, denominator = voice.meter or (4, 4)
    for number in range(count):
        voice.current.append(Event((), Fraction(4 * numerator, denominator)))
        if number < count - 1:
            end_bar(voice, "|")


def read_event(voice: Voice, match: re.Match) -> None:
    """Reads a note, a chord, a rest, or what changes the next ones."""
    if match["tie"]:
        if voice.current or voice.events:
            (voice.current or voice.events[-1])[-1].ties_on = True
        return
    if match["broken"]:
        _break_rhythm(voice, match["broken"])
        return
    if match["tuplet"]:
        voice.tuplet = _tuplet(match, voice.meter)
        return
    if match["overlay"]:
        # A second voice on the same staff goes back to the bar line; the first is the melody.
        voice.is_overlaid = True
        return
    if voice.is_overlaid:
        return
    if match["chord"] is not None:
        letters = _LETTER.findall(match["chord"])
        if not letters:
            return
        length = _length(letters[0][1]) * _length(match["chord_length"])
        names = [name for name, _ in letters]
    elif match["note"]:
        names, length = [match["note"]], _length(match["length"])
    else:
        names, length = [], _length(match["rest_length"])
    length *= voice.unit * voice.broken
    voice.broken = Fraction(1)
    count, factor = voice.tuplet
    if count:
        length *= factor
        voice.tuplet = (count - 1, factor)
    before = (voice.current or (voice.events[-1] if voice.events else []))[-1:]
    was_tied = bool(before) and before[0].ties_on
    pitches = tuple(_pitch(voice, name, was_tied) for name in names)
    tied = frozenset(pitches) & frozenset(before[0].pitches) if was_tied else frozenset()
    voice.tied = {_without_sign(name): pitch for name, pitch in zip(names, pitches, strict=True)}
    voice.current.append(Event(pitches, length, tied))


def _without_sign(name: str) -> str:
    return name.lstrip("^_=")


def _pitch(voice: Voice, name: str, was_tied: bool) -> int:
    """The MIDI number of a note as it sounds; an accidental holds to the end of the bar."""
    bare = _without_sign(name)
    sign = name[: len(name) - len(bare)]
    letter = bare[0].upper()
    if was_tied and not sign and letter not in voice.altered and bare in voice.tied:
        return voice.tied[bare]  # tied over the bar line, with its accidental
    if sign:
        voice.altered[letter] = ACCIDENTALS[sign]
    alteration = voice.altered.get(letter, voice.signature.get(letter, 0))
    octave = 5 + bare[0].islower() + bare.count("'") - bare.count(",")
    return STEPS[letter] + alteration + 12 * octave + voice.transposition


def _length(text: str) -> Fraction:
    """The factor of `3`, `/`, `//`, `3/2`."""
    top, *rest = text.split("/", 1)
    value = Fraction(int(top[:4] or 1))
    if rest:
        for part in rest[0].split("/"):
            value /= max(int(part[:4] or 2), 1)
    return value


def _break_rhythm(voice: Voice, signs: str) -> None:
    """`a>b` takes half of b's length to a, `a<b` the other way round."""
    short = Fraction(1, 2 ** min(len(signs), 3))
    first, second = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
    if voice.current:
        voice.current[-1].length *= first
        voice.broken = second


def _tuplet(match: re.Match, meter: tuple[int, int] | None) -> tuple[int, Fraction]:
    """How many notes are in a tuplet, and the factor of their lengths."""
    number = int(match["tuplet"])
    is_compound = meter is not None and meter[0] % 3 == 0 and meter[0] > 3
    time = int(match["time"] or 0) or _TUPLETS.get(number, 3 if is_compound else 2)
    count = int((match["count"] or "")[:2] or number)
    return (count, Fraction(time, number)) if number else (0, Fraction(1))
