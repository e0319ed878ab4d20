"""MusicXML, plain and compressed, as scores.

The format is that of https://www.w3.org/2021/06/musicxml40. music21 reads it too, but
needs 3 to 10 s for a song with piano where this needs a tenth of a second.
"""

import dataclasses
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from fractions import Fraction
from xml.etree.ElementTree import Element

from musicvae_jax.notation import xml_tree
from musicvae_jax.notation.score import (
    MAX_BARS,
    MAX_TIMES,
    TICKS_PER_QUARTER,
    Bar,
    Note,
    Score,
    VoiceInfo,
)

# The largest song among 1,460 has 2.4 MB; scores for orchestra have 10 MB.
MAX_XML_BYTES = 16 << 20
_CONTAINER = "META-INF/container.xml"
_STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_QUARTERS = {
    "breve": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    "16th": Fraction(1, 4),
}
_SNARE = 38
_TAG_NAMES = """
    score-partwise score-timewise work work-title movement-title part-list score-part
    part-name midi-instrument midi-program midi-unpitched part measure attributes divisions
    time beats beat-type senza-misura transpose chromatic octave-change note grace cue chord
    pitch step alter octave unpitched rest duration tie voice staff instrument lyric text
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
        data = _unpacked(data)
    root = xml_tree.parse(data, _TAGS)
    if root.tag not in ("score-partwise", "score-timewise"):
        raise ValueError(f"the root is {root.tag!r}, not a score")
    return [_score(root)]


def _unpacked(data: bytes) -> bytes:
    """The score in an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            name = _root_file(archive) if _CONTAINER in names else ""
            if name not in names:
                scores = [n for n in names if n.lower().endswith((".xml", ".musicxml"))]
                scores = [n for n in scores if not n.startswith(("META-INF", "__MACOSX"))]
                if not scores:
                    raise ValueError("the archive has no score")
                name = scores[0]
            return _member(archive, name)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise ValueError(f"damaged archive: {error}") from error


def _root_file(archive: zipfile.ZipFile) -> str:
    """The name of the score in an archive; empty where its list of contents is damaged.

    Some programs write an `&` in a title there as it is.
    """
    try:
        tags = {"container", "rootfiles", "rootfile"}
        container = xml_tree.parse(_member(archive, _CONTAINER), tags)
    except ValueError:
        return ""
    return next((file.get("full-path", "") for file in container.iter("rootfile")), "")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("the archive is compressed in a way that MusicXML does not use")
    with archive.open(info) as file:
        content = file.read(MAX_XML_BYTES + 1)
    if len(content) > MAX_XML_BYTES:
        raise ValueError(f"larger than {MAX_XML_BYTES >> 20} MiB when unpacked")
    return content


def _text(element: Element | None, path: str = ".") -> str:
    found = None if element is None else element.find(path)
    return "" if found is None or found.text is None else " ".join(found.text.split())


def _number(element: Element, path: str, default: int = 0) -> int:
    """A whole number; some programs write `1.0`."""
    match = re.match(r"-?\d{1,9}", _text(element, path))
    return int(match[0]) if match else default


def _score(root: Element) -> Score:
    title = _text(root, "movement-title") or _text(root, "work/work-title")
    score = Score(title, {}, [])
    for id, measures in _parts(root).items():
        info = root.find(f"part-list/score-part[@id={id!r}]") if _is_plain(id) else None
        _PartReader(id, info, score).read(measures)
    return score


def _is_plain(id: str) -> bool:
    return re.fullmatch(r"[\w.-]+", id) is not None


