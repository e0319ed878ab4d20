"""Humdrum **kern as scores: spines of notes beside each other, a line for each moment.

The format is that of https://www.humdrum.org/rep/kern. music21 reads it too, but needs
seconds for a song and can hang; tests compare both.
"""

import dataclasses
import re
from fractions import Fraction

from musicvae_jax.notation.score import (
    MAX_BARS,
    STEPS,
    TICKS_PER_QUARTER,
    Bar,
    Note,
    Score,
    VoiceInfo,
    usual_meter,
    usual_tempo,
)

_TEXTS = ("**text", "**silbe", "**sylb", "**lyrics")
_NOTE = re.compile(r"(?P<letters>([A-Ga-g])\2*)(?P<sign>#+|-+|)")
_LENGTH = re.compile(r"(?P<number>\d{1,5})(?:%(?P<wholes>\d{1,5}))?")
# General MIDI programs of instruments' codes.
_PROGRAMS = {"piano": 0, "cemba": 6, "organ": 19, "guitr": 24, "violn": 40, "viola": 41}
_PROGRAMS |= {"cello": 42, "cbass": 43, "harp": 46, "tromp": 56, "cor": 60, "oboe": 68}
_PROGRAMS |= {"fagot": 70, "clarinet": 71, "flt": 73}
_PROGRAMS |= dict.fromkeys(["vox", "soprn", "cant", "calto", "alto", "tenor", "barit", "bass"], 52)
_SOPRANOS = ("soprn", "cant")
# Rounded lengths of tuplets may differ by less.
_TOLERANCE = 16


def read_scores(text: str) -> list[Score]:
    """The songs of a file, in order; most files have one.

    Raises:
      ValueError: it has none, or a line has another number of columns than it should.
    """
    readers: list[_Reader] = []
    title = ""
    for number, line in enumerate(text.replace("\r", "\n").split("\n"), start=1):
        if line.startswith("!!!OTL"):
            title = title or line.partition(":")[2].strip()
        if not line or line.startswith("!"):
            continue
        if not readers or readers[-1].is_over:
            if not line.startswith("**"):
                raise ValueError(f"line {number}: no line that begins with ** stands before it")
            readers.append(_Reader(title, len(line.split("\t"))))
            title = ""
        try:
            readers[-1].read(line.split("\t"))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if readers and not readers[-1].score.title:
        readers[-1].score.title = title  # some files tell it at the end
    scores = [reader.end() for reader in readers if reader.has_kern]
    if not scores:
        raise ValueError("no **kern spine")
    return scores


@dataclasses.dataclass
class _Spine:
    """A column.

    Attributes:
      end: where its last note ends, in ticks from the beginning of the song.
      kind: its exclusive interpretation, such as `**kern`.
      part: the number of the kern spine that it comes from, or stands beside.
    """

    end: int = 0
    kind: str = ""
    part: int = 0


