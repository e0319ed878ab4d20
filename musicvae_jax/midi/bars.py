"""Where the bars of a song lie."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from musicvae_jax.midi.reading import Reading
from musicvae_jax.midi.song import Song, make_song

QUARTERS_PER_BAR = 4


def as_told(song: Song, reading: Reading) -> Song:
    """The song with the bars and beats that a user gave; the same if there are none.

    Raises:
      ValueError: at that tempo it is too long.
    """
    if reading.tempo_bpm is not None:
        song = _at_tempo(song, reading.tempo_bpm)
    if reading.bar_one is None and reading.meter is None:
        return song
    meters = song.meters
    if reading.meter is not None:
        meters = ((meters[0][0], *reading.meter),)
    if reading.bar_one is not None:
        kept = [meter for meter in meters if meter[0] <= reading.bar_one + 1e-6][-1:] or meters[:1]
        later = [meter for meter in meters if meter[0] > reading.bar_one + 1e-6]
        meters = ((first_line(reading.bar_one), *kept[0][1:]), *later)
    return dataclasses.replace(song, meters=meters)


def first_line(bar_one: float) -> float:
    """The bar line at 0 or the last one before it, of bars one of which begins at `bar_one`."""
    return bar_one - QUARTERS_PER_BAR * math.ceil(bar_one / QUARTERS_PER_BAR - 1e-6)


def seconds_at(quarters: np.ndarray, tempos: Sequence[tuple[float, float]]) -> np.ndarray:
    """The times in seconds of positions in quarter notes.

    Args:
      quarters: any shape.
      tempos: as in `Song`.
    """
    start, bpm = np.array(tempos, np.float64).T
    passed = np.concatenate([[0.0], np.cumsum(np.diff(start) * 60 / bpm[:-1])])
    segment = np.clip(np.searchsorted(start, quarters, side="right") - 1, 0, None)
    return passed[segment] + (quarters - start[segment]) * 60 / bpm[segment]


def _at_tempo(song: Song, tempo_bpm: float) -> Song:
    """The same sounds at the same times, counted in beats of one tempo throughout."""

    def moved(quarters: np.ndarray) -> np.ndarray:
        return seconds_at(quarters, song.tempos) * tempo_bpm / 60

    tracks = [
        dataclasses.replace(track, start=moved(track.start), end=moved(track.end))
        for track in song.tracks
    ]
    meters = [(float(moved(np.array(start))), n, d) for start, n, d in song.meters]
    return make_song(tracks, meters, [(0.0, tempo_bpm)], song.warnings, song.title)
