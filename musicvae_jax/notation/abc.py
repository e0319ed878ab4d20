"""ABC notation as scores: several tunes in a file, several voices in a tune.

The format is that of https://abcnotation.com/wiki/abc:standard:v2.1.
"""

import bisect
import dataclasses
import itertools
import re
from fractions import Fraction

from musicvae_jax.notation.score import (
    MAX_BARS,
    MAX_TIMES,
    TICKS_PER_QUARTER,
    Bar,
    Note,
    Score,
    VoiceInfo,
)

_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
# How many fifths above its own major key the signature of a mode is.
_MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4}
_MODES |= {"loc": -5, "lyd": 1}
_SHARPS = "FCGDAEB"
# How many notes a tuplet takes the time of; 3 or the half of a compound beat for 5, 7, 9.
_TUPLETS = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
_NOTE = r"(?:\^\^|\^|__|_|=)?[A-Ga-g][,']*"
_LENGTH = r"\d*(?:/+\d*)*"
_TOKEN = re.compile(
    r'(?P<skipped>"[^"]*"|\{[^}]*\}|![^!]*!|`)'
    r"|\[(?P<field>[A-Za-z]):(?P<value>[^\]]*)\]"
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


def read_scores(text: str) -> list[Score]:
    """The tunes of a file, in order.

    Raises:
      ValueError: it has no tune.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if sum(map(int, re.findall(r"[ZX](\d{1,3})", text))) > MAX_BARS:
        raise ValueError(f"rests of more than {MAX_BARS} bars")
    tunes = re.split(r"(?m)^(?=X:)", text)
    tunes = tunes[1:] if len(tunes) > 1 else tunes
    scores = [_Tune(tune).score() for tune in tunes if re.search(r"(?m)^K:", tune)]
    if not scores:
        raise ValueError("no tune: a line that begins with K: is needed")
    return scores


@dataclasses.dataclass
class _Event:
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
class _Voice:
    """A voice on its way through the text.

    Attributes:
      info: who plays it.
      unit: the length of a note without a number, in quarter notes.
      meter, signature, transposition: in force; the signature in semitones, by letter.
      bars: those that are complete, without notes: these are in `events`.
      events: of each bar.
      altered: semitones by letter, by the accidentals of this bar.
      ending: in force.
    """

    info: VoiceInfo
    unit: Fraction
    meter: tuple[int, int] | None
    signature: dict[str, int]
    transposition: int = 0
    bars: list[Bar] = dataclasses.field(default_factory=list)
    events: list[list[_Event]] = dataclasses.field(default_factory=list)
    current: list[_Event] = dataclasses.field(default_factory=list)
    next_bar: Bar = dataclasses.field(default_factory=Bar)
    altered: dict[str, int] = dataclasses.field(default_factory=dict)
    tied: dict[str, int] = dataclasses.field(default_factory=dict)
    ending: frozenset[int] = frozenset()
    broken: Fraction = Fraction(1)
    tuplet: tuple[int, Fraction] = (0, Fraction(1))
    is_overlaid: bool = False


class _Tune:
    """Reads one tune."""

    def __init__(self, text: str):
        self._voices: dict[str, _Voice] = {}
        self._title = ""
        self._meter: tuple[int, int] | None = (4, 4)
        self._unit: Fraction | None = None
        self._signature: dict[str, int] = {}
        self._program = 0
        self._tempo_text = ""
        self._key_properties = ""
        self._properties: dict[str, str] = {}
        self._voice_id = ""
        self._in_header = True
        for line in text.split("\n"):
            self._read_line(line)
        for voice in self._voices.values():
            _end_bar(voice, "|")

    def _read_line(self, line: str) -> None:
        program = re.match(r"%%MIDI\s+program\s+(?:\d+\s+)?(\d+)", line)
        if program:
            self._program = min(int(program[1][:4]), 127)
        line = re.sub(r"(?<!\\)%.*", "", line).rstrip()
        field = re.match(r"([A-Za-z+]):(?![|:])(.*)", line)
        if field:
            self._read_field(field[1], field[2].strip())
        elif not self._in_header:
            self._read_music(line)

    def _read_field(self, letter: str, value: str) -> None:
        if letter == "T" and not self._title:
            self._title = value
        elif letter == "w" and not self._in_header:
            self._voice().info.num_syllables += _count_syllables(value)
        elif letter == "V":
            self._voice_id, *properties = value.split(None, 1) or [""]
            before = self._properties.setdefault(self._voice_id, "")
            if properties and self._voice_id not in self._voices:
                self._properties[self._voice_id] = f"{before} {properties[0]}"
        elif letter == "M":
            self._meter = _meter(value)
            if not self._in_header:
                self._voice().meter = self._meter
        elif letter == "L":
            self._unit = _unit(value) or self._unit
            if not self._in_header and self._unit:
                self._voice().unit = self._unit
        elif letter == "Q":
            self._set_tempo(value)
        elif letter == "K":
            self._read_key(value)

    def _set_tempo(self, value: str) -> None:
        if self._in_header:
            self._tempo_text = value
            return
        voice = self._voice()
        bpm = _tempo_bpm(value, voice.unit)
        if bpm:
            position = sum(event.ticks for event in voice.current)
            voice.next_bar.tempos.append((position, bpm))

    def _read_key(self, value: str) -> None:
        signature = _signature(value)
        if self._in_header:
            self._in_header = False
            self._signature = signature or {}
            self._key_properties = value
            self._voice_id = ""
        elif signature is not None:
            self._voice().signature = signature

    def _voice(self) -> _Voice:
        """The voice that the text is in; the first one declared where none is named."""
        id = self._voice_id or next(iter(self._properties), "1")
        if id not in self._voices:
            properties = self._properties.get(id, "")
            name = re.search(r'(?:name|nm)\s*=\s*(?:"([^"]*)"|(\S+))', properties)
            shift = 0
            for text in (self._key_properties, properties):
                shift += 12 * _property(text, "octave") + _property(text, "transpose")
            info = VoiceInfo((name[1] or name[2] or "") if name else "", self._program)
            unit = self._unit or _default_unit(self._meter)
            voice = _Voice(info, unit, self._meter, dict(self._signature), shift)
            if self._tempo_text and not self._voices:
                bpm = _tempo_bpm(self._tempo_text, unit)
                voice.next_bar.tempos += [(0, bpm)] if bpm else []
            self._voices[id] = voice
        return self._voices[id]

    def _read_music(self, line: str) -> None:
        for match in _TOKEN.finditer(line):
            kind = match.lastgroup
            if match["field"]:
                self._read_field(match["field"], match["value"].strip())
            elif kind == "skipped":
                continue
            elif match["bar"]:
                _end_bar(self._voice(), match["bar"], match["ending"] or "")
            elif match["bracket"]:
                _end_bar(self._voice(), "", match["bracket"])
            elif match["bars_rest"]:
                _rest_bars(self._voice(), int(match["bars"] or 1))
            else:
                _read_event(self._voice(), match)

    def score(self) -> Score:
        """The tune, in the bars of its first voice.

        A voice that lacks a bar line has other bars than the first one; the notes of such
        a voice are placed by their time from the beginning.
        """
        voices = {id: voice for id, voice in self._voices.items() if voice.bars}
        first = next(iter(voices.values()), None)
        if first is None:
            return Score(self._title, {}, [])
        for bar, events in zip(first.bars, first.events, strict=True):
            bar.length = sum(event.ticks for event in events)
        begins = _running_sum([bar.length for bar in first.bars])
        for id, voice in voices.items():
            own = _running_sum([sum(event.ticks for event in bar) for bar in voice.events])
            starts = begins if len(voice.bars) == len(first.bars) else own
            for start, events in zip(starts, voice.events, strict=True):
                for event in events:
                    index = max(bisect.bisect_right(begins, start) - 1, 0)
                    first.bars[index].notes.setdefault(id, []).extend(
                        Note(pitch, start - begins[index], event.ticks, pitch in event.tied)
                        for pitch in event.pitches
                        if event.ticks and 0 <= pitch < 128
                    )
                    start += event.ticks
        return Score(self._title, {id: voice.info for id, voice in voices.items()}, first.bars)


def _running_sum(lengths: list[int]) -> list[int]:
    """Where each of some bars begins."""
    return [0, *itertools.accumulate(lengths)][: len(lengths)]


def _end_bar(voice: _Voice, sign: str, ending: str = "") -> None:
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
        voice.ending = _endings(ending)
    elif is_double:
        voice.ending = frozenset()


def _endings(text: str) -> frozenset[int]:
    """The times of `1,3` or `1-3`."""
    times: set[int] = set()
    for first, last in re.findall(r"(\d{1,2})(?:-(\d{1,2}))?", text):
        times |= set(range(int(first), int(last or first) + 1))
    return frozenset(time for time in times if 0 < time <= MAX_TIMES)


def _rest_bars(voice: _Voice, count: int) -> None:
    numerator, denominator = voice.meter or (4, 4)
    for number in range(count):
        voice.current.append(_Event((), Fraction(4 * numerator, denominator)))
        if number < count - 1:
            _end_bar(voice, "|")


def _read_event(voice: _Voice, match: re.Match) -> None:
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
    voice.current.append(_Event(pitches, length, tied))


def _without_sign(name: str) -> str:
    return name.lstrip("^_=")


def _pitch(voice: _Voice, name: str, was_tied: bool) -> int:
    """The MIDI number of a note as it sounds; an accidental holds to the end of the bar."""
    bare = _without_sign(name)
    sign = name[: len(name) - len(bare)]
    letter = bare[0].upper()
    if was_tied and not sign and letter not in voice.altered and bare in voice.tied:
        return voice.tied[bare]  # tied over the bar line, with its accidental
    if sign:
        voice.altered[letter] = _ACCIDENTALS[sign]
    alteration = voice.altered.get(letter, voice.signature.get(letter, 0))
    octave = 5 + bare[0].islower() + bare.count("'") - bare.count(",")
    return _STEPS[letter] + alteration + 12 * octave + voice.transposition


def _length(text: str) -> Fraction:
    """The factor of `3`, `/`, `//`, `3/2`."""
    top, *rest = text.split("/", 1)
    value = Fraction(int(top[:4] or 1))
    if rest:
        for part in rest[0].split("/"):
            value /= max(int(part[:4] or 2), 1)
    return value


def _break_rhythm(voice: _Voice, signs: str) -> None:
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


def _count_syllables(line: str) -> int:
    """The notes that a line of words gives a syllable to."""
    return len(re.findall(r"[^\s\-_*|]+", line))


def _property(text: str, name: str) -> int:
    match = re.search(rf"\b{name}\s*=\s*([+-]?\d{{1,2}})", text)
    return int(match[1]) if match else 0


def _meter(value: str) -> tuple[int, int] | None:
    """The meter of `C|`, `3/4` or `2+3/8`; None of `none`."""
    if value.startswith("C"):
        return (2, 2) if value.startswith("C|") else (4, 4)
    match = re.match(r"\(?(\d{1,2}(?:\s*\+\s*\d{1,2})*)\)?\s*/\s*(\d{1,2})", value)
    if not match:
        return None
    meter = sum(map(int, match[1].split("+"))), int(match[2])
    is_usual = 0 < meter[0] <= 64 and meter[1] in (1, 2, 4, 8, 16, 32, 64)
    return meter if is_usual else None


def _unit(value: str) -> Fraction | None:
    match = re.match(r"(\d{1,2})\s*(?:/\s*(\d{1,3}))?", value)
    if not match or not int(match[1]) or (match[2] and not int(match[2])):
        return None
    return Fraction(4 * int(match[1]), int(match[2] or 1))


def _default_unit(meter: tuple[int, int] | None) -> Fraction:
    is_short = meter is not None and Fraction(*meter) < Fraction(3, 4)
    return Fraction(1, 4) if is_short else Fraction(1, 2)


def _tempo_bpm(value: str, unit: Fraction) -> float:
    """Quarter notes a minute of `1/4=120`, `"Andante" 3/8=60`, or `120` units; 0 without."""
    value = re.sub(r'"[^"]*"', "", value)
    match = re.search(r"((?:\d{1,2}/\d{1,2}\s*)+)=\s*(\d{1,4})", value)
    if match:
        fractions = re.findall(r"(\d+)/(\d+)", match[1])
        beat = sum((Fraction(4 * int(n), int(d) or 1) for n, d in fractions), Fraction(0))
        bpm = float(beat * int(match[2]))
    else:
        match = re.fullmatch(r"\s*(?:C\d?\s*=\s*)?(\d{1,4})\s*", value)
        bpm = float(unit * int(match[1])) if match else 0.0
    return bpm if 5 <= bpm <= 1000 else 0.0


def _signature(value: str) -> dict[str, int] | None:
    """The alterations of a key by letter, for example of `Ador`; None where no key is named."""
    match = re.match(r"(HP|Hp|none|[A-G])([#b]?)\s*([A-Za-z]*)", value)
    if not match:
        return None
    if match[1] in ("HP", "Hp", "none"):
        fifths = 0 if match[1] == "none" else 2
    else:
        mode = match[3].lower()
        fifths = _FIFTHS[match[1]] + {"#": 7, "b": -7}.get(match[2], 0)
        fifths += _MODES.get(mode, _MODES.get(mode[:3], 0))
    fifths = max(-14, min(fifths, 14))
    signature: dict[str, int] = {}
    for number in range(abs(fifths)):
        letter = _SHARPS[number % 7] if fifths > 0 else _SHARPS[-1 - number % 7]
        signature[letter] = signature.get(letter, 0) + (1 if fifths > 0 else -1)
    for sign, letter in re.findall(r"\s(\^\^|\^|__|_|=)([A-Ga-g])\b", value):
        signature[letter.upper()] = _ACCIDENTALS[sign]
    return signature
