"""The notes of a track that may be its melody: without accompaniment and ornaments."""

import dataclasses

import numpy as np

from musicvae_jax.midi.song import Track

# All in quarter notes. Notes that begin within this time begin together.
_TOGETHER = 0.06
# A note sounds so long into the next one in legato, without being another voice.
_LEGATO = 0.15
# Where fewer of the notes begin below or above a sounding one, a track is one line.
_MANY_VOICES = 0.15
# A melody's note may be held over so many others, and so long; a longer one is a pad or pedal.
_MOST_COVERED, _LONGEST_HELD = 16, 8.0
# In semitones: so far below the top of these many beats before and after, no melody leaps.
_OTHER_HAND = 12
_AROUND = 2
# A note as short as this, just before a main note that is much longer, is an ornament of it.
_ORNAMENT, _MAIN = 0.11, 3.0


def melodic(track: Track) -> Track:
    """A track without the notes that can only accompany, or adorn, others of it.

    In a track of several voices, such as a piano's, these are left out: notes that begin and
    end while a higher one sounds, and notes, of the other hand, that begin more than an octave
    below what is played just before and just after them. Of one line nothing is left out but
    grace notes. The notes that stay are as they were.

    Args:
      track: with at least one note.
    """
    is_ornament = _ornaments(track)
    keep = ~is_ornament
    if _is_several_voices(track):
        keep &= ~_accompanies(track)
    if keep.all():
        return track
    return dataclasses.replace(
        track,
        pitch=track.pitch[keep],
        velocity=track.velocity[keep],
        start=track.start[keep],
        end=track.end[keep],
    )


def _is_several_voices(track: Track) -> bool:
    ended = np.maximum.accumulate(track.end)[:-1]
    return bool((ended - track.start[1:] > _LEGATO).mean() > _MANY_VOICES) if ended.size else False


def _ornaments(track: Track) -> np.ndarray:
    """Whether each note is a grace note of the next: `[notes]` bool."""
    length = track.end - track.start
    gap = np.diff(track.start, append=np.inf)
    after = np.append(length[1:], 0.0)
    leap = np.abs(np.diff(track.pitch, append=track.pitch[-1:]))
    is_short = (length <= _ORNAMENT) & (gap <= 0.15) & (gap > 0.01)
    return is_short & (np.abs(gap - length) < 0.04) & (after >= _MAIN * length) & (leap <= 4)


def _accompanies(track: Track) -> np.ndarray:
    """Whether each note can only be accompaniment: `[notes]` bool."""
    first = np.flatnonzero(np.diff(track.start, prepend=-np.inf) > _TOGETHER)
    event = np.cumsum(np.isin(np.arange(track.start.size), first)) - 1
    time, pitch = track.start[first], np.maximum.reduceat(track.pitch, first)
    is_top = track.pitch == pitch[event]
    end = np.maximum.reduceat(np.where(is_top, track.end, -np.inf), first)
    covered = np.zeros(first.size, bool)
    held = end - time <= _LONGEST_HELD
    for before in range(1, min(_MOST_COVERED, first.size - 1) + 1):
        higher = (pitch[:-before] > pitch[before:]) & held[:-before]
        covered[before:] |= higher & (end[:-before] >= end[before:] - _TOGETHER)
    return covered[event] | _far_below(time, np.where(held, pitch, 0), pitch)[event]


def _far_below(time: np.ndarray, top: np.ndarray, pitch: np.ndarray) -> np.ndarray:
    """Whether each event lies far below both what is played just before and just after it.

    Args:
      time, pitch: of each event.
      top: the same pitch, or 0 where it is not what others are compared with.
    """
    beat = np.floor(time).astype(np.int64)
    first = np.flatnonzero(np.diff(beat, prepend=-1))
    number, highest = beat[first], np.maximum.reduceat(top, first)
    before, after = highest.copy(), highest.copy()
    for steps in range(1, min(_AROUND, number.size - 1) + 1):
        near = number[steps:] - number[:-steps] <= _AROUND
        before[steps:] = np.maximum(before[steps:], np.where(near, highest[:-steps], 0))
        after[:-steps] = np.maximum(after[:-steps], np.where(near, highest[steps:], 0))
    around = np.minimum(before, after)
    return around[np.searchsorted(number, beat)] - pitch > _OTHER_HAND
