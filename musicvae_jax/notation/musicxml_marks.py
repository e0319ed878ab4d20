"""Marks of MusicXML beside its notes: bar lines, signs, words, tempos."""

import re
from collections.abc import Iterator
from fractions import Fraction
from xml.etree.ElementTree import Element

from musicvae_jax.notation.score import MAX_TIMES, Bar, times_of, usual_tempo
from musicvae_jax.notation.xml_tree import text

# Note values, in quarter notes.
QUARTERS = {
    "breve": Fraction(8),
    "whole": Fraction(4),
    "half": Fraction(2),
    "quarter": Fraction(1),
    "eighth": Fraction(1, 2),
    "16th": Fraction(1, 4),
    "32nd": Fraction(1, 8),
}


def read_bar_lines(
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
            ending = times_of(mark.get("number", ""))
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
        has_style = text(line, "bar-style") in ("light-light", "light-heavy", "heavy-light")
        if has_style and is_left:
            bar.begins_strain = True
        is_double |= not is_left and (has_style or direction == "backward")
        bar.segno |= line.find("segno") is not None
        bar.coda |= line.find("coda") is not None
    return (frozenset() if stops else ending), is_double


def read_direction(element: Element, bar: Bar, position: int) -> None:
    before = len(bar.tempos)
    for sound in element.iterfind("sound"):
        read_sound(sound, bar, position)
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
        yield re.sub(r"<[^>]*>", "", text(words)).strip()


def read_sound(sound: Element, bar: Bar, position: int) -> None:
    tempo = sound.get("tempo", "")
    bpm = _tempo(tempo)
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
    unit = QUARTERS.get(text(mark, "beat-unit"))
    match = re.search(r"\d+(\.\d+)?", text(mark, "per-minute"))
    if unit is None or match is None:
        return 0.0
    dots = len(mark.findall("beat-unit-dot"))
    return _tempo(str(float(unit * (2 - Fraction(1, 2**dots))) * float(match[0])))


def _tempo(bpm: str) -> float:
    try:
        return usual_tempo(float(bpm))
    except ValueError:
        return 0.0
