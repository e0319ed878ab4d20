"""Notes in a track of pitch: as a listener would write them, not as they were sung."""

import itertools

import numpy as np

from musicvae_jax.voice.pitch import FRAMES_PER_SEC, HIGHEST, LOWEST, PitchTrack

# In semitones a frame: a pitch that is farther off counts no more, so that a few wild frames make
# no note; what a frame with pitch costs in a rest, and one without it in a note.
_FARTHEST, _UNHEARD, _GAP = 2.0, 0.9, 0.5
# What the change to another note costs, and to or from a rest. Half a turn of a wide vibrato, 90 ms
# by up to a semitone, costs less; a grace note of 60 ms more.
_CHANGE, _TO_REST = 4.0, 2.0
# A singer's own tuning drifts; it is what the pitches of so many seconds have in common.
_TUNING_SEC, _MIN_IN_COMMON = 20.0, 0.15
# In frames, one turn of a vibrato; from its lowest to its highest, in semitones; and how much notes
# count that are shorter.
_VIBRATO, _MOST_VIBRATO, _SHORT = 19, 2.0, 0.1
# A repeated note: so many decibels down and up again, up within so many frames.
_DIP_DB, _RISE = 5.0, 10
# An octave too high or low for at most this long is a slip of the pitch; what is shorter than a
# note is none.
_SLIP_SEC, _MIN_SEC = 0.15, 0.05
# A note ends where it is so much softer than at its loudest.
_END_DB = 25.0
_VELOCITIES = (30, 110)
_VELOCITY_DB = 30.0


def notes(track: PitchTrack) -> np.ndarray:
    """The notes of a voice.

    A note is where the pitch stays near one of the scale's, with vibrato or without; it begins
    anew at a dip of the level.

    Returns:
      [notes, 4] float64: pitch, start and end in seconds, velocity; by start.
    """
    pitch = track.pitch - tuning(track.pitch)
    spans = _spans(_stretches(pitch))
    rows = [
        (tone, *piece)
        for tone, (first, last) in _mended([(_median(pitch, span), span) for span in spans])
        for piece in _struck(track.level_db, first, last)
    ]
    least = _MIN_SEC * FRAMES_PER_SEC
    rows = [row for row in rows if row[2] - row[1] >= least]
    return np.array([_note(track.level_db, *row) for row in rows]).reshape(-1, 4)


