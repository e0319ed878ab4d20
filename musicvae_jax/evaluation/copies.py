"""Whether melodies are copies of the training data, transposed or not.

  nearest   the largest share of equal tokens that any training window has with the
            melody, one of the two transposed as a whole so that most onsets agree
  run       the longest run of bars that also stands, transposed as a whole, anywhere in a
            training window; each bar heard alone, with a note that is held into the run
            struck at its beginning

Any two melodies share holds and rests, and so have many tokens in common, and every tune
shares bars with some other. So the same must be measured of real melodies that the model has
not seen.
"""

import dataclasses

import numpy as np

from musicvae_jax.music.melody import MIN_PITCH, STEPS_PER_BAR
from musicvae_jax.music.tokens import (
    FIRST_ONSET,
    HOLD,
    NOTE_OFF,
    SILENCE,
    content_hashes,
    previous_onset,
    sounding_pitch,
)
from musicvae_jax.system.progress import progress

# Training windows that are compared in every transposition: those that agree best when
# each note is written as its interval from the one before.
CANDIDATES = 32
_INTERVAL = 128  # what an interval of 0 is, out of the way of the other tokens
_FIRST_NOTE = 255


@dataclasses.dataclass(frozen=True)
class Copies:
    """How close melodies come to training windows.

    Attributes:
      nearest: [melodies], see above.
      nearest_window: [melodies] int, the number of that training window.
      run_bars: [melodies] int, see above.
    """

    nearest: np.ndarray
    nearest_window: np.ndarray
    run_bars: np.ndarray

    def __getitem__(self, some: slice) -> "Copies":
        return Copies(self.nearest[some], self.nearest_window[some], self.run_bars[some])


def intervals(tokens: np.ndarray) -> np.ndarray:
    """Tokens whose onsets are written as the interval from the note before.

    Two windows agree where they do the same, whatever the key; and a note that differs
    spoils two tokens, where intervals from the first note could spoil all.

    Args:
      tokens: [windows, steps] uint8, of `MelodyCodec`.

    Returns:
      [windows, steps] uint8.
    """
    onset = tokens >= FIRST_ONSET
    before = previous_onset(onset)
    note_before = np.take_along_axis(tokens, np.maximum(before, 0), axis=1).astype(np.int16)
    interval = tokens.astype(np.int16) - note_before + _INTERVAL
    written = np.where(before < 0, _FIRST_NOTE, interval)
    return np.where(onset, written, tokens).astype(np.uint8)


def best_transposition(melody: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """The share of equal tokens of a melody with windows, in the transposition for most.

    Args:
      melody: [steps] int; windows: [windows, steps] int, of `MelodyCodec`.

    Returns:
      [windows] float64.
    """
    is_onset, onsets = melody >= FIRST_ONSET, windows >= FIRST_ONSET
    others = ((melody == windows) & ~is_onset).sum(axis=1)
    window, step = np.nonzero(is_onset & onsets)
    shift = melody[step].astype(np.int64) - windows[window, step] + _INTERVAL
    by_shift = np.bincount(window * 256 + shift, minlength=256 * len(windows))
    return (others + by_shift.reshape(-1, 256).max(axis=1)) / melody.size


def _nearest(melodies: np.ndarray, train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes, train_codes = intervals(melodies), intervals(train)
    count = min(CANDIDATES, len(train))
    shares, numbers = [], []
    for melody, code in zip(
        progress(melodies, "nearest training windows", len(melodies)), codes, strict=True
    ):
        agreeing = np.count_nonzero(train_codes == code, axis=1)
        candidates = np.argpartition(-agreeing, count - 1)[:count]
        share = best_transposition(melody, train[candidates])
        shares.append(share.max())
        numbers.append(candidates[share.argmax()])
    return np.array(shares), np.array(numbers)


def _segment_hashes(tokens: np.ndarray, bars: int, steps_per_bar: int) -> np.ndarray:
    """A hash of every run of bars as it is alone, without its key: [windows, places] uint64."""
    length = bars * steps_per_bar
    sounding = sounding_pitch(tokens)
    held = np.where(sounding == SILENCE, HOLD, sounding - MIN_PITCH + FIRST_ONSET)

    def places(per_step: np.ndarray) -> np.ndarray:
        windows = np.lib.stride_tricks.sliding_window_view(per_step, length, axis=1)
        return windows[:, ::steps_per_bar]

    segments = places(tokens).astype(np.uint8)
    first = segments[..., 0]
    is_silent_or_held = (first == HOLD) | (first == NOTE_OFF)
    segments[..., 0] = np.where(is_silent_or_held, places(held)[..., 0], first)
    return content_hashes(segments.reshape(-1, length)).reshape(len(tokens), -1)


def _longest_runs(melodies: np.ndarray, train: np.ndarray, steps_per_bar: int) -> np.ndarray:
    longest = np.zeros(len(melodies), np.int64)
    for bars in range(1, melodies.shape[1] // steps_per_bar + 1):
        known = np.unique(_segment_hashes(train, bars, steps_per_bar))
        is_known = np.isin(_segment_hashes(melodies, bars, steps_per_bar), known).any(axis=1)
        if not is_known.any():
            break  # a longer run holds a shorter one
        longest[is_known] = bars
    return longest


def check(melodies: np.ndarray, train: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> Copies:
    """Compares melodies [melodies, steps] with training windows [windows, steps], uint8."""
    nearest, numbers = _nearest(melodies, train)
    return Copies(nearest, numbers, _longest_runs(melodies, train, steps_per_bar))


def summary(copies: Copies) -> dict[str, float | list[float]]:
    """Means, quantiles, and the shares of copies, for JSON."""
    bars = np.arange(copies.run_bars.max() + 1)
    return {
        "nearest_mean": float(copies.nearest.mean()),
        "nearest_quantiles_05_50_95": np.quantile(copies.nearest, [0.05, 0.5, 0.95]).tolist(),
        "nearest_max": float(copies.nearest.max()),
        "share_nearest_above_90_percent": float((copies.nearest > 0.9).mean()),
        "run_bars_mean": float(copies.run_bars.mean()),
        "run_bars_max": int(copies.run_bars.max()),
        "run_bars_histogram": [float((copies.run_bars == n).mean()) for n in bars],
        "share_run_of_8_bars_or_more": float((copies.run_bars >= 8).mean()),
    }
