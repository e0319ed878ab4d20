"""Beats in a performance that follows no grid: recorded by hand, without a click.

Each onset has a place in a bar by `rhythm`; beats are where those of whole quarter notes are, and
between two of these as far apart as the places say.
"""

import dataclasses

import numpy as np

from musicvae_jax.midi.analysis import rhythm
from musicvae_jax.midi.song import Song, make_song, seconds_at

# A performance of more onsets is left as it is: it would take seconds to track.
_MOST_ONSETS = 15_000
_MIN_ONSETS = 32
_MANY = 4_000
# The resultant of onsets on a grid is 1 if all fit, and by chance near 0, the nearer the more
# there are (`_CHANCE` divided by the square root of their number): below that, they do
# not fit. A tracked grid, which moves to onsets, must fit them by so much, and so much better.
_MAX_BY_CHANCE, _CHANCE, _MIN_FIT, _MIN_GAIN = 0.35, 2.5, 0.6, 0.3
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
    start = np.concatenate([track.start for track in song.tracks])
    pitch = np.concatenate([track.pitch for track in song.tracks])
    is_drum = np.concatenate([np.full(t.start.size, t.is_drum) for t in song.tracks])
    found = rhythm.onsets_of(seconds_at(start, song.tempos), pitch, is_drum)
    if found.sec.size > _MOST_ONSETS:
        return None
    times, index = _beats(found.sec, rhythm.quarters_of(found))
    if times.size < 8:
        return None
    places = np.unique(start)
    sec = seconds_at(places, song.tempos)
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


def _beats(sec: np.ndarray, quarters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """When each quarter note is, from before the first onset to after the last one.

    Args:
      sec, quarters: [onsets] float64, when each onset is, and its place.

    Returns:
      [beats] float64 and [beats] float64, the seconds and the quarter notes, rising.
    """
    is_later = np.diff(quarters, prepend=-np.inf) > 0
    sec, quarters = sec[is_later], quarters[is_later]
    beats = np.arange(np.floor(quarters[0]), np.ceil(quarters[-1]) + 2)
    times = np.interp(beats, quarters, sec)
    step = float(np.median(np.diff(times))) if times.size > 1 else 1.0
    early, late = np.minimum(beats - quarters[0], 0), np.maximum(beats - quarters[-1], 0)
    return times + step * (early + late), beats


def _from_the_beginning(times: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The beats counted so that quarter note 0 is at second 0, as the file's is.

    What is before the first beat, where nothing sounds, is whole beats long, whatever tempo
    that takes.
    """
    times, index = times[times > 0.01], index[times > 0.01]
    count = max(1, round(times[0] / float(np.median(np.diff(times)))))
    return np.append(0.0, times), np.append(0.0, index - index[0] + count)
