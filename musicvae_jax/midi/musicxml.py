"""Pieces as MusicXML, to be read and printed by notation programs.

The format is that of https://www.w3.org/2021/06/musicxml40. The line of the piece is one part
in the meters of its melodies: where two instruments share a bridge, its notes are written once.
"""

import io
import math
import zipfile
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element, SubElement

import numpy as np
import pretty_midi

from musicvae_jax.midi.note_values import note_value, split
from musicvae_jax.music.grid import Grid
from musicvae_jax.music.modulation import Key, find_key
from musicvae_jax.music.piece import Piece, Section

_DOCTYPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC '
    '"-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">\n'
)
_CONTAINER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<container><rootfiles>'
    '<rootfile full-path="score.musicxml" media-type="application/vnd.recordare.musicxml+xml"/>'
    "</rootfiles></container>\n"
)
# Below it, on average, a melody is written in the bass clef.
_LOWEST_TREBLE = 55


def to_musicxml(piece: Piece, name: str = "melody") -> bytes:
    """A piece as a MusicXML file.

    Each section has a rehearsal mark, and each melody its key signature. Notes are spelled by
    the keys that are found for the melodies, those of a bridge by the nearer of its two keys
    that has more of the bar's notes. Tempos are written as marks where a section begins, and
    the steps of a change between them as sound alone. Loudness is not written.

    Args:
      piece: what to write.
      name: the title, and the name of the part.
    """
    name = _text(name)
    root = Element("score-partwise", version="4.0")
    SubElement(SubElement(root, "work"), "work-title").text = name
    SubElement(root, "movement-title").text = name
    encoding = SubElement(SubElement(root, "identification"), "encoding")
    SubElement(encoding, "software").text = "MusicVAE-JAX"
    programs = [voice.program for voice in piece.voices] or [piece.sections[0].melody.program]
    _add_part_list(root, name, programs)
    part = SubElement(root, "part", id="P1")
    notes, divisions = _notes(piece), _divisions(piece)
    for bar in range(piece.num_bars):
        measure = SubElement(part, "measure", number=str(bar + 1))
        _add_signs(measure, piece, bar, divisions)
        key, section = _spelling(piece, bar), _section(piece, bar)[1]
        for event in _in_bar(notes, section, bar):
            written = _Written(section.melody.grid, divisions, len(programs) > 1)
            _add_note(measure, event, key, written)
        _add_bar_line(measure, piece, bar)
    ET.indent(root)
    return (_DOCTYPE + ET.tostring(root, "unicode") + "\n").encode()


def packed(score: bytes) -> bytes:
    """A MusicXML file as an archive (.mxl); equal files give equal archives."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in (
            ("META-INF/container.xml", _CONTAINER.encode()),
            ("score.musicxml", score),
        ):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data)
    return content.getvalue()


class _Event(NamedTuple):
    """A note, or a part of one, or a rest.

    Attributes:
      pitch: None for a rest.
      length: in steps.
      instrument: its number.
      is_continued, continues: whether it is tied to what is before it, and to what is after it.
    """

    pitch: int | None
    length: int
    instrument: int = 0
    is_continued: bool = False
    continues: bool = False


def _text(text: str) -> str:
    """Text without what XML does not have, such as control characters."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(c if c.isprintable() else " " for c in text)


def _add_part_list(root: Element, name: str, programs: list[int]) -> None:
    part = SubElement(SubElement(root, "part-list"), "score-part", id="P1")
    SubElement(part, "part-name").text = name
    for number, program in enumerate(programs, start=1):
        player = SubElement(part, "score-instrument", id=f"P1-I{number}")
        title = pretty_midi.program_to_instrument_name(program)
        SubElement(player, "instrument-name").text = title
    for number, program in enumerate(programs, start=1):
        player = SubElement(part, "midi-instrument", id=f"P1-I{number}")
        SubElement(player, "midi-channel").text = str(number + (number > 9))
        SubElement(player, "midi-program").text = str(program + 1)


