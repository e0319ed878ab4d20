"""The values of ABC's fields: meters, lengths, tempos, keys, words."""

import re
from fractions import Fraction

from musicvae_jax.notation.score import MAX_BARS, MAX_TIMES, usual_meter, usual_tempo

ACCIDENTALS = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
_FIFTHS = {"F": -1, "C": 0, "G": 1, "D": 2, "A": 3, "E": 4, "B": 5}
# How many fifths above its own major key the signature of a mode is.
_MODES = {"maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4}
_MODES |= {"loc": -5, "lyd": 1}
_SHARPS = "FCGDAEB"


def count_syllables(line: str) -> int:
    """The notes that a line of words gives a syllable to."""
    return len(re.findall(r"[^\s\-_*|]+", line))


def part_order(value: str) -> str:
    """The parts of `A2(BC)2`, a letter each: `AABCBC`.

    Raises:
      ValueError: they are too many.
    """
    order = re.sub(r"[^A-Za-z\d()]", "", value)[:1000]
    while match := re.search(r"\(([A-Za-z]*)\)(\d{0,2})|([A-Za-z])(\d{1,2})", order):
        part = (match[1] or match[3] or "") * min(int(match[2] or match[4] or 1), MAX_TIMES)
        order = order[: match.start()] + part + order[match.end() :]
        if len(order) > MAX_BARS:
            raise ValueError(f"more than {MAX_BARS} parts")
    return re.sub(r"[^A-Za-z]", "", order)


def clef_octave(text: str) -> int:
    """-1 of `treble-8`, in which a voice sounds an octave lower than written; else 0 or 1."""
    match = re.search(r"\b(?:treble|alto|tenor|bass)\d?([+-])8\b", text)
    return int(f"{match[1]}1") if match else 0


def property_of(text: str, name: str) -> int:
    match = re.search(rf"\b{name}\s*=\s*([+-]?\d{{1,2}})", text)
    return int(match[1]) if match else 0


def meter_of(value: str) -> tuple[int, int] | None:
    """The meter of `C|`, `3/4` or `2+3/8`; None of `none`."""
    if value.startswith("C"):
        return (2, 2) if value.startswith("C|") else (4, 4)
    match = re.match(r"\(?(\d{1,2}(?:\s*\+\s*\d{1,2})*)\)?\s*/\s*(\d{1,2})", value)
    if not match:
        return None
    return usual_meter(sum(map(int, match[1].split("+"))), int(match[2]))


def unit_of(value: str) -> Fraction | None:
    match = re.match(r"(\d{1,2})\s*(?:/\s*(\d{1,3}))?", value)
    if not match or not int(match[1]) or (match[2] and not int(match[2])):
        return None
    return Fraction(4 * int(match[1]), int(match[2] or 1))


def default_unit(meter: tuple[int, int] | None) -> Fraction:
    is_short = meter is not None and Fraction(*meter) < Fraction(3, 4)
    return Fraction(1, 4) if is_short else Fraction(1, 2)


def tempo_bpm(value: str, unit: Fraction) -> float:
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
    return usual_tempo(bpm)


def signature_of(value: str) -> dict[str, int] | None:
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
        signature[letter.upper()] = ACCIDENTALS[sign]
    return signature
