"""Which track of a song is its melody: what tells one, in figures, and what each counts.

A track's score is a weighted sum of features of it within its song. The weights of what is
heard are those of a conditional logit (McFadden 1974), the model of one choice among the
tracks of each song; `benchmarks/melody_track.py --fit` learns them, each with the sign that
a musician would give it. What is written, the track's name and instrument, was not learned:
the songs learned from say nothing of it.
"""

import re
from collections.abc import Sequence

import numpy as np

from musicvae_jax.midi.song import Track

# In English, and whole words of other languages: "chant" must not be found in "Enchanted".
MELODY_NAME = re.compile(
    r"melod|lead|vocal|voice|solo|tune|right hand|sopran|sing(er|ing)|"
    r"\b(singstimme|gesang|oberstimme|chant|voix|canto|cantus|cant|voce|voz|zang|sång|sang|"
    r"vox|mel|laulu|śpiew|wokal|ének|zpěv)\b|мелод|вокал|голос|メロディ|ボーカル|歌|旋律|멜로디|보컬",
    re.IGNORECASE,
)
# These accompany, also where the name has one of the words above: "backing vocals".
ACCOMPANIMENT_NAME = re.compile(
    r"bass(?!oon)|drum|percus|\bchords?\b|accomp|backing|harmon(y|ies)|arpeg|"
    r"\b(bg|pad|pads|strings|left hand|"
    r"begleitung|basse|basso|bajo|baixo|batterie|batteria|akkorde|accords|acordes)\b|伴奏|"
    r"\b\u0431\u0430\u0441",  # bass in Cyrillic letters
    re.IGNORECASE,
)
_BASSES = range(32, 40)
_PADS = (*range(88, 104), *range(48, 52))
_PERCUSSION = (*range(112, 128), 47)

# Notes that begin within this many quarter notes of another begin together.
_TOGETHER = 0.06
# A note may sound so long into the next one, in quarter notes, without being a second voice.
_LEGATO = 0.15
_BAR = 4.0
# A syllable and its note begin within this time of each other.
_SUNG_TOGETHER = 0.13
# Where women and men sing on average, as written: A4.
_VOICE = 69.0

# By feature, what it counts.
WEIGHTS = {
    "one_voice": 2.60,
    "chords": -1.01,
    "bars": 2.82,
    "from_voice": -1.18,
    "on_top": 2.03,
    "wide": -1.25,
    "narrow": -1.25,
    "steps": 1.44,
    "leaps": -0.89,
    "rhythms": 2.01,
    "pitches": 1.77,
    "loops": -2.01,
    "slow": -0.97,
    "breaths": 1.23,
    "enters": 1.50,
    "first": 1.52,
    "words": 8.00,
    "named": 4.00,
    "accompanies": -2.00,
    "bass": -2.00,
    "pad": -0.50,
    "percussion": -2.00,
}


def scores(tracks: Sequence[Track], syllables: Sequence[float] = ()) -> np.ndarray:
    """How much each track looks like the melody, `[tracks]` float64; only differences count.

    In a song with words below its notes it is a part that is sung, with half of the words of
    the wordiest part at least.

    Args:
      tracks: the pitched ones of a song, each with a note.
      syllables: where the song's words are sung, in quarter notes.
    """
    most_syllables = max(track.num_syllables for track in tracks)
    if most_syllables:
        end = max(float(track.end.max()) for track in tracks)
        return np.array([_score_of_part(track, end, most_syllables) for track in tracks])
    return features(tracks, syllables) @ np.array(list(WEIGHTS.values()))


def is_named_melody(name: str) -> bool:
    """Whether a track's name says that it is the melody."""
    return bool(MELODY_NAME.search(name)) and not ACCOMPANIMENT_NAME.search(name)


