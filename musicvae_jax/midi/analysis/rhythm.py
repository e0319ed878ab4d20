"""Where in bars of four quarter notes the onsets of a performance are, whatever its tempo does.

A hidden Markov model of rhythm (Raphael 2002, "A hybrid graphical model for rhythmic parsing",
Artificial Intelligence 137; Nakamura, Yoshii and Sagayama 2017, "Rhythm transcription of
polyphonic piano performances", IEEE/ACM TASLP 25). Its states are a place in a bar and a tempo.
How likely one place follows another, and what kinds of onsets are there, was counted in scores
(`rhythm.csv`, by `benchmarks/downbeats.py --fit`): that tells beats from offbeats, and a tempo
from its half. The tempo is a random walk, and an onset is late or early by chance. The likeliest
path is Viterbi's.
"""

import dataclasses
import functools
import importlib.resources

import numpy as np

TWELFTHS_PER_BAR = 48
# Twelfths of a quarter note on which onsets may lie: sixteenths and triplets of each beat.
_OF_BEAT = (0, 3, 4, 6, 8, 9)
PLACES = np.array([12 * beat + twelfth for beat in range(4) for twelfth in _OF_BEAT])
# The place nearest to each twelfth of a bar; that of the last one is the next bar's first.
_APART = (PLACES - np.arange(TWELFTHS_PER_BAR)[:, None] + 24) % TWELFTHS_PER_BAR - 24
PLACE_OF = np.abs(_APART).argmin(axis=1)
# Onsets have a low note or a kick, a snare, three notes or more, in any combination.
NUM_KINDS = 8
_LOW_PITCH, _KICKS, _SNARES, _CHORD = 52, (35, 36), (37, 38, 39, 40), 3

# Notes this near are struck together; what is spread a little more may be.
_TOGETHER_SEC, _SPREAD_SEC = 0.04, 0.08
# How far the gap between two onsets is from the one meant: a part of it, and what fingers do.
_PART, _FINGERS_SEC = 0.02, 0.025
# Natural logarithms of likelihoods: the least of a gap, of a tempo that jumps, of two onsets at
# one place, and the least beside the best that is followed.
_MISFIT, _JUMP, _SAME_PLACE, _BEAM = -10.0, -30.0, -4.0, -25.0
# The style is chosen by so many onsets from the middle.
_FOR_STYLE = 200
# Quarter notes of 40 to 240 a minute. The tempo drifts by 1.2 % in `_DRIFT_SEC`.
_RATIO = 1.03
_QUARTERS_SEC = np.geomspace(0.25, 1.5, 61)
_DRIFT, _DRIFT_SEC, _LEAST_DRIFT, _REACH = 0.012, 0.25, 0.2, 3
# Listeners prefer 100, which counts at first and for each second, at most two for a gap.
_USUAL_SEC, _USUAL_OCTAVES, _USUAL_EACH_SEC, _USUAL_MOST_SEC = 0.6, 0.5, 1.0, 2.0


@dataclasses.dataclass(frozen=True)
class Onsets:
    """When something begins, notes struck together being one onset.

    Attributes:
      sec: [onsets] float64, rising.
      kind: [onsets] int64, of `NUM_KINDS`.
      has_voices: whether several voices play.
    """

    sec: np.ndarray
    kind: np.ndarray
    has_voices: bool


@dataclasses.dataclass(frozen=True)
class Style:
    """Natural logarithms of likelihoods, in one style of rhythm.

    Attributes:
      follows: [24, 24] float32, that an onset at a place is followed by one at another, and no
        later than a bar.
      kinds: [8, 24] float32, of a kind of onset at a place.
      begins: [24] float32, that a song begins at a place.
      bar: of each whole bar in which nothing begins.
    """

    follows: np.ndarray
    kinds: np.ndarray
    begins: np.ndarray
    bar: float


