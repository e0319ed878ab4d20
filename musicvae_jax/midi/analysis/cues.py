"""What in the notes of a song tells of its bars, by the place in a bar of 16 sixteenths."""

import dataclasses

import numpy as np

from musicvae_jax.midi.song import Song
from musicvae_jax.music.grid import SIXTEENTHS

# On which bars are looked for: the weights of `downbeats.csv` are those of its steps.
GRID = SIXTEENTHS
STEPS_PER_BAR, STEPS_PER_QUARTER = GRID.steps_per_bar, GRID.steps_per_quarter
# In the order of the rows of a profile. Of one-off cues a song has one.
CUES = (
    *("onsets", "gaps", "lengths", "low", "bass", "change_4", "change_8", "change_16"),
    *("repeats", "sections", "contours", "chords", "entries", "kick", "snare", "cymbal"),
    *("first", "last", "end", "odd_end"),
)
# The song ends a whole number of bars after its beginning (`end`) or not.
_NUM_ONE_OFF = 4
# Later bars add little, and take time.
_MAX_STEPS = 128 * STEPS_PER_BAR
# From this length on, a profile counts fully.
_FULL_STEPS = 16 * STEPS_PER_BAR
_DRUMS = ((35, 36), (37, 38, 39, 40), (49, 52, 55, 57))  # kick, snare, cymbal
_MIN_REPEAT, LONG_REPEAT = 6, 24  # notes
# Of a cue that is seen so seldom, on average at a place, half counts.
_FEW = 0.5
_BASS_PITCH, _LOW_PITCH = 55, 64


@dataclasses.dataclass(frozen=True)
class Line:
    """The onsets of all pitched tracks together.

    Attributes:
      start: [onsets] int64, the sixteenth of each, rising.
      top, low: [onsets] int64, the highest and the lowest pitch that begins there.
      length: [onsets] int64, of the longest note, in sixteenths.
      count: [onsets] int64, how many notes begin there.
      is_whole: whether it reaches the end of the song.
    """

    start: np.ndarray
    top: np.ndarray
    low: np.ndarray
    length: np.ndarray
    count: np.ndarray
    is_whole: bool


@dataclasses.dataclass(frozen=True)
class GridNotes:
    """The notes of a song's first bars on the grid of sixteenths, track by track.

    Attributes:
      track, start, end, pitch: [notes] int64, of pitched tracks, by track and then by onset.
      drum, drum_start: [drum notes] int64, the pitch and the sixteenth.
      size: the steps of the whole bars that they fill.
      is_whole: whether that is all of the song.
    """

    track: np.ndarray
    start: np.ndarray
    end: np.ndarray
    pitch: np.ndarray
    drum: np.ndarray
    drum_start: np.ndarray
    size: int
    is_whole: bool

    def line(self) -> Line:
        order = np.argsort(self.start, kind="stable")
        start = self.start[order]
        first = np.flatnonzero(np.diff(start, prepend=-1))
        pitch, length = self.pitch[order], (self.end - self.start)[order]
        if not first.size:
            return Line(start, start, start, start, start, self.is_whole)
        return Line(
            start=start[first],
            top=np.maximum.reduceat(pitch, first),
            low=np.minimum.reduceat(pitch, first),
            length=np.maximum.reduceat(length, first),
            count=np.diff(first, append=start.size),
            is_whole=self.is_whole,
        )


