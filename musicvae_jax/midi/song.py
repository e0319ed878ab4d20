"""A song as its file has it: tracks of notes on the beat grid, before any choice is made."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from musicvae_jax.music.melody import DEFAULT_TEMPO_BPM

# A damaged file may place a note years away, and a grid up to there would not fit in memory.
MAX_QUARTERS = 40_000


@dataclasses.dataclass(frozen=True)
class Track:
    """One instrument of a song; all positions are in quarter notes from the start.

    Attributes:
      name: the track's name, possibly empty.
      program: General MIDI program, 0..127.
      is_drum: whether it plays on the drum channel.
      pitch, velocity: [notes] int32.
      start, end: [notes] float64, by onset, then by pitch.
      num_syllables: notes to which words are sung, as far as the file writes them below
        the notes.
    """

    name: str
    program: int
    is_drum: bool
    pitch: np.ndarray
    velocity: np.ndarray
    start: np.ndarray
    end: np.ndarray
    num_syllables: int = 0


@dataclasses.dataclass(frozen=True)
class Song:
    """A music file on its own beat grid, whatever its tempo does.

    `read_song` reads one from a file:

    >>> import musicvae_jax as mv
    >>> mv.write("song.mid", mv.example_melodies()["reel"])
    >>> song = mv.read_song("song.mid")
    >>> [len(track.pitch) for track in song.tracks], song.tempo_bpm_at(0)
    ([124], 180.0)

    Attributes:
      tracks: instruments with at least one note, in the file's order.
      meters: `(start in quarter notes, numerator, denominator)`, at least one. The first one
        starts at 0, or before it if the song begins within a bar.
      tempos: `(start in quarter notes, tempo_bpm)`, at least one.
      warnings: what was odd about the file and how it was read all the same, a line each.
      title: as the file gives it, possibly empty.
      is_exact: whether its notes end where their ends are written, as in notation; others are
        held a little longer or shorter.
      syllables: where words are sung, in quarter notes, as far as a MIDI file tells.
    """

    tracks: tuple[Track, ...]
    meters: tuple[tuple[float, int, int], ...]
    tempos: tuple[tuple[float, float], ...]
    warnings: tuple[str, ...] = ()
    title: str = ""
    is_exact: bool = True
    syllables: tuple[float, ...] = ()

    def tempo_bpm_at(self, quarter: float) -> float:
        """The tempo in force at a position in quarter notes; before 0 the first one."""
        before = [bpm for start, bpm in self.tempos if start <= quarter + 1e-6]
        return before[-1] if before else self.tempos[0][1]


def make_song(
    tracks: Sequence[Track],
    meters: Sequence[tuple[float, int, int]],
    tempos: Sequence[tuple[float, float]],
    warnings: Sequence[str] = (),
    title: str = "",
    syllables: Sequence[float] = (),
) -> Song:
    """A song with what the MIDI standard assumes until told otherwise: 4/4 at 120.

    Args:
      tracks: those without notes are left out.
      meters, tempos: as in `Song`, in order, possibly empty.
      warnings, title, syllables: as in `Song`.

    Raises:
      ValueError: a note lies beyond `MAX_QUARTERS`, or a position is not finite.
    """
    for track in tracks:
        if track.pitch.size and not (track.end.max() < MAX_QUARTERS and track.start.min() >= 0):
            raise ValueError(f"notes beyond {MAX_QUARTERS // 4} bars")
    meters, tempos = list(meters), list(tempos)
    if not meters or meters[0][0] > 1e-6:
        meters.insert(0, (0.0, 4, 4))
    if not tempos or tempos[0][0] > 1e-6:
        tempos.insert(0, (0.0, DEFAULT_TEMPO_BPM))
    # A MIDI tempo is in whole microseconds a quarter: rounding gives back what was written.
    tempos = [(quarter, round(bpm, 2)) for quarter, bpm in tempos]
    heard = tuple(track for track in tracks if track.pitch.size)
    return Song(
        heard, tuple(meters), tuple(tempos), tuple(warnings), title, syllables=tuple(syllables)
    )


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


def quarters_at(sec: np.ndarray, change_sec: np.ndarray, bpm: np.ndarray) -> np.ndarray:
    """The positions in quarter notes of times in seconds.

    Args:
      sec: any shape.
      change_sec, bpm: [tempos] when each tempo begins, the first at 0, and the tempo.
    """
    passed = np.concatenate([[0.0], np.cumsum(np.diff(change_sec) * bpm[:-1] / 60)])
    segment = np.clip(np.searchsorted(change_sec, sec, side="right") - 1, 0, None)
    return passed[segment] + (sec - change_sec[segment]) * bpm[segment] / 60
