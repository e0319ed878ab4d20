"""Beats in a performance that follows no grid: recorded by hand, without a click.

The method is that of Ellis 2007, "Beat Tracking by Dynamic Programming" (Journal of New Music
Research 36), on the onsets of notes instead of sound, with a tempo that may drift: the period
at each second is the best path through the autocorrelations of eight seconds around it.
"""

import dataclasses

import numpy as np

from musicvae_jax.midi.song import Song, make_song, seconds_at

_FRAMES_PER_SEC = 100
# A performance that takes longer is left as it is: it would take seconds to track.
_MAX_SEC = 1_800.0
_MIN_ONSETS = 32
_MANY = 4_000
_WINDOW_SEC, _HOP_SEC = 8.0, 1.0
# Beats of 40 to 240 a minute; without evidence 100, as listeners tap.
_PERIODS_SEC = np.geomspace(0.25, 1.5, 96)
_USUAL_PERIOD_SEC, _USUAL_OCTAVES = 0.6, 0.7
# How much worse a beat may fit for a tempo that stays: in units of an autocorrelation for a
# change by an octave, and in units of onset strength for a beat twice as long.
_DRIFT_COST, _TIGHTNESS = 30.0, 12.0
# The resultant of onsets on a grid is 1 if all fit, and by chance near 0, the nearer the more
# there are (`_CHANCE` divided by the square root of their number): below that, they do
# not fit. A tracked grid, which moves to onsets, must fit them by so much, and so much better.
_MAX_BY_CHANCE, _CHANCE, _MIN_FIT, _MIN_GAIN = 0.25, 2.5, 0.6, 0.3
# Parts of a quarter note on which onsets may lie: eighths, triplets, sixteenths, and so on.
_GRIDS = (2, 3, 4, 6, 8, 12)