def tuning(pitch: np.ndarray) -> np.ndarray:
    """By how many semitones, from -0.5 to 0.5, a voice is above the usual tuning.

    Args:
      pitch: [frames] of MIDI with fractions, NaN where there is none.

    Returns:
      [frames], as it drifts; 0 where the pitches have no tuning in common.
    """
    # Of a vibrato the mean counts: at its turns, where it is longest, it is out of tune.
    reach = _VIBRATO // 2
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(pitch, reach, constant_values=np.nan), _VIBRATO
    )
    is_steady = np.ptp(around, axis=1) < _MOST_VIBRATO  # of NaN it is none
    steady = np.where(is_steady, around.mean(axis=1), np.nan)
    weight = is_steady + _SHORT * ~np.isnan(pitch)
    turn = weight * np.exp(2j * np.pi * np.nan_to_num(np.where(is_steady, steady, pitch)))
    size = min(int(_TUNING_SEC * FRAMES_PER_SEC), pitch.size) | 1
    window = np.hanning(size + 2)[1:-1]
    total = np.convolve(turn, window, "full")[size // 2 :][: pitch.size]
    count = np.convolve(weight, window, "full")[size // 2 :][: pitch.size]
    offset = np.unwrap(np.angle(total)) / (2 * np.pi)
    offset -= np.round(np.median(offset))
    return np.where(np.abs(total) > _MIN_IN_COMMON * count, offset, 0.0)


def _stretches(pitch: np.ndarray) -> np.ndarray:
    """The note of the scale in each frame, -1 for a rest, with the least cost in all."""
    scale = np.arange(LOWEST - 1, HIGHEST + 2)
    states, at_rest = np.arange(scale.size), scale.size
    cost, rest_cost = np.zeros(scale.size), 0.0
    back = np.empty((pitch.size, scale.size + 1), np.int16)
    for frame, tone in enumerate(pitch):
        best = int(cost.argmin())
        begun, source = min((cost[best] + _CHANGE, best), (rest_cost + _TO_REST, at_rest))
        ended = cost[best] + _TO_REST
        back[frame, :-1] = np.where(cost <= begun, states, source)
        back[frame, -1] = at_rest if rest_cost <= ended else best
        cost, rest_cost = np.minimum(cost, begun), min(rest_cost, ended)
        if np.isnan(tone):
            cost = cost + _GAP
        else:
            cost = cost + np.minimum(np.abs(scale - tone), _FARTHEST)
            rest_cost += _UNHEARD
    path = np.empty(pitch.size, np.int64)
    state = int(cost.argmin()) if cost.min() < rest_cost else at_rest
    for frame in range(pitch.size - 1, -1, -1):
        path[frame] = -1 if state == at_rest else scale[state]
        state = int(back[frame, state])
    return path


def _spans(path: np.ndarray) -> list[tuple[int, int]]:
    """The first frame and the one after the last of each stretch that is a note."""
    edges = np.flatnonzero(np.diff(path)) + 1
    bounds = np.concatenate([[0], edges, [path.size]]).tolist()
    return [(first, last) for first, last in itertools.pairwise(bounds) if path[first] >= 0]


def _median(pitch: np.ndarray, span: tuple[int, int]) -> int:
    """The note that a stretch is, by its middle, where it neither begins nor goes on."""
    first, last = span
    edge = (last - first) // 5
    inner = pitch[first + edge : last - edge]
    inner = inner[~np.isnan(inner)]
    whole = pitch[first:last]
    heard = inner if inner.size else whole[~np.isnan(whole)]
    return round(float(np.median(heard))) if heard.size else -1


def _mended(
    spans: list[tuple[int, tuple[int, int]]],
) -> list[tuple[int, tuple[int, int]]]:
    """Stretches that follow each other on one pitch as one, without slips by an octave."""
    spans = [span for span in spans if span[0] >= 0]
    pitches = [tone for tone, _ in spans]
    for index, (tone, (first, last)) in enumerate(spans):
        if last - first > _SLIP_SEC * FRAMES_PER_SEC:
            continue
        for other in (index - 1, index + 1):
            is_beside = 0 <= other < len(spans) and (
                spans[other][1][1] == first or spans[other][1][0] == last
            )
            if is_beside and abs(tone - spans[other][0]) in (12, 24):
                pitches[index] = spans[other][0]
                break
    joined: list[tuple[int, tuple[int, int]]] = []
    for tone, (_, (first, last)) in zip(pitches, spans, strict=True):
        if joined and joined[-1][0] == tone and joined[-1][1][1] == first:
            joined[-1] = (tone, (joined[-1][1][0], last))
        else:
            joined.append((tone, (first, last)))
    return joined


def _struck(level_db: np.ndarray, first: int, last: int) -> list[tuple[int, int]]:
    """The parts of a stretch on one pitch, each of which begins with a rise out of a dip."""
    starts = [first]
    for frame in range(first + 1, last):
        low = max(starts[-1], frame - _RISE)
        low += int(level_db[low : frame + 1].argmin())
        fell = level_db[starts[-1] : low + 1].max() - level_db[low]
        if fell >= _DIP_DB and level_db[frame] - level_db[low] >= _DIP_DB:
            rise = np.diff(level_db[low : frame + 1])
            starts.append(low + 1 + int(rise.argmax()))
    return list(zip(starts, [*starts[1:], last], strict=True))


def _note(level_db: np.ndarray, tone: int, first: int, last: int) -> tuple[float, ...]:
    levels = level_db[first:last]
    heard = np.flatnonzero(levels > levels.max() - _END_DB)
    last = first + int(heard[-1]) + 1
    softest, loudest = _VELOCITIES
    share = np.clip(1 + levels.max() / _VELOCITY_DB, 0, 1)
    velocity = round(softest + (loudest - softest) * float(share))
    return tone, first / FRAMES_PER_SEC, last / FRAMES_PER_SEC, velocity