def _notes(piece: Piece) -> list[tuple[int, int, int, int]]:
    """`(pitch, start, end, instrument)` of the line; the instrument is the loudest one."""
    loudest: dict[int, tuple[int, int]] = {}
    for number, voice in enumerate(piece.voices, start=1):
        for start, velocity in zip(voice.start.tolist(), voice.velocity.tolist(), strict=True):
            if velocity > loudest.get(start, (0, 0))[0]:
                loudest[start] = (velocity, number)
    return [
        (pitch, start, end, loudest.get(start, (0, 1))[1]) for pitch, start, end in piece.notes()
    ]


def _in_bar(notes: list[tuple[int, int, int, int]], section: Section, bar: int) -> Iterator[_Event]:
    """What is written in a bar, with ties over its lines and within it."""
    grid = section.melody.grid
    begin, now = section.start_step + (bar - section.start_bar) * grid.steps_per_bar, 0
    end_of_bar = begin + grid.steps_per_bar

    def rests(first: int, last: int) -> Iterator[_Event]:
        yield from (_Event(None, length) for length in split(first, last, grid))

    for pitch, start, end, instrument in notes:
        if end <= begin or start >= end_of_bar:
            continue
        first = grid.played(max(start, begin) - begin)
        last = grid.played(min(end, end_of_bar) - begin)
        yield from rests(now, first)
        place = first
        for length in split(first, last, grid):
            is_last = place + length == last and end <= end_of_bar
            is_continued = start < begin or place > first
            yield _Event(pitch, length, instrument, is_continued, not is_last)
            place += length
        now = last
    yield from rests(now, grid.played_steps)


def _section(piece: Piece, bar: int) -> tuple[int, Section]:
    index = max(i for i, section in enumerate(piece.sections) if section.start_bar <= bar)
    return index, piece.sections[index]


def _keys(piece: Piece, index: int) -> list[Key]:
    """The keys of a section: its own, or of a bridge those of the melodies beside it."""
    sections = piece.sections
    if not sections[index].is_bridge or len(sections) == 1:
        return [find_key(sections[index].melody)]
    beside = (sections[index - 1], sections[(index + 1) % len(sections)])
    return [find_key(section.melody) for section in beside]


def _spelling(piece: Piece, bar: int) -> Key:
    """The key by which the notes of a bar are spelled."""
    index, section = _section(piece, bar)
    keys = _keys(piece, index)
    inside = section.melody.window(bar - section.start_bar, 1).pitch % 12
    if 2 * (bar - section.start_bar) >= section.melody.num_bars:
        keys.reverse()
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    return max(keys, key=lambda key: np.isin((inside - key.scale_root) % 12, scale).sum())


def fifths(key: Key) -> int:
    """Sharps of a key signature, or flats below 0."""
    return (7 * key.scale_root + 5) % 12 - 5


def spelled(pitch: int, key: Key) -> tuple[str, int, int]:
    """The letter, the alteration and the octave of a pitch in a key.

    On the line of fifths the notes of a key are seven neighbours. Of the notes beside them,
    major takes two flats and three sharps, such as E flat and G sharp in C; minor one flat and
    four sharps, so that the raised degrees of A minor are F sharp, G sharp and D sharp.
    """
    lowest = fifths(key) - (2 if key.is_minor else 3)
    place = lowest + (7 * pitch - lowest) % 12
    alteration, letter = divmod(place + 1, 7)
    return "FCGDAEB"[letter], alteration, (pitch - alteration) // 12 - 1


def _add_signs(measure: Element, piece: Piece, bar: int, divisions: int) -> None:
    """What stands before and above the notes of a bar: attributes, marks and tempos."""
    index, section = _section(piece, bar)
    begins = section.start_bar == bar
    grid = section.melody.grid
    changes_meter = bar == 0 or (
        begins and grid.meter != piece.sections[index - 1].melody.grid.meter
    )
    if changes_meter or (begins and not section.is_bridge):
        key = _keys(piece, index)[0] if bar == 0 or not section.is_bridge else None
        _add_attributes(measure, piece, bar, key, (divisions, changes_meter))
    if begins and len(piece.sections) > 1 and not section.bars_before:
        named = f"{section.origin}: {section.title}" if section.title else section.origin
        direction = SubElement(measure, "direction", placement="above")
        SubElement(SubElement(direction, "direction-type"), "rehearsal").text = _text(named)
    for step, bpm in piece.tempos:
        within = step - section.start_step - (bar - section.start_bar) * grid.steps_per_bar
        if not 0 <= within < grid.steps_per_bar:
            continue
        number = f"{round(bpm, 2):g}"
        offset = grid.played(within) * divisions // grid.steps_per_quarter
        parent = measure
        if begins and not offset:
            parent = SubElement(measure, "direction", placement="above")
            mark = SubElement(SubElement(parent, "direction-type"), "metronome")
            SubElement(mark, "beat-unit").text = "quarter"
            SubElement(mark, "per-minute").text = number
        sound = SubElement(parent, "sound", tempo=number)
        if offset:
            SubElement(sound, "offset").text = str(offset)