def kind_of(pitch: np.ndarray, is_drum: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The kinds of onsets.

    Args:
      pitch, is_drum: [notes], by onset.
      first: [onsets] int64, the first note of each onset.

    Returns:
      [onsets] int64.
    """
    is_low = np.where(is_drum, np.isin(pitch, _KICKS), pitch < _LOW_PITCH)
    is_snare = is_drum & np.isin(pitch, _SNARES)
    is_chord = np.add.reduceat(~is_drum, first, dtype=np.int64) >= _CHORD
    return (
        np.maximum.reduceat(is_low, first)
        + 2 * np.maximum.reduceat(is_snare, first)
        + 4 * is_chord.astype(np.int64)
    )


def onsets_of(sec: np.ndarray, pitch: np.ndarray, is_drum: np.ndarray) -> Onsets:
    """The onsets of notes.

    Args:
      sec: [notes] float64, when each begins.
      pitch, is_drum: [notes].
    """
    order = np.argsort(sec, kind="stable")
    sec, pitch, is_drum = sec[order], pitch[order], is_drum[order]
    first = [0]
    for note in np.flatnonzero(np.diff(sec) > 0.2 * _TOGETHER_SEC) + 1:
        is_near = sec[note] - sec[note - 1] <= _TOGETHER_SEC
        if not (is_near and sec[note] - sec[first[-1]] <= _SPREAD_SEC):
            first.append(int(note))
    count = np.diff(first, append=sec.size)
    has_voices = bool(is_drum.any() or (count > 1).mean() > 0.05)
    kind = kind_of(pitch, is_drum, np.array(first))
    return Onsets(np.add.reduceat(sec, first) / count, kind, has_voices)


@functools.cache
def styles(has_voices: bool) -> tuple[Style, ...]:
    """The styles of one voice alone, or of several."""
    text = importlib.resources.files(__package__).joinpath("rhythm.csv").read_text("ascii")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    values = [row[2:] for row in rows if row[0].startswith("several" if has_voices else "one")]
    count = PLACES.size
    tables = np.array(values, np.float32).reshape(-1, count + NUM_KINDS + 2, count)
    return tuple(Style(one[:count], one[count:-2], one[-2], float(one[-1, 0])) for one in tables)


def quarters_of(onsets: Onsets) -> np.ndarray:
    """The places of onsets, in quarter notes from a bar line: [onsets] float64, never falling."""
    begin = max(onsets.sec.size - _FOR_STYLE, 0) // 2
    inside = slice(begin, begin + _FOR_STYLE)
    part = dataclasses.replace(onsets, sec=onsets.sec[inside], kind=onsets.kind[inside])
    paths = [(*_likeliest(part, style), style) for style in styles(onsets.has_voices)]
    path, _, style = max(paths, key=lambda one: one[1])
    if part.sec.size < onsets.sec.size:
        path, _ = _likeliest(onsets, style)
    tempo, place = np.divmod(path, PLACES.size)
    gaps, twelfth_sec = np.diff(onsets.sec), _QUARTERS_SEC[tempo[1:]] / 12
    distance = _DISTANCE[place[:-1], place[1:]]
    distance = np.where(gaps < _SPREAD_SEC, _SHORT[distance], _LONG[distance])
    distance = distance + TWELFTHS_PER_BAR * _whole_bars(gaps / twelfth_sec - distance)
    return (PLACES[place[0]] + np.append(0, np.cumsum(distance))) / 12


# From each place to each later one in twelfths. From a place to itself is a whole bar, or if the
# gap is short no way at all.
_DISTANCE = (PLACES - PLACES[:, None]) % TWELFTHS_PER_BAR
_SHORT = np.arange(TWELFTHS_PER_BAR)
_LONG = np.where(_SHORT == 0, TWELFTHS_PER_BAR, _SHORT)


def _whole_bars(twelfths: np.ndarray) -> np.ndarray:
    """How many bars pass by in a gap beside what else it contains."""
    return np.maximum(np.round(twelfths / TWELFTHS_PER_BAR), 0)


def _likeliest(onsets: Onsets, style: Style) -> tuple[np.ndarray, float]:
    """The likeliest states, [onsets] int64, `24 * tempo + place`; and how likely they are.

    From onset to onset, the best way to each state is found from all places and the tempos near
    it, of those that are likely still, or by a jump from any tempo.
    """
    count, gaps = PLACES.size, np.diff(onsets.sec)
    usual = -0.5 * (np.log2(_QUARTERS_SEC / _USUAL_SEC) / _USUAL_OCTAVES) ** 2
    drift = _drift(gaps)
    follows = _follows(style)
    # A margin of impossible tempos on both sides.
    scores = np.full((_QUARTERS_SEC.size + 2 * _REACH, count), -np.inf, np.float32)
    near = np.lib.stride_tricks.sliding_window_view(scores, 2 * _REACH + 1, axis=0)
    score = (usual[:, None] + style.begins + style.kinds[onsets.kind[0]]).astype(np.float32)
    low, high, likely = 0, _QUARTERS_SEC.size, 0.0
    came = np.zeros((onsets.sec.size, high, count), np.int16)
    for number, gap in enumerate(gaps.tolist(), start=1):
        scores[:] = -np.inf
        scores[_REACH + low : _REACH + high] = score
        any_tempo, jumped = low + score.argmax(axis=0), score.max(axis=0) + _JUMP
        low, high = max(low - _REACH, 0), min(high + _REACH, _QUARTERS_SEC.size)
        drifted = near[low:high] - drift[number - 1]
        change = drifted.argmax(axis=2)
        before = np.take_along_axis(drifted, change[:, :, None], axis=2)[:, :, 0]
        tempo = change + np.arange(low - _REACH, high - _REACH)[:, None]
        tempo = np.where(before < jumped, any_tempo, tempo)
        total = _fit(gap, low, high, style.bar)[:, _DISTANCE.T]
        total += follows[gap < _SPREAD_SEC]
        total += np.maximum(before, jumped)[:, None, :]
        place = total.argmax(axis=2)
        came[number, low:high] = np.take_along_axis(tempo, place, axis=1) * count + place
        score = np.take_along_axis(total, place[:, :, None], axis=2)[:, :, 0]
        each = min(gap, _USUAL_MOST_SEC) * _USUAL_EACH_SEC * usual[low:high, None]
        score += style.kinds[onsets.kind[number]] + each.astype(np.float32)
        most = float(score.max())
        score, likely = score - most, likely + most
        alive = np.flatnonzero(score.max(axis=1) > _BEAM)
        score = score[alive[0] : alive[-1] + 1]
        low, high = low + int(alive[0]), low + int(alive[-1]) + 1
    path = [low * count + int(score.argmax())]
    for states in came[:0:-1]:
        path.append(int(states.reshape(-1)[path[-1]]))
    return np.array(path[::-1]), likely + float(score.max())


def _drift(gaps_sec: np.ndarray) -> np.ndarray:
    """What a change of tempo costs over each gap: [gaps, changes] float32."""
    changes = np.arange(-_REACH, _REACH + 1) * np.log(_RATIO)
    variance = _DRIFT**2 * np.maximum(gaps_sec / _DRIFT_SEC, _LEAST_DRIFT)
    return (0.5 * changes**2 / variance[:, None]).astype(np.float32)


def _follows(style: Style) -> tuple[np.ndarray, np.ndarray]:
    """How likely each place, row by row, is after each other, in long gaps and in short ones."""
    short = style.follows.copy()
    np.fill_diagonal(short, _SAME_PLACE)
    return np.ascontiguousarray(style.follows.T), np.ascontiguousarray(short.T)


def _fit(gap_sec: float, low: int, high: int, bar: float) -> np.ndarray:
    """The likelihood of a gap for each tempo and each distance in twelfths: [tempos, 48]."""
    twelfth_sec = _QUARTERS_SEC[low:high, None] / 12
    distance = _SHORT if gap_sec < _SPREAD_SEC else _LONG
    bars = _whole_bars(gap_sec / twelfth_sec - distance)
    meant = (distance + TWELFTHS_PER_BAR * bars) * twelfth_sec
    variance = _FINGERS_SEC**2 + (_PART * meant) ** 2
    misfit = np.maximum(-0.5 * (gap_sec - meant) ** 2 / variance, _MISFIT)
    return (misfit - 0.5 * np.log(variance) + bars * bar).astype(np.float32)