class _Reader:
    """Reads one song, a line at a time."""

    def __init__(self, title: str, num_spines: int):
        self.score = Score(title, {}, [])
        self._spines = [_Spine() for _ in range(num_spines)]
        self._parts: list[VoiceInfo] = []
        self._keys: set[tuple[int, int]] = set()
        self._bar = Bar()
        self._bar_start = self._now = 0
        self._meter: tuple[int, int] | None = (4, 4)
        self._sections: dict[str, list[int]] = {"": []}
        self._section = ""
        self._expansion: list[str] = []

    @property
    def is_over(self) -> bool:
        return not self._spines

    @property
    def has_kern(self) -> bool:
        return bool(self._parts)

    def read(self, tokens: list[str]) -> None:
        if len(tokens) != len(self._spines):
            raise ValueError(f"{len(tokens)} columns instead of {len(self._spines)}")
        if any(token.startswith("**") for token in tokens):
            self._begin_spines(tokens)
        elif tokens[0].startswith("*"):
            self._interpret(tokens)
            self._change_spines(tokens)
        elif tokens[0].startswith("="):
            self._end_bar(tokens[0])
        else:
            self._read_notes(tokens)

    def end(self) -> Score:
        """The song, the highest part first: it stands in the last column."""
        self._end_bar("=")
        for part, number in sorted(self._keys, key=lambda key: (-key[0], key[1])):
            info = self._parts[part]
            syllables = 0 if number else info.num_syllables
            self.score.voices[f"{part}/{number}"] = dataclasses.replace(
                info, num_syllables=syllables
            )
        labels = ["", *self._expansion] if self._expansion else []
        for label in labels:
            self.score.order += self._sections.get(label, [])
            if len(self.score.order) > MAX_BARS:
                raise ValueError(f"more than {MAX_BARS} bars with its repeats")
        return self.score

    def _begin_spines(self, tokens: list[str]) -> None:
        for spine, token in zip(self._spines, tokens, strict=True):
            if token.startswith("**"):
                spine.kind = token
                if token == "**kern":
                    self._parts.append(VoiceInfo())
                spine.part = max(len(self._parts) - 1, 0)

    def _interpret(self, tokens: list[str]) -> None:
        """Reads what holds from here on: of all spines by the first token, or of one."""
        for spine, token in zip(self._spines, tokens, strict=True):
            if spine.kind != "**kern":
                continue
            info = self._parts[spine.part]
            if token.startswith('*I"'):
                info.name = token[3:].strip()
            elif match := re.fullmatch(r"\*I([a-z]+)\d*", token):
                info.program = _PROGRAMS.get(match[1], info.program)
                info.name = info.name or ("soprano" if match[1] in _SOPRANOS else match[1])
            elif match := re.fullmatch(r"\*M(?:(\d{1,2})/(\d{1,2})|[X?]*)", token):
                self._meter = usual_meter(int(match[1] or 0), int(match[2] or 0))
        shared = next((token for token in tokens if token.startswith(("*MM", "*>"))), "")
        if match := re.fullmatch(r"\*MM(\d{1,4}(?:\.\d{1,4})?)", shared):
            if usual_tempo(float(match[1])):
                self._bar.tempos.append((self._next() - self._bar_start, float(match[1])))
        elif match := re.fullmatch(r"\*>\[([^\]]*)\]", shared):
            self._expansion = match[1].split(",")
        elif (match := re.fullmatch(r"\*>([^\[]+)", shared)) and match[1] != self._section:
            self._end_bar("")
            self._bar.begins_strain = True
            self._section = match[1]

    def _change_spines(self, tokens: list[str]) -> None:
        """Splits, joins, exchanges, adds and ends spines."""
        if set(tokens) == {"*-"}:
            self._end_bar("")
        spines: list[_Spine] = []
        before = ""
        for spine, token in zip(self._spines, tokens, strict=True):
            if token == "*v" == before and spines[-1].part == spine.part:
                spines[-1].end = max(spines[-1].end, spine.end)
            elif token != "*-":
                spines.append(spine)
            if token == "*^":
                spines.append(dataclasses.replace(spine))
            elif token == "*+":
                spines.append(_Spine(self._next()))
            before = token
        exchanged = [i for i, token in enumerate(tokens) if token == "*x"]
        if len(exchanged) == 2 and len(spines) == len(tokens):
            one, two = exchanged
            spines[one], spines[two] = spines[two], spines[one]
        self._spines = spines

    def _read_notes(self, tokens: list[str]) -> None:
        """Reads what begins at one moment."""
        numbers = [0] * len(self._parts)
        begun: list[tuple[_Spine, int, int, str]] = []
        sung: set[int] = set()
        for spine, token in zip(self._spines, tokens, strict=True):
            if spine.kind in _TEXTS and re.search(r"[^\W_]", token):
                sung.add(spine.part)
            if spine.kind != "**kern":
                continue
            number = numbers[spine.part]
            numbers[spine.part] += 1
            length = _ticks(token)
            if length:
                begun.append((spine, number, length, token))
        for part in sung & set(range(len(self._parts))):
            self._parts[part].num_syllables += 1
        if not begun:
            return
        self._now = max(self._now, min(spine.end for spine, *_ in begun))
        for spine, number, length, token in begun:
            spine.end = self._now + length
            key = f"{spine.part}/{number}"
            self._keys.add((spine.part, number))
            for single in token.split(" "):
                pitch = _pitch(single)
                if pitch is not None:
                    start = self._now - self._bar_start
                    is_tied = "]" in single or "_" in single
                    self._bar.notes.setdefault(key, []).append(Note(pitch, start, length, is_tied))

    def _ends(self) -> list[int]:
        return [spine.end for spine in self._spines if spine.kind == "**kern"]

    def _next(self) -> int:
        """When the first of the notes that sound ends."""
        later = [end for end in self._ends() if end > self._now + _TOLERANCE]
        return min(later, default=self._now)

    def _end_bar(self, sign: str) -> None:
        """Ends the bar, if it has begun, and reads what the bar line says."""
        bar = self._bar
        bar.meter = self._meter
        end = max(self._ends(), default=self._now)
        if end - self._bar_start > bar.full_length + _TOLERANCE:
            end = self._next()  # notes sound over the bar line
        end = max(end, self._now)
        if end > self._bar_start:
            if len(self.score.bars) >= MAX_BARS:
                raise ValueError(f"more than {MAX_BARS} bars")
            bar.length = end - self._bar_start
            self._sections.setdefault(self._section, []).append(len(self.score.bars))
            self.score.bars.append(bar)
            self._bar, self._bar_start, self._now = Bar(), end, end
            for spine in self._spines:
                spine.end = max(spine.end, end)
        if re.search(r":[|!]", sign) and self.score.bars:
            self.score.bars[-1].repeat_times = 2
        self._bar.begins_repeat |= re.search(r"[|!]:", sign) is not None
        self._bar.begins_strain |= re.search(r"==|\|\||\|!|!\||:", sign) is not None


def _ticks(token: str) -> int:
    """How long a note, chord or rest is; 0 for grace notes and where nothing begins.

    `4` is a quarter, `0` a breve, `00` a longa, `3%2` two thirds of a whole note.
    """
    match = _LENGTH.search(token)
    if match is None or "q" in token:
        return 0
    number = int(match["number"])
    wholes = Fraction(int(match["wholes"] or 1), number) if number else 2 ** len(match["number"])
    dots = min(token.split(" ", 1)[0].count("."), 4)
    return round(4 * TICKS_PER_QUARTER * wholes * (2 - Fraction(1, 2**dots)))


def _pitch(token: str) -> int | None:
    """The MIDI number of one note: `c` is middle C, `cc` an octave higher, `C` lower."""
    match = _NOTE.search(token)
    if match is None or "r" in token:
        return None
    letters, sign = match["letters"], match["sign"]
    octave = 4 + len(letters) if letters[0].islower() else 5 - len(letters)
    alteration = len(sign) if "#" in sign else -len(sign)
    pitch = 12 * octave + STEPS[letters[0].upper()] + alteration
    return pitch if 0 <= pitch < 128 else None
