"""MusicXML, plain and compressed, as scores.

The format is that of https://www.w3.org/2021/06/musicxml40. music21 reads it too, but
needs 3 to 10 s for a song with piano where this needs a tenth of a second.
"""

import collections
import dataclasses
import re
from fractions import Fraction
from xml.etree.ElementTree import Element

from musicvae_jax.notation import xml_tree
from musicvae_jax.notation.archive import unpacked
from musicvae_jax.notation.musicxml_marks import (
    QUARTERS,
    read_bar_lines,
    read_direction,
    read_sound,
)
from musicvae_jax.notation.score import (
    MAX_BARS,
    STEPS,
    TICKS_PER_QUARTER,
    Bar,
    Note,
    Score,
    VoiceInfo,
    usual_meter,
)
from musicvae_jax.notation.xml_tree import number, text

_SNARE = 38
_TAG_NAMES = """
    score-partwise score-timewise work work-title movement-title part-list score-part
    part-name midi-instrument midi-program midi-unpitched part measure attributes divisions
    time beats beat-type senza-misura transpose chromatic octave-change note grace cue chord
    pitch step alter octave unpitched rest duration type dot time-modification tie voice staff
    instrument lyric text
    backup forward direction direction-type words metronome beat-unit beat-unit-dot
    per-minute segno coda offset sound barline bar-style repeat ending
"""
_TAGS = frozenset(_TAG_NAMES.split())


def read_scores(data: bytes) -> list[Score]:
    """The one score of a MusicXML file.

    Args:
      data: XML, or an archive with it (.mxl).

    Raises:
      ValueError: it is not readable as such.
    """
    if data.startswith(b"PK"):
        data = unpacked(data)
    root = xml_tree.parse(data, _TAGS)
    if root.tag not in ("score-partwise", "score-timewise"):
        raise ValueError(f"the root is {root.tag!r}, not a score")
    return [_score(root)]


def _score(root: Element) -> Score:
    title = text(root, "movement-title") or text(root, "work/work-title")
    score = Score(title, {}, [])
    for id, measures in _parts(root).items():
        info = root.find(f"part-list/score-part[@id={id!r}]") if _is_plain(id) else None
        _PartReader(id, info, score).read(measures)
    if root.find(".//time") is None:
        _guess_meter(score.bars)
    return score


