"""The notes of a batch of windows in one table, on which augmentations work all at once."""

from typing import NamedTuple

import numpy as np

from musicvae_jax.music.tokens import FIRST_ONSET, HOLD, NOTE_OFF


class BatchNotes(NamedTuple):
    """The notes of a batch, all in one row: [notes] each, in the order of windows and steps.

    Attributes:
      window: the number of the window in the batch.
      token: uint8, of the onset.
      start, end: steps, as in `Melody`.
    """

    window: np.ndarray
    token: np.ndarray
    start: np.ndarray
    end: np.ndarray

    def where(self, kept: np.ndarray) -> "BatchNotes":
        """Those for which `kept` [notes] holds, or whose numbers it gives."""
        return BatchNotes(*(column[kept] for column in self))

    def cut_at_next(self, steps: int) -> "BatchNotes":
        """Each ends at the latest where the next one of its window begins, or the window ends."""
        is_followed = self.window[1:] == self.window[:-1]
        end = np.minimum(self.end, steps)
        end[:-1] = np.where(is_followed, np.minimum(end[:-1], self.start[1:]), end[:-1])
        return self._replace(end=end)


def read(tokens: np.ndarray) -> BatchNotes:
    """The notes of windows [batch, steps]."""
    window, step = np.nonzero(tokens != HOLD)
    end = np.full(step.size, tokens.shape[1])
    is_followed = window[1:] == window[:-1]
    end[:-1][is_followed] = step[1:][is_followed]
    token = tokens[window, step]
    return BatchNotes(window, token, step, end).where(token >= FIRST_ONSET)


def write(notes: BatchNotes, shape: tuple[int, ...]) -> np.ndarray:
    """Windows [batch, steps] of notes that do not overlap."""
    tokens = np.full(shape, HOLD, np.uint8)
    ended = notes.end < shape[1]
    # As in `MelodyCodec.encode`: an onset replaces the note-off at its step.
    tokens[notes.window[ended], notes.end[ended]] = NOTE_OFF
    tokens[notes.window, notes.start] = notes.token
    return tokens


def together(first: BatchNotes, second: BatchNotes, steps: int) -> BatchNotes:
    """The notes of both in order; where two begin at the same step, only the first of them.

    A note ends at the latest where the next one begins.
    """
    both = BatchNotes(*(np.concatenate(columns) for columns in zip(first, second, strict=True)))
    _, order = np.unique(both.window * steps + both.start, return_index=True)
    return both.where(order).cut_at_next(steps)