def _parts(root: Element) -> dict[str, list[Element]]:
    """The measures of each part, whichever way the file is arranged."""
    parts: dict[str, list[Element]] = {}
    if root.tag == "score-partwise":
        for part in root.iterfind("part"):
            parts.setdefault(part.get("id", ""), []).extend(part.iterfind("measure"))
        return parts
    for number, measure in enumerate(root.iterfind("measure")):
        for part in measure.iterfind("part"):
            measures = parts.setdefault(part.get("id", ""), [])
            measures += [Element("measure") for _ in range(number - len(measures))]
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
        self._name = _text(info, "part-name")
        instrument = None if info is None else info.find("midi-instrument")
        self._program = 0
        self._drums: dict[str, int] = {}
        if info is not None and instrument is not None:
            self._program = min(max(_number(instrument, "midi-program", 1) - 1, 0), 127)
            for drum in info.iterfind("midi-instrument[midi-unpitched]"):
                self._drums[drum.get("id", "")] = _number(drum, "midi-unpitched", 1) - 1
        self._divisions = 1
        self._transposition = 0
        self._meter: tuple[int, int] | None = (4, 4)

    def read(self, measures: list[Element]) -> None:
        ending: frozenset[int] = frozenset()
        is_after_double_bar = False
        rest_lengths: list[int] = []
        for number, measure in enumerate(measures):
            is_new = number == len(self._score.bars)
            if is_new:
                self._score.bars.append(Bar())
                if number >= MAX_BARS:
                    raise ValueError(f"more than {MAX_BARS} bars")
            bar = self._score.bars[number]
            place = _Place()
            for element in measure:
                self._read_element(element, bar, place)
            if is_new:
                bar.meter = self._meter
            bar.length = max(bar.length, place.end)
            rest_lengths.append(place.rest_end)
            bar.begins_strain |= is_after_double_bar
            ending, is_after_double_bar = _read_bar_lines(measure, bar, ending)
        for bar, rest_length in zip(self._score.bars, rest_lengths, strict=False):
            bar.length = bar.length or rest_length

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
            _read_direction(element, bar, place.now + self._offset(element))
        elif element.tag == "sound":
            _read_sound(element, bar, place.now + self._offset(element))

    def _duration(self, element: Element) -> int:
        return max(self._ticks(_text(element, "duration")), 0)

    def _offset(self, element: Element) -> int:
        return self._ticks(_text(element, "offset"))

    def _ticks(self, text: str) -> int:
        """The ticks of a number of divisions; some programs write `1.0`."""
        if text.isdecimal() and len(text) < 10:
            return (int(text) * TICKS_PER_QUARTER + self._divisions // 2) // self._divisions
        match = re.fullmatch(r"-?\d{1,9}(\.\d{1,9})?", text)
        return round(Fraction(text) * TICKS_PER_QUARTER / self._divisions) if match else 0

    def _read_attributes(self, element: Element) -> None:
        self._divisions = max(_number(element, "divisions", self._divisions), 1)
        time = element.find("time")
        if time is not None:
            self._meter = _meter(time)
        transpose = element.find("transpose")
        if transpose is not None:
            octaves = _number(transpose, "octave-change")
            self._transposition = _number(transpose, "chromatic") + 12 * octaves

    def _read_note(self, element: Element, bar: Bar, place: _Place) -> None:
        if element.find("grace") is not None:
            return
        duration = self._duration(element)
        rest = element.find("rest")
        start = place.now
        if element.find("chord") is not None:
            start = place.chord
        else:
            place.go(duration, rest is not None and rest.get("measure") == "yes")
        if rest is not None or element.find("cue") is not None or not duration:
            return
        pitch = self._pitch(element)
        if pitch is None or not 0 <= pitch < 128:
            return
        is_drum = element.find("unpitched") is not None
        voice = _text(element, "voice") or "1"
        info = self._voice(f"{self._id}/{_text(element, 'staff') or '1'}/{voice}", is_drum)
        # The melisma's later notes and the ends of ties have no text of their own.
        info[1].num_syllables += any(_text(lyric, "text") for lyric in element.iterfind("lyric"))
        is_tied = any(tie.get("type") == "stop" for tie in element.iterfind("tie"))
        bar.notes.setdefault(info[0], []).append(Note(pitch, start, duration, is_tied))

    def _voice(self, key: str, is_drum: bool) -> tuple[str, VoiceInfo]:
        key += "/drums" if is_drum else ""
        voices = self._score.voices
        if key not in voices:
            voices[key] = VoiceInfo(self._name, self._program, is_drum)
        return key, voices[key]

    def _pitch(self, element: Element) -> int | None:
        pitch = element.find("pitch")
        if pitch is not None:
            step = _STEPS.get(_text(pitch, "step").upper())
            if step is None or pitch.find("octave") is None:
                return None
            sounding = step + _number(pitch, "alter") + 12 * (_number(pitch, "octave") + 1)
            return sounding + self._transposition
        instrument = element.find("instrument")
        id = "" if instrument is None else instrument.get("id", "")
        return self._drums.get(id, _SNARE) if element.find("unpitched") is not None else None


def _meter(time: Element) -> tuple[int, int] | None:
    """The meter, for example of `3+2` eighths; None where it is free or not understood."""
    beats = re.findall(r"\d{1,3}", _text(time, "beats"))
    unit = _text(time, "beat-type")
    if not beats or not re.fullmatch(r"\d{1,3}", unit):
        return None
    meter = sum(map(int, beats)), int(unit)
    is_usual = 0 < meter[0] <= 64 and meter[1] in (1, 2, 4, 8, 16, 32, 64)
    return meter if is_usual else None


def _read_bar_lines(
    measure: Element, bar: Bar, ending: frozenset[int]
) -> tuple[frozenset[int], bool]:
    """Reads repeats and endings.

    Args:
      measure, bar: where they are read from, and written to.
      ending: the one that has begun before this bar and not ended.

    Returns:
      The ending that goes on after it, and whether it ends with a double bar.
    """
    lines = list(measure.iterfind("barline"))
    stops = False
    for mark in (mark for line in lines for mark in line.iterfind("ending")):
        if mark.get("type") == "start":
            ending = _endings(mark.get("number", ""))
        else:
            stops = True
    bar.endings |= ending
    is_double = False
    for line in lines:
        repeat = line.find("repeat")
        direction = "" if repeat is None else repeat.get("direction", "")
        if repeat is not None and direction == "forward":
            bar.begins_repeat = True
        elif repeat is not None and direction == "backward":
            times = repeat.get("times", "2")
            bar.repeat_times = min(int(times), MAX_TIMES) if times.isdecimal() else 2
        is_left = line.get("location", "right") == "left"
        has_style = _text(line, "bar-style") in ("light-light", "light-heavy", "heavy-light")
        if has_style and is_left:
            bar.begins_strain = True
        is_double |= not is_left and (has_style or direction == "backward")
        bar.segno |= line.find("segno") is not None
        bar.coda |= line.find("coda") is not None
    return (frozenset() if stops else ending), is_double


def _endings(number: str) -> frozenset[int]:
    """The times of `1, 2` or `1-3`."""
    times: set[int] = set()
    for first, last in re.findall(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?", number):
        times |= set(range(int(first), int(last or first) + 1))
    return frozenset(time for time in times if 0 < time <= MAX_TIMES)


def _read_direction(element: Element, bar: Bar, position: int) -> None:
    before = len(bar.tempos)
    for sound in element.iterfind("sound"):
        _read_sound(sound, bar, position)
    if len(bar.tempos) == before:
        for mark in element.iterfind("direction-type/metronome"):
            bpm = _metronome_bpm(mark)
            if bpm:
                bar.tempos.append((max(position, 0), bpm))
    bar.segno |= element.find("direction-type/segno") is not None
    words = " ".join(_words(element))
    # The same word in "rall. al fine" is an advice, so it must stand alone.
    bar.fine |= re.fullmatch(r"Fine\.?", words, re.IGNORECASE) is not None
    bar.da_capo |= re.match(r"(D\. ?C\.|Da Capo)", words, re.IGNORECASE) is not None
    bar.dal_segno |= re.match(r"(D\. ?S\.|Dal Segno)", words, re.IGNORECASE) is not None
    is_to_coda = re.match(r"To\b", words, re.IGNORECASE) is not None
    has_sign = element.find("direction-type/coda") is not None
    if is_to_coda and (has_sign or "coda" in words.lower()):
        bar.to_coda = True
    elif has_sign and not bar.to_coda:
        bar.coda = True


def _words(element: Element) -> Iterator[str]:
    for words in element.iterfind("direction-type/words"):
        yield re.sub(r"<[^>]*>", "", _text(words)).strip()


def _read_sound(sound: Element, bar: Bar, position: int) -> None:
    tempo = sound.get("tempo", "")
    bpm = _positive(tempo)
    if bpm:
        bar.tempos.append((max(position, 0), bpm))
    bar.segno |= "segno" in sound.attrib
    bar.coda |= "coda" in sound.attrib
    bar.to_coda |= "tocoda" in sound.attrib
    bar.fine |= "fine" in sound.attrib
    bar.da_capo |= sound.get("dacapo") == "yes"
    bar.dal_segno |= "dalsegno" in sound.attrib


def _metronome_bpm(mark: Element) -> float:
    """Quarter notes a minute; 0 where the mark compares two note values."""
    unit = _QUARTERS.get(_text(mark, "beat-unit"))
    match = re.search(r"\d+(\.\d+)?", _text(mark, "per-minute"))
    if unit is None or match is None:
        return 0.0
    dots = len(mark.findall("beat-unit-dot"))
    return _positive(str(float(unit * (2 - Fraction(1, 2**dots))) * float(match[0])))


def _positive(text: str) -> float:
    """A tempo that music can have; 0 otherwise."""
    try:
        bpm = float(text)
    except ValueError:
        return 0.0
    return bpm if 5 <= bpm <= 1000 else 0.0