def _guess_meter(bars: list[Bar]) -> None:
    """The meter of a file that tells none, by the length of most of its bars."""
    lengths = collections.Counter(bar.length for bar in bars)
    length, _ = lengths.most_common(1)[0] if bars else (0, 0)
    eighths, left = divmod(2 * length, TICKS_PER_QUARTER)
    meter = usual_meter(eighths, 8) if eighths % 2 else usual_meter(eighths // 2, 4)
    for bar in bars if meter and not left else ():
        bar.meter = meter


def _is_plain(id: str) -> bool:
    return re.fullmatch(r"[\w.-]+", id) is not None


def _parts(root: Element) -> dict[str, list[Element]]:
    """The measures of each part, whichever way the file is arranged."""
    parts: dict[str, list[Element]] = {}
    if root.tag == "score-partwise":
        for part in root.iterfind("part"):
            parts.setdefault(part.get("id", ""), []).extend(part.iterfind("measure"))
        return parts
    for index, measure in enumerate(root.iterfind("measure")):
        for part in measure.iterfind("part"):
            measures = parts.setdefault(part.get("id", ""), [])
            measures += [Element("measure") for _ in range(index - len(measures))]
            measures.append(part)
    return parts


@dataclasses.dataclass
class _Place:
    """Where in a measure the next element stands, in ticks."""

    now: int = 0
    chord: int = 0
    end: int = 0
    rest_end: int = 0

    def go(self, duration: int, is_bar_rest: bool = False) -> None:
        self.chord = self.now
        self.now = max(self.now + duration, 0)
        if is_bar_rest:
            self.rest_end = max(self.rest_end, self.now)
        else:
            self.end = max(self.end, self.now)


class _PartReader:
    """Reads one part into the bars of a score."""

    def __init__(self, id: str, info: Element | None, score: Score):
        self._id = id
        self._score = score
        self._name = text(info, "part-name")
        instrument = None if info is None else info.find("midi-instrument")
        self._program = 0
        self._drums: dict[str, int] = {}
        if info is not None and instrument is not None:
            self._program = min(max(number(instrument, "midi-program", 1) - 1, 0), 127)
            for drum in info.iterfind("midi-instrument[midi-unpitched]"):
                self._drums[drum.get("id", "")] = number(drum, "midi-unpitched", 1) - 1
        self._divisions = 1
        self._transposition = 0
        self._meter: tuple[int, int] | None = (4, 4)

    def read(self, measures: list[Element]) -> None:
        ending: frozenset[int] = frozenset()
        is_after_double_bar = False
        rest_lengths: list[int] = []
        for index, measure in enumerate(measures):
            is_new = index == len(self._score.bars)
            if is_new:
                self._score.bars.append(Bar())
                if index >= MAX_BARS:
                    raise ValueError(f"more than {MAX_BARS} bars")
            bar = self._score.bars[index]
            place = _Place()
            for element in measure:
                self._read_element(element, bar, place)
            if is_new:
                bar.meter = self._meter
            else:
                self._fit(bar, place)
            if is_new or bar.length != bar.full_length:  # a full bar of the first part is right
                bar.length = max(bar.length, place.end)
            rest_lengths.append(place.rest_end)
            bar.begins_strain |= is_after_double_bar
            ending, is_after_double_bar = read_bar_lines(measure, bar, ending)
        for bar, rest_length in zip(self._score.bars, rest_lengths, strict=False):
            bar.length = bar.length or rest_length

    @property
    def _full_length(self) -> int:
        """What the part's own meter asks for; 0 without one."""
        return Bar(meter=self._meter).full_length

    def _fit(self, bar: Bar, place: _Place) -> None:
        """Stretches what stands in another meter than the first part's.

        Where one part is in 2/4 and another in 6/8, their bars last equally long.
        """
        own = self._full_length
        if not own or own == bar.full_length or not bar.meter or place.end > own:
            return
        factor = Fraction(bar.full_length, own)
        for key in bar.notes:
            if key.startswith(f"{self._id}/"):
                bar.notes[key] = [
                    dataclasses.replace(
                        note, start=round(note.start * factor), length=round(note.length * factor)
                    )
                    for note in bar.notes[key]
                ]
        place.end = round(place.end * factor)
        place.rest_end = round(place.rest_end * factor)

    def _rest_length(self, element: Element, is_bar: bool) -> int:
        """How long a rest is.

        MuseScore stretches the rests of a part in 2/4 beside one in 6/8, but not its notes:
        such a rest is as long as it looks.
        """
        duration, full = self._duration(element), self._full_length
        if is_bar:
            return min(duration, full or duration)
        value = QUARTERS.get(text(element, "type"))
        if value is None or duration == full or element.find("time-modification") is not None:
            return duration
        dots = min(len(element.findall("dot")), 3)
        looks = value * TICKS_PER_QUARTER * (2 - Fraction(1, 2**dots))
        return int(looks) if duration * 2 in (looks * 3, looks * 4 / 3) else duration

    def _read_element(self, element: Element, bar: Bar, place: _Place) -> None:
        if element.tag == "note":
            self._read_note(element, bar, place)
        elif element.tag == "backup":
            place.go(-self._duration(element))
        elif element.tag == "forward":
            place.go(self._duration(element))
        elif element.tag == "attributes":
            self._read_attributes(element)
        elif element.tag == "direction":
            read_direction(element, bar, place.now + self._offset(element))
        elif element.tag == "sound":
            read_sound(element, bar, place.now + self._offset(element))

    def _duration(self, element: Element) -> int:
        return max(self._ticks(text(element, "duration")), 0)

    def _offset(self, element: Element) -> int:
        return self._ticks(text(element, "offset"))

    def _ticks(self, count: str) -> int:
        """The ticks of a number of divisions; some programs write `1.0`."""
        if count.isdecimal() and len(count) < 10:
            return (int(count) * TICKS_PER_QUARTER + self._divisions // 2) // self._divisions
        match = re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", count)
        return round(Fraction(count) * TICKS_PER_QUARTER / self._divisions) if match else 0

    def _read_attributes(self, element: Element) -> None:
        self._divisions = max(number(element, "divisions", self._divisions), 1)
        time = element.find("time")
        if time is not None:
            self._meter = _meter(time)
        transpose = element.find("transpose")
        if transpose is not None:
            octaves = number(transpose, "octave-change")
            self._transposition = number(transpose, "chromatic") + 12 * octaves

    def _read_note(self, element: Element, bar: Bar, place: _Place) -> None:
        if element.find("grace") is not None:
            return
        rest = element.find("rest")
        is_bar = rest is not None and rest.get("measure") == "yes"
        length = self._duration(element) if rest is None else self._rest_length(element, is_bar)
        start = place.now
        if element.find("chord") is not None:
            start = place.chord
        else:
            place.go(length, is_bar)
        if rest is not None or element.find("cue") is not None or not length:
            return
        pitch = self._pitch(element)
        if pitch is None or not 0 <= pitch < 128:
            return
        is_drum = element.find("unpitched") is not None
        voice = text(element, "voice") or "1"
        info = self._voice(f"{self._id}/{text(element, 'staff') or '1'}/{voice}", is_drum)
        # The melisma's later notes and the ends of ties have no text of their own.
        info[1].num_syllables += any(text(lyric, "text") for lyric in element.iterfind("lyric"))
        is_tied = any(tie.get("type") == "stop" for tie in element.iterfind("tie"))
        bar.notes.setdefault(info[0], []).append(Note(pitch, start, length, is_tied))

    def _voice(self, key: str, is_drum: bool) -> tuple[str, VoiceInfo]:
        key += "/drums" if is_drum else ""
        voices = self._score.voices
        if key not in voices:
            voices[key] = VoiceInfo(self._name, self._program, is_drum)
        return key, voices[key]

    def _pitch(self, element: Element) -> int | None:
        pitch = element.find("pitch")
        if pitch is not None:
            step = STEPS.get(text(pitch, "step").upper())
            if step is None or pitch.find("octave") is None:
                return None
            sounding = step + number(pitch, "alter") + 12 * (number(pitch, "octave") + 1)
            return sounding + self._transposition
        instrument = element.find("instrument")
        id = "" if instrument is None else instrument.get("id", "")
        return self._drums.get(id, _SNARE) if element.find("unpitched") is not None else None


def _meter(time: Element) -> tuple[int, int] | None:
    """The meter, for example of `3+2` eighths; None where it is free or not understood."""
    beats = re.findall(r"\d{1,3}", text(time, "beats"))
    unit = text(time, "beat-type")
    if not beats or not re.fullmatch(r"\d{1,3}", unit):
        return None
    return usual_meter(sum(map(int, beats)), int(unit))
