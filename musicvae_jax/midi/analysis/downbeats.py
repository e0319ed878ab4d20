"""On which sixteenth the bars of a song begin, by its notes.

Bars are heard where many cues agree (Temperley 2001, "The Cognition of Basic Musical
Structures"): long notes, low notes, chords, changes of harmony, drums, entries of instruments, and
where a song begins and ends. Each cue (`cues`) is summed over a song by its place in a bar of
16 sixteenths. The probability that bars begin at a place is a softmax of the profiles, turned
to begin there, times weights. These are in `downbeats.csv`; `benchmarks/downbeats.py --fit` fits
them to songs whose bars are known, and without that option measures them on others.
"""

import functools
import importlib.resources

import numpy as np

from musicvae_jax.midi.analysis import cues
from musicvae_jax.midi.analysis.cues import CUES, STEPS_PER_BAR, GridNotes, Line
from musicvae_jax.midi.song import Song

# A line is even if so many of its gaps are the same.
_EVEN_SHARE = 0.95
# In natural logarithms of odds, as the weights are.
_FORM_WEIGHT = 5.0


def probabilities(song: Song, offset: float = 0.0) -> np.ndarray:
    """How probable it is that the bars of a song begin on each sixteenth.

    Args:
      song: with notes; its meters do not matter.
      offset: in quarter notes, where sixteenth 0 of a bar begins.

    Returns:
      [16] float64.
    """
    notes = cues.on_grid(song, offset)
    line = notes.line()
    score = np.zeros(STEPS_PER_BAR)
    has_voices = is_ensemble(notes, line)
    if not has_voices and _is_even(line.start):
        score[line.start[0] % STEPS_PER_BAR] = 1
    else:
        own = weights()[int(has_voices)]
        profile = cues.profile(notes, line)
        turned = np.concatenate([profile, profile], axis=1)
        for step in range(STEPS_PER_BAR):
            score[step] = (turned[:, step : step + STEPS_PER_BAR] * own).sum()
    form = _form(line.start, line.top) if line.is_whole else None
    if form is not None:
        score[form % STEPS_PER_BAR] += _FORM_WEIGHT
    likely = np.exp(score - score.max())
    return likely / likely.sum()


def is_ensemble(notes: GridNotes, line: Line) -> bool:
    """Whether several voices play, which have weights of their own."""
    several = notes.track.size > 0 and notes.track[0] != notes.track[-1]
    return bool(notes.drum.size or several or (line.count > 1).sum() > 0.05 * notes.size)


def _is_even(start: np.ndarray) -> bool:
    """Whether a line moves in notes of one length, which tell nothing but by their form."""
    gap = np.diff(start)
    return gap.size > 0 and bool(np.bincount(gap).max() >= _EVEN_SHARE * gap.size)


def _form(start: np.ndarray, pitch: np.ndarray) -> int | None:
    """The step at which the first bar begins, if the form of a line tells it.

    It does where all that follows an upbeat is one section that comes again and again, without
    the upbeat.

    Args:
      start, pitch: [notes] int64, of the line.
    """
    later = np.flatnonzero((start > start[:1]) & (start < start[:1] + STEPS_PER_BAR))
    for bars in (4, 8, 16, 32):
        # The notes a whole number of bars later, from the end backwards.
        place = np.searchsorted(start, start + bars * STEPS_PER_BAR)
        inside = place < start.size
        count = int(inside.sum())
        if count < cues.LONG_REPEAT:
            continue
        found = place[:count]
        is_same = (start[found] - start[:count] == bars * STEPS_PER_BAR) & (
            pitch[found] == pitch[:count]
        )
        # The section is what follows the last difference, in a note or between two.
        is_new = ~is_same[:-1] | (np.diff(found) != 1)
        first = int(np.flatnonzero(is_new)[-1]) + 1 if is_new.any() else 0
        if is_same[-1] and found[-1] == start.size - 1 and first in later:
            return int(start[first])
    return None


@functools.cache
def weights() -> np.ndarray:
    """The weights of cues by place: [2, cues, 16] float64: of one voice alone, and of several."""
    text = importlib.resources.files(__package__).joinpath("downbeats.csv").read_text("ascii")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert [row[1] for row in rows] == [*CUES, *CUES]
    table = np.array([row[2:] for row in rows], np.float64)
    return table.reshape(2, len(CUES), STEPS_PER_BAR)