def _score_of_part(part: Track, end: float, most_syllables: int) -> float:
    """The score of a part of a song with words, of which several may be sung.

    Of these, the part that is named as a melody, is one voice, is high and is seldom silent.
    The data that the shipped model was trained on are chosen by this rule.
    """
    is_sung = most_syllables <= 2 * part.num_syllables
    overlaps = part.start[1:] < part.end[:-1] - 0.1
    one_voice = 1.0 - overlaps.mean() if overlaps.size else 1.0
    bars = min(np.unique(part.start // _BAR).size / max(end / _BAR, 1.0), 1.0)
    bass = part.program in _BASSES
    height = float(part.pitch.mean()) / 24
    named = is_named_melody(part.name)
    return 10.0 * is_sung + 2.0 * named + one_voice + height + bars - 2.0 * bass


def features(tracks: Sequence[Track], syllables: Sequence[float] = ()) -> np.ndarray:
    """The features of each track, `[tracks, WEIGHTS]` float64.

    Args:
      tracks, syllables: as for `scores`.
    """
    lines = [_Line(track) for track in tracks]
    begin = min(line.time[0] for line in lines)
    end = max(line.time[-1] for line in lines)
    num_bars = max((end - begin) / _BAR, 1.0)
    top = _top_shares(tracks)
    sung = np.unique(np.asarray(syllables, np.float64))
    rows = []
    for index, (track, line) in enumerate(zip(tracks, lines, strict=True)):
        row = _of_line(line, num_bars) | _as_written(track)
        row |= {
            "enters": _entrance((line.time[0] - begin) / _BAR),
            "on_top": top[index],
            "first": -min(index, 4) / 4,
            "words": _sung_share(line.time, sung),
        }
        rows.append([row[name] for name in WEIGHTS])
    return np.array(rows, np.float64)


class _Line:
    """The notes that begin together as one event, by its highest note.

    Attributes:
      time: [events] where it begins, in quarter notes.
      pitch: [events] of the highest note.
      size: [events] the number of notes.
      end: [events] where the last note so far ends.
    """

    def __init__(self, track: Track):
        first = np.flatnonzero(np.diff(track.start, prepend=-np.inf) > _TOGETHER)
        self.time = track.start[first]
        self.pitch = np.maximum.reduceat(track.pitch, first).astype(np.float64)
        self.lowest = np.minimum.reduceat(track.pitch, first).astype(np.float64)
        self.size = np.diff(first, append=track.start.size)
        self.end = np.maximum.accumulate(np.maximum.reduceat(track.end, first))


def _of_line(line: _Line, num_bars: float) -> dict[str, float]:
    """What a line is by itself, as shares or in octaves."""
    gap = np.diff(line.time)
    close = gap < _BAR
    leap = np.abs(np.diff(line.pitch))[close]
    overlap = line.end[:-1] - line.time[1:] > np.maximum(_LEGATO, 0.25 * gap)
    many = np.concatenate([line.size[:1] > 1, (line.size[1:] > 1) | overlap])
    low, middle, high = _percentiles(line.pitch)
    low = min(low, _percentiles(line.lowest)[0])
    per_bar = line.time.size / max(_num_bars(line.time), 1)
    return {
        "one_voice": 1.0 - float(many.mean()),
        "chords": min(float(line.size.mean()) - 1, 3.0) / 3,
        "bars": min(_num_bars(line.time) / num_bars, 1.0),
        "from_voice": min(abs(middle - _VOICE) / 12, 3.0) ** 2,
        "wide": min(max(high - low - 19, 0.0) / 12, 2.0),
        "narrow": max(9 - (high - low), 0.0) / 9,
        "steps": float((leap <= 2).mean()) if leap.size else 0.0,
        "leaps": float((leap > 7).mean()) if leap.size else 0.0,
        "rhythms": _entropy(np.clip(np.round(gap[close] * 4), 0, 16)) / 3,
        "pitches": _entropy(line.pitch) / 3.5,
        "loops": _loop_share(line),
        "slow": max(2.5 - per_bar, 0.0) / 2.5,
        "breaths": _breaths(line),
    }


def _as_written(track: Track) -> dict[str, float]:
    return {
        "named": float(is_named_melody(track.name)),
        "accompanies": float(ACCOMPANIMENT_NAME.search(track.name) is not None),
        "bass": float(track.program in _BASSES),
        "pad": float(track.program in _PADS),
        "percussion": float(track.program in _PERCUSSION),
    }


def _percentiles(values: np.ndarray) -> tuple[float, float, float]:
    """The 5th, the 50th and the 95th, not interpolated; NumPy's own takes ten times as long."""
    ordered = np.sort(values)
    low, middle, high = (ordered[int(share * (ordered.size - 1))] for share in (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)


def _num_bars(time: np.ndarray) -> int:
    """In how many bars something begins."""
    return 1 + int(np.count_nonzero(np.diff(np.floor(time / _BAR))))


def _entropy(values: np.ndarray) -> float:
    """In bits."""
    if not values.size:
        return 0.0
    share = np.unique(values, return_counts=True)[1] / values.size
    return float(-(share * np.log2(share)).sum())


def _breaths(line: _Line) -> float:
    """The share of notes after which the line rests or holds, as a singer breathes.

    1 for phrases of 4 to 16 notes, less for shorter and longer ones.
    """
    gap = np.diff(line.time)
    ends = np.count_nonzero(gap >= np.maximum(1.4, 1.9 * np.median(gap))) if gap.size else 0
    notes = line.time.size / (ends + 1)
    return float(np.clip(min((notes - 1) / 3, 2 - np.log2(max(notes, 1) / 8) / 2), 0, 1))


def _loop_share(line: _Line) -> float:
    """The share of bars with the rhythm of one of the two bars before."""
    bar = np.floor(line.time / _BAR)
    step = np.round((line.time - bar * _BAR) * 4).astype(np.int64)
    first = np.flatnonzero(np.diff(bar, prepend=-1))
    rhythm = np.bitwise_or.reduceat(np.int64(1) << step, first)
    number = bar[first]
    if number.size < 3:
        return 0.0
    same = (np.diff(rhythm) == 0) & (np.diff(number) == 1)
    same2 = (rhythm[2:] == rhythm[:-2]) & (number[2:] - number[:-2] == 2)
    same[1:] |= same2
    return float(same.mean())


def _entrance(bars: float) -> float:
    """1 if it comes in after 4 to 16 bars, as singers do, less if sooner or later."""
    return min(max(min(bars / 4, 2 - bars / 16), 0.0), 1.0)


def _top_shares(tracks: Sequence[Track]) -> np.ndarray:
    """Of the quarter notes in which notes of a track begin, the share in which it has the
    highest one of the song: `[tracks]`."""
    count = len(tracks)
    track = np.repeat(np.arange(count), [t.pitch.size for t in tracks])
    quarter = np.floor(np.concatenate([t.start for t in tracks])).astype(np.int64)
    pitch = np.concatenate([t.pitch for t in tracks])
    order = np.lexsort((track, quarter))
    track, quarter, pitch = track[order], quarter[order], pitch[order]
    is_new = np.diff(quarter, prepend=-1) != 0
    # A cell is what one track begins in one quarter note.
    cell = np.flatnonzero(is_new | (np.diff(track, prepend=-1) != 0))
    beat = np.cumsum(is_new)[cell] - 1
    own = np.maximum.reduceat(pitch, cell)
    highest = np.maximum.reduceat(own, np.flatnonzero(is_new[cell]))
    owner = track[cell]
    is_top = own == highest[beat]
    return np.bincount(owner, is_top, minlength=count) / np.bincount(owner, minlength=count)


def _sung_share(time: np.ndarray, syllables: np.ndarray) -> float:
    """How well syllables and notes begin together, the F1 of both; 0 for songs without words.

    A file's words may be early or late by a constant, less than a quarter note.
    """
    if not syllables.size:
        return 0.0
    late = _to_nearest(time, syllables)
    usual = float(np.median(late))
    late = np.where(np.abs(late) < _SUNG_TOGETHER, 0, late - usual if abs(usual) < 1 else late)
    return 2 * np.count_nonzero(np.abs(late) < _SUNG_TOGETHER) / (time.size + syllables.size)


def _to_nearest(time: np.ndarray, syllables: np.ndarray) -> np.ndarray:
    """How much later each syllable is than the note that is nearest to it."""
    after = np.minimum(np.searchsorted(time, syllables), time.size - 1)
    before = np.maximum(after - 1, 0)
    is_after = np.abs(time[after] - syllables) < np.abs(time[before] - syllables)
    return syllables - time[np.where(is_after, after, before)]