def _divisions(piece: Piece) -> int:
    """The parts of a quarter note in which durations are counted."""
    return math.lcm(*(section.melody.grid.steps_per_quarter for section in piece.sections))


def _add_attributes(
    measure: Element, piece: Piece, bar: int, key: Key | None, meter: tuple[int, bool]
) -> None:
    """Adds the key, and where it changes the meter: `meter` is the divisions and whether."""
    attributes = SubElement(measure, "attributes")
    if bar == 0:
        SubElement(attributes, "divisions").text = str(meter[0])
    if key is not None:
        sign = SubElement(attributes, "key")
        SubElement(sign, "fifths").text = str(fifths(key))
        SubElement(sign, "mode").text = "minor" if key.is_minor else "major"
    if meter[1]:
        grid = _section(piece, bar)[1].melody.grid
        time = SubElement(attributes, "time")
        SubElement(time, "beats").text = str(grid.numerator)
        SubElement(time, "beat-type").text = str(grid.denominator)
    if bar:
        return
    pitch = np.concatenate([section.melody.pitch for section in piece.sections])
    is_low = pitch.size > 0 and pitch.mean() < _LOWEST_TREBLE
    clef = SubElement(attributes, "clef")
    SubElement(clef, "sign").text = "F" if is_low else "G"
    SubElement(clef, "line").text = "4" if is_low else "2"


class _Written(NamedTuple):
    """How the notes of a bar are written.

    Attributes:
      grid: of the bar.
      divisions: of a quarter note.
      names_instrument: whether each note says who plays it.
    """

    grid: Grid
    divisions: int
    names_instrument: bool


def _add_note(measure: Element, event: _Event, key: Key, written: _Written) -> None:
    pitch, length, instrument, is_continued, continues = event
    grid = written.grid
    note = SubElement(measure, "note")
    is_bar_rest = pitch is None and length == grid.played_steps
    if pitch is None:
        SubElement(note, "rest", {"measure": "yes"} if is_bar_rest else {})
    else:
        letter, alteration, octave = spelled(pitch, key)
        tag = SubElement(note, "pitch")
        SubElement(tag, "step").text = letter
        if alteration:
            SubElement(tag, "alter").text = str(alteration)
        SubElement(tag, "octave").text = str(octave)
    duration = length * written.divisions // grid.steps_per_quarter
    SubElement(note, "duration").text = str(duration)
    ties = [kind for kind, is_on in (("stop", is_continued), ("start", continues)) if is_on]
    for kind in ties:
        SubElement(note, "tie", type=kind)
    if pitch is not None and written.names_instrument:
        SubElement(note, "instrument", id=f"P1-I{instrument}")
    SubElement(note, "voice").text = "1"
    if not is_bar_rest:
        value = note_value(length, grid)
        assert value is not None  # `split` gives no other
        SubElement(note, "type").text = value.name
        if value.is_dotted:
            SubElement(note, "dot")
        if value.is_triplet:
            ratio = SubElement(note, "time-modification")
            SubElement(ratio, "actual-notes").text = "3"
            SubElement(ratio, "normal-notes").text = "2"
    if ties:
        notations = SubElement(note, "notations")
        for kind in ties:
            SubElement(notations, "tied", type=kind)


def _add_bar_line(measure: Element, piece: Piece, bar: int) -> None:
    """A double bar line where a section ends, a final one where the piece does."""
    is_last = bar == piece.num_bars - 1
    if is_last or any(section.start_bar == bar + 1 for section in piece.sections):
        line = SubElement(measure, "barline", location="right")
        SubElement(line, "bar-style").text = "light-heavy" if is_last else "light-light"