def on_grid(song: Song, offset: float = 0.0) -> GridNotes:
    """The notes of a song on its sixteenths, the first of which is the first of a bar.

    Args:
      song: with notes.
      offset: in quarter notes, where sixteenth 0 of a bar begins.
    """

    def steps(quarters: np.ndarray) -> np.ndarray:
        return np.floor((quarters - offset) * STEPS_PER_QUARTER + 0.5).astype(np.int64)

    # Notes that begin before the offset are in the bar before.
    earliest = min(float(track.start[0]) for track in song.tracks)
    bar, half_step = GRID.quarters_per_bar, 0.5 / STEPS_PER_QUARTER
    offset += bar * np.floor((earliest - offset + half_step) / bar)
    pitched, drums = [np.zeros((4, 0), np.int64)], [np.zeros((2, 0), np.int64)]
    is_whole, stop = True, 1
    for number, track in enumerate(song.tracks):
        start = steps(track.start)
        count = int(np.searchsorted(start, _MAX_STEPS))
        is_whole &= count == start.size
        start, pitch = start[:count], track.pitch[:count].astype(np.int64)
        if track.is_drum:
            drums.append(np.stack([pitch, start]))
            stop = max(stop, int(start.max(initial=0)) + 1)
        else:
            end = np.maximum(steps(track.end[:count]), start + 1)
            pitched.append(np.stack([np.full_like(start, number), start, end, pitch]))
            stop = max(stop, int(end.max(initial=0)))
    size = min(-(-stop // STEPS_PER_BAR) * STEPS_PER_BAR, _MAX_STEPS)
    table, drum = np.concatenate(pitched, axis=1), np.concatenate(drums, axis=1)
    end = np.minimum(table[2], size)
    return GridNotes(table[0], table[1], end, table[3], drum[0], drum[1], size, is_whole)


def profile(notes: GridNotes, line: Line) -> np.ndarray:
    """The cues of a song by their place in a bar.

    Args:
      notes, line: of the song.

    Returns:
      [cues, 16] float64, each cue with a mean of 0, or one-off cues with a single 1; all less
      for a short song.
    """
    size, start = notes.size, line.start
    cues = np.zeros((len(CUES), size))
    cues[0, start] = 1
    cues[1] = _gaps(notes)
    cues[2, start] = 0.5 + np.log2(np.minimum(line.length, STEPS_PER_BAR))
    cues[3, start] = np.clip((_LOW_PITCH - line.low) / 24, 0, 1.5)
    bass = start[line.low < _BASS_PITCH]
    gap = np.diff(bass, append=bass[-1:] + STEPS_PER_BAR)
    cues[4, bass] = np.log2(np.minimum(gap, STEPS_PER_BAR))
    cues[5:8] = _changes(notes)
    cues[8:11] = _repeats(line, size)
    cues[11, start] = line.count >= 3
    cues[12] = _entries(notes)
    for row, pitches in enumerate(_DRUMS, start=13):
        is_one = (notes.drum[:, None] == np.array(pitches)).any(axis=1)
        cues[row, notes.drum_start[is_one]] = 1
    if start.size:
        cues[16, start[0]] = 1
    if start.size and line.is_whole:
        stop = int(notes.end.max())
        cues[17, start[-1]] = 1
        cues[18 + ((stop - int(start[0])) % STEPS_PER_BAR != 0), stop % size] = 1
    folded = cues.reshape(len(CUES), -1, STEPS_PER_BAR).sum(axis=1)
    repeated = folded[:-_NUM_ONE_OFF]
    mean = repeated.mean(axis=1, keepdims=True)
    folded[:-_NUM_ONE_OFF] = (repeated - mean) / (mean + _FEW)
    return folded * min(1.0, np.sqrt(size / _FULL_STEPS))


def _gaps(notes: GridNotes) -> np.ndarray:
    """For each step, the time up to the next onset of each track that has one there."""
    places = notes.track * notes.size + notes.start
    places = places[np.diff(places, prepend=-1) > 0]
    gap = np.diff(places, append=places[-1:] + notes.size)
    is_last = np.diff(places // notes.size, append=-1) != 0
    gap = np.where(is_last, STEPS_PER_BAR, np.minimum(gap, STEPS_PER_BAR))
    return np.bincount(places % notes.size, np.log2(gap), minlength=notes.size)


def _changes(notes: GridNotes) -> np.ndarray:
    """How different the harmony is before and after each step, for three lengths: [3, steps]."""
    size, tone = notes.size, notes.pitch % 12
    begun = np.bincount(notes.start * 12 + tone, minlength=12 * size)
    ended = np.bincount(notes.end * 12 + tone, minlength=12 * size)
    # Whole numbers, exact in 32 bits.
    change = (begun - ended[: 12 * size]).reshape(size, 12).astype(np.float32)
    # As many as two notes of a pitch class count; `total[17 + n]` is of the steps up to n.
    total = np.zeros((size + 33, 12), np.float32)
    np.cumsum(np.minimum(np.cumsum(change, axis=0), 2), axis=0, out=total[17 : size + 17])
    total[size + 17 :] = total[size + 16]
    result = np.zeros((3, size))
    for row, width in zip(result, (4, 8, 16), strict=True):
        # Sums over `width` steps: over those before each step, and over those from it on.
        sums = total[16 : 16 + size + width] - total[16 - width : 16 + size]
        square = np.einsum("sp,sp->s", sums, sums).astype(np.float64)
        product = np.einsum("sp,sp->s", sums[:size], sums[width:]).astype(np.float64)
        norm = np.sqrt(square[:size] * square[width:])
        row[:] = np.where(norm > 0, 1 - product / np.maximum(norm, 1e-9), 0)
    return result


def _repeats(line: Line, size: int) -> np.ndarray:
    """Where the top line begins to repeat itself: [3, steps].

    Each stretch that comes again after 1, 2, 4, 8 or 16 bars counts where it begins, by the
    logarithm of its notes: short ones and long ones note by note, and any by rhythm and
    direction alone.
    """
    top, moves = np.zeros(size, np.int64), np.zeros(size, np.int64)
    top[line.start] = line.top
    direction = np.sign(np.diff(line.top, append=0)) + 2
    gap = np.diff(line.start, append=size)
    moves[line.start] = 4 * np.minimum(gap, STEPS_PER_BAR) + direction
    result = np.zeros((3, size))
    for bars in (1, 2, 4, 8, 16):
        lag = bars * STEPS_PER_BAR
        if lag < size:
            begin, notes = _stretches(top, lag)
            is_long = notes >= LONG_REPEAT
            result[is_long.astype(np.int64), begin] += np.log2(notes)
            begin, notes = _stretches(moves, lag)
            result[2, begin] += np.log2(notes)
    return result


def _stretches(line: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """The stretches of a line that come again after a lag: where each begins, and its notes.

    Args:
      line: [steps] int64, 0 where nothing begins.
      lag: in steps.
    """
    is_same = line[:-lag] == line[lag:]
    notes = np.flatnonzero(is_same & (line[:-lag] > 0))
    stretch = np.cumsum(~is_same)[notes]
    first = np.flatnonzero(np.diff(stretch, prepend=-1))
    count = np.diff(first, append=notes.size)
    is_kept = count >= _MIN_REPEAT
    return notes[first[is_kept]], count[is_kept]


def _entries(notes: GridNotes) -> np.ndarray:
    """For each step, how many tracks begin there, or again after two quarter notes of silence."""
    track, start = notes.track, notes.start
    # The latest end so far in the same track: tracks are set far apart.
    latest = np.maximum.accumulate(notes.end + track * 4 * notes.size) - track * 4 * notes.size
    silence = start - np.concatenate([[0], latest])[: start.size]
    is_entry = (np.diff(track, prepend=-1) != 0) | (silence >= 2 * STEPS_PER_QUARTER)
    return np.bincount(start[is_entry], minlength=notes.size).astype(np.float64)
