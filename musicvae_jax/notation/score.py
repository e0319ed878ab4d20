"""A score as written: bars of several voices, before repeats are played out.

All formats of notation are read into this form, and `performance.perform` plays it.
Times are whole ticks: exact for all usual note values and tuplets, and of a bounded size
whatever a file says.
"""

import dataclasses
import re

# 2**6 * 3**2 * 5 * 7
TICKS_PER_QUARTER = 20_160
# What a performance may have too; an evening's opera has 10,000.
MAX_BARS = 20_000
# As many as a page has room for; more would be an attack or a slip.
MAX_TIMES = 16
# Semitones above C.
STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}


@dataclasses.dataclass(frozen=True)
class Note:
    """A note in its bar; times are in ticks.

    Attributes:
      pitch: MIDI number, as it sounds.
      start: from the beginning of the bar.
      length: as written, greater than 0.
      is_tied: whether a tie joins it to the note before.
    """

    pitch: int
    start: int
    length: int
    is_tied: bool = False


@dataclasses.dataclass
class Bar:
    """What stands between two bar lines in all voices.

    Attributes:
      length: how long the longest voice is, in ticks.
      meter: `(numerator, denominator)` in force; None in music without one.
      notes: the notes of each voice, by its key in `Score.voices`.
      tempos: `(ticks from its beginning, quarter notes a minute)` of each mark.
      begins_strain: whether a new part of the song begins here, possibly with an upbeat:
        after a double bar, for example.
      begins_repeat: whether `|:` stands before it.
      repeat_times: how often what ends with it is played, 2 where `:|` stands after it;
        otherwise 0.
      endings: the times at which it is played, if it stands under an ending.
      segno, coda: whether that sign stands before it.
      to_coda, fine, da_capo, dal_segno: whether that is written after it.
    """

    length: int = 0
    meter: tuple[int, int] | None = (4, 4)
    notes: dict[str, list[Note]] = dataclasses.field(default_factory=dict)
    tempos: list[tuple[int, float]] = dataclasses.field(default_factory=list)
    begins_strain: bool = False
    begins_repeat: bool = False
    repeat_times: int = 0
    endings: frozenset[int] = frozenset()
    segno: bool = False
    coda: bool = False
    to_coda: bool = False
    fine: bool = False
    da_capo: bool = False
    dal_segno: bool = False

    @property
    def full_length(self) -> int:
        """The length that the meter asks for, in ticks; its own without a meter."""
        if self.meter is None:
            return self.length
        return 4 * TICKS_PER_QUARTER * self.meter[0] // self.meter[1]


@dataclasses.dataclass
class VoiceInfo:
    """Who plays a voice.

    Attributes:
      name: of the part, possibly empty.
      program: General MIDI program, 0..127.
      is_drum: whether its pitches name drums.
      num_syllables: notes to which words are sung.
    """

    name: str = ""
    program: int = 0
    is_drum: bool = False
    num_syllables: int = 0


@dataclasses.dataclass
class Score:
    """One song of a file.

    Attributes:
      title: possibly empty.
      voices: who plays each voice, in the order of the score.
      bars: as written.
      order: the indices of the bars in the order in which they are played, if the file
        says it outright; empty if the signs of the bars do.
      warnings: what was odd about it and how it was read all the same, a line each.
    """

    title: str
    voices: dict[str, VoiceInfo]
    bars: list[Bar]
    order: list[int] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


def usual_meter(numerator: int, denominator: int) -> tuple[int, int] | None:
    """A meter that music can have; None otherwise."""
    is_usual = 0 < numerator <= 64 and denominator in (1, 2, 4, 8, 16, 32, 64)
    return (numerator, denominator) if is_usual else None


def usual_tempo(bpm: float) -> float:
    """A tempo that music can have, in quarter notes a minute; 0 otherwise."""
    return bpm if 5 <= bpm <= 1000 else 0.0


def times_of(text: str) -> frozenset[int]:
    """The times at which an ending is played that is called `1,3` or `1-3`."""
    times: set[int] = set()
    for first, last in re.findall(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?", text):
        times |= set(range(int(first), int(last or first) + 1))
    return frozenset(time for time in times if 0 < time <= MAX_TIMES)