def onsets(song: Song) -> np.ndarray:
    """Onsets of all tracks in quarter notes; of very many, some from all over the song."""
    places = np.concatenate([track.start for track in song.tracks])
    return places[:: 1 + places.size // _MANY]


def resultant(quarters: np.ndarray, parts: int) -> complex:
    """How well positions fit a grid of so many parts of a quarter note, wherever it begins.

    Its absolute value is 1 if they all lie on one and about `1 / sqrt(size)` by chance; its
    angle says how far the grid is from that of the quarter notes, in turns of a part.
    """
    return complex(np.exp(2j * np.pi * parts * quarters).mean())


def is_without_grid(song: Song) -> bool:
    """Whether the onsets of all tracks fit no grid better than by chance.

    A grid that moves once in the course of a song is one; one that a wrong tempo moves all the
    time is none.
    """
    places = np.unique(onsets(song))
    if places.size < _MIN_ONSETS:
        return False
    most = max(_MAX_BY_CHANCE, _CHANCE / np.sqrt(places.size))
    return all(abs(resultant(places, parts)) < most for parts in _GRIDS)


def on_tracked_beats(song: Song, *, has_beats: bool = True) -> Song | None:
    """The song on the beats of its performance; None if none are found that fit it better.

    A line of `Song.warnings` says how well they fit.

    Args:
      song: the song.
      has_beats: whether it counts beats of its own, which the tracked ones must fit better than;
        in a recording there are none.
    """
    places = np.unique(np.concatenate([track.start for track in song.tracks]))
    strength, origin_sec = _strength(song)
    if strength.size > _MAX_SEC * _FRAMES_PER_SEC:
        return None
    times = origin_sec + track_beats(strength) / _FRAMES_PER_SEC
    if times.size < 8:
        return None
    sec = seconds_at(places, song.tempos)
    times = _whole(_refined(times, sec), sec[0], max(float(sec[-1]), times[-1]))
    index = np.arange(times.size, dtype=np.float64)
    times, index = _from_the_beginning(times, index)
    before = max(abs(resultant(places, parts)) for parts in _GRIDS)
    after = max(abs(resultant(np.interp(sec, times, index), parts)) for parts in _GRIDS)
    if after < max(before + _MIN_GAIN if has_beats else 0.0, _MIN_FIT):
        return None

    def moved(quarters: np.ndarray) -> np.ndarray:
        at = seconds_at(quarters, song.tempos)
        late = np.maximum(at - times[-1], 0) / (times[-1] - times[-2])
        return np.interp(at, times, index) + late

    tracks = [
        dataclasses.replace(track, start=moved(track.start), end=moved(track.end))
        for track in song.tracks
    ]
    bpm = 60 * np.diff(index) / np.diff(times)
    tempos = list(zip(index[:-1].tolist(), bpm.tolist(), strict=True))
    reason = f"its notes fit no grid ({before:.2f}, where 1 is all of them): " if has_beats else ""
    warning = (
        f"{reason}beats were tracked, {np.median(bpm):.0f} a minute, which its notes fit by "
        f"{after:.2f}{'' if has_beats else ', where 1 is all of them'}"
    )
    syllables = moved(np.array(song.syllables, np.float64)).tolist()
    return make_song(tracks, [], tempos, [*song.warnings, warning], song.title, syllables)


def _strength(song: Song) -> tuple[np.ndarray, float]:
    """How much begins in each frame, smoothed over 30 ms; and the second of frame 0."""
    start = np.concatenate([track.start for track in song.tracks])
    velocity = np.concatenate([track.velocity for track in song.tracks])
    pitch = np.concatenate([np.where(t.is_drum, 60, t.pitch) for t in song.tracks])
    sec = seconds_at(start, song.tempos)
    origin_sec = float(sec.min()) - 0.5
    frame = np.round((sec - origin_sec) * _FRAMES_PER_SEC).astype(np.int64)
    weight = velocity / 64 * np.where(pitch < 52, 1.5, 1.0)
    density = np.bincount(frame, weight, minlength=int(frame.max()) + 50)
    reach = np.arange(-9, 10)
    smooth = np.convolve(np.sqrt(density), np.exp(-0.5 * (reach / 3) ** 2), "same")
    return smooth / max(float(smooth.std()), 1e-9), origin_sec


def track_beats(strength: np.ndarray) -> np.ndarray:
    """The frames of the beats.

    Args:
      strength: [frames] float64, how much begins in each.

    Returns:
      [beats] int64, rising.
    """
    period = _period_path(strength)
    score, previous = np.array(strength), np.full(strength.size, -1)
    for frame in range(strength.size):
        length = period[frame]
        first, last = frame - int(1.6 * length), frame - int(0.6 * length)
        if last < 1:
            continue
        earlier = np.arange(max(first, 0), last)
        if earlier.size == 0:
            continue
        cost = _TIGHTNESS * np.log2((frame - earlier) / length) ** 2
        total = score[earlier] - cost
        best = int(total.argmax())
        if total[best] > 0:
            score[frame] += total[best]
            previous[frame] = earlier[best]
    tail = int(max(period[-1], 1))
    frame = int(score[-2 * tail :].argmax()) + max(strength.size - 2 * tail, 0)
    found = []
    while frame >= 0:
        found.append(frame)
        frame = int(previous[frame])
    return np.array(found[::-1], np.int64)


def _period_path(strength: np.ndarray) -> np.ndarray:
    """The likeliest length of a beat at each frame, in frames."""
    size, hop = int(_WINDOW_SEC * _FRAMES_PER_SEC), int(_HOP_SEC * _FRAMES_PER_SEC)
    padded = np.pad(strength - strength.mean(), (size // 2, size))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    windows = windows[: -(-strength.size // hop)] * np.hanning(size)
    spectrum = np.fft.rfft(windows, 2 * size, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)
    correlation /= np.maximum(correlation[:, :1], 1e-9)
    lag = _PERIODS_SEC * _FRAMES_PER_SEC

    def at(times: float) -> np.ndarray:
        return correlation[:, np.round(lag * times).astype(np.int64)]

    octaves = np.log2(_PERIODS_SEC / _USUAL_PERIOD_SEC) / _USUAL_OCTAVES
    fit = (at(1) + 0.5 * at(2) + 0.25 * at(4)) - 0.3 * octaves**2
    change = np.log2(_PERIODS_SEC[:, None] / _PERIODS_SEC) ** 2 * _DRIFT_COST
    total, choices = fit[0], []
    for row in fit[1:]:
        reached = total - change
        choices.append(reached.argmax(axis=1))
        total = reached.max(axis=1) + row
    path = [int(total.argmax())]
    for choice in choices[::-1]:
        path.append(int(choice[path[-1]]))
    return np.repeat(lag[path[::-1]], hop)[: strength.size]


def _refined(times: np.ndarray, sec: np.ndarray) -> np.ndarray:
    """Each beat moved to the onsets within 60 ms of it, if there are any."""
    near = np.clip(np.searchsorted(sec, times), 1, sec.size - 1)
    near = np.where(times - sec[near - 1] < sec[near] - times, near - 1, near)
    moved = np.where(np.abs(sec[near] - times) < 0.06, sec[near], times)
    is_rising = np.diff(moved, prepend=-np.inf) > 0.1
    return moved[is_rising]


def _from_the_beginning(times: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The beats counted so that quarter note 0 is at second 0, as the file's is.

    What is before the first beat, where nothing sounds, is whole beats long, whatever tempo
    that takes.
    """
    times, index = times[times > 0.01], index[times > 0.01]
    count = max(1, round(times[0] / float(np.median(np.diff(times)))))
    return np.append(0.0, times), np.append(0.0, index - index[0] + count)


def _whole(times: np.ndarray, first_sec: float, last_sec: float) -> np.ndarray:
    """The beats with those before and after, which nothing but the tempo tells of."""
    step = float(np.median(np.diff(times)))
    before = int(np.ceil(max(times[0] - first_sec, 0) / step - 1e-6))
    after = int(np.ceil(max(last_sec - times[-1], 0) / step - 1e-6)) + 1
    early = times[0] - step * np.arange(before, 0, -1)
    return np.concatenate([early, times, times[-1] + step * np.arange(1, after + 1)])
