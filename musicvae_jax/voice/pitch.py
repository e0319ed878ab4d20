"""The pitch of one voice, frame by frame.

The method is pYIN: Mauch and Dixon 2014, "pYIN: a fundamental frequency estimator using
probabilistic threshold distributions" (ICASSP), upon the difference function of YIN: de Cheveigné
and Kawahara 2002 (JASA 111). Here the thresholds' distribution is integrated in closed form, and
all frames without pitch are one state.
"""

import dataclasses

import numpy as np

from musicvae_jax.voice.sound import SAMPLE_RATE_HZ

FRAMES_PER_SEC = 100
_HOP = SAMPLE_RATE_HZ // FRAMES_PER_SEC
# C2, two octaves below middle C, to G7, as high as anybody whistles.
LOWEST, HIGHEST = 36, 103
_BINS_PER_SEMITONE = 5
_NUM_BINS = (HIGHEST - LOWEST) * _BINS_PER_SEMITONE + 1
# Samples that are compared with those a period later, 43 ms: almost three periods of the lowest.
_WINDOW = 1024
_FFT = 2048
_MIN_LAG = int(SAMPLE_RATE_HZ / (440 * 2 ** ((HIGHEST - 69) / 12))) - 1
_MAX_LAG = int(SAMPLE_RATE_HZ / (440 * 2 ** ((LOWEST - 69) / 12))) + 2
# Of the thresholds below which a dip of the difference function is a period: Beta(2, this), with
# a mean of 1/6. Frames without one have their deepest dip, with so little probability.
_BETA, _ANY_DIP = 10, 0.01
# How far the pitch goes in a frame: three semitones at most, rather less. To begin and to end.
_REACH = 3 * _BINS_PER_SEMITONE
_TURN = np.log(0.01)
# A noisy voice is more than likely no period at all by most thresholds: silence counts for less.
_SILENT = 0.01
_NEVER = 1e-6
_CHUNK = 500  # frames at a time, so that five minutes need no more memory than five seconds
# Softer than the loudest by so much is not a voice; softer than full scale by so much, nothing.
_MIN_LEVEL_DB, _MIN_FULL_SCALE_DB = -45.0, -70.0


@dataclasses.dataclass(frozen=True)
class PitchTrack:
    """What is heard in each frame; frame `i` is at `i / FRAMES_PER_SEC` seconds.

    Attributes:
      pitch: [frames] float64, of MIDI but with fractions; NaN where there is none.
      level_db: [frames] float64, of 20 ms, below the loudest frame.
      is_loud: [frames] bool, whether so much is heard that a voice may be.
      periodicity: [frames] float64, 1 for a sound that repeats itself exactly, about 0 for noise.
    """

    pitch: np.ndarray
    level_db: np.ndarray
    is_loud: np.ndarray
    periodicity: np.ndarray


def track(samples: np.ndarray) -> PitchTrack:
    """The pitch of a voice.

    Args:
      samples: [samples] float32 at `SAMPLE_RATE_HZ`.
    """
    num_frames = max(1, -(-samples.size // _HOP))
    level = _levels(samples, num_frames)
    is_loud = level > max(level.max() + _MIN_LEVEL_DB, _MIN_FULL_SCALE_DB)
    padded = np.pad(samples, (_WINDOW // 2, _WINDOW + _MAX_LAG + _HOP))
    probability = np.zeros((num_frames, _NUM_BINS), np.float32)
    exact = np.zeros((num_frames, _NUM_BINS), np.float32)
    periodicity = np.zeros(num_frames)
    for first in range(0, num_frames, _CHUNK):
        rows = slice(first, min(first + _CHUNK, num_frames))
        difference = _differences(padded, rows)
        periodicity[rows] = 1 - difference[:, _MIN_LAG:].min(axis=1)
        _fill(difference, probability[rows], exact[rows])
    probability[~is_loud] = 0
    path = _likeliest_path(probability)
    pitch = np.where(path < 0, np.nan, exact[np.arange(num_frames), path])
    # Where the path goes between candidates, its bin is as good as is known.
    between = (path >= 0) & (pitch == 0)
    pitch[between] = LOWEST + path[between] / _BINS_PER_SEMITONE
    return PitchTrack(pitch, level - level.max(), is_loud, np.clip(periodicity, 0, 1))


def _levels(samples: np.ndarray, num_frames: int) -> np.ndarray:
    """The level of the two hops around each frame, in decibels of full scale."""
    padded = np.pad(samples.astype(np.float64), (_HOP, _HOP * (num_frames + 1) - samples.size))
    power = np.square(padded).reshape(-1, _HOP).mean(axis=1)
    return 10 * np.log10((power[:-1] + power[1:])[:num_frames] / 2 + 1e-12)


def _differences(padded: np.ndarray, rows: slice) -> np.ndarray:
    """YIN's normalized difference function: near 0 at the period of what repeats itself.

    Args:
      padded: the samples, where frame `i` begins at sample `i * _HOP`.
      rows: of which frames.

    Returns:
      [frames, _MAX_LAG + 1] float64.
    """
    size = _WINDOW + _MAX_LAG
    piece = padded[rows.start * _HOP : (rows.stop - 1) * _HOP + size]
    frames = np.lib.stride_tricks.sliding_window_view(piece, size)[::_HOP]
    spectrum = np.fft.rfft(frames, _FFT, axis=1)
    spectrum *= np.conj(np.fft.rfft(frames[:, :_WINDOW], _FFT, axis=1))
    product = np.fft.irfft(spectrum, _FFT, axis=1)[:, : _MAX_LAG + 1].astype(np.float64)
    energy = np.cumsum(np.square(frames, dtype=np.float64), axis=1)
    later = np.concatenate(
        [energy[:, _WINDOW - 1 : _WINDOW], energy[:, _WINDOW:] - energy[:, :_MAX_LAG]], axis=1
    )
    difference = np.maximum(later[:, :1] + later - 2 * product, 0)
    difference[:, 0] = 0
    mean = np.cumsum(difference, axis=1)
    lag = np.arange(_MAX_LAG + 1)
    # In silence nothing differs, and nothing repeats itself either.
    return np.where(mean > 1e-9, difference * lag / np.maximum(mean, 1e-9), 1.0)


def _fill(difference: np.ndarray, probability: np.ndarray, exact: np.ndarray) -> None:
    """Writes how probable each pitch is, and where in its bin it lies.

    The first dip below a threshold is the period, so a dip is one for all thresholds between its
    value and that of the deepest dip before it.

    Args:
      difference: [frames, lags], from `_differences`.
      probability, exact: [frames, _NUM_BINS], to be filled.
    """
    left, here, right = difference[:, :-2], difference[:, 1:-1], difference[:, 2:]
    is_dip = (here < left) & (here <= right)
    is_dip[:, : _MIN_LAG - 1] = False
    depth = np.where(is_dip, here, 1.0)
    before = np.minimum.accumulate(depth, axis=1)
    before = np.concatenate([np.ones((len(depth), 1)), before[:, :-1]], axis=1)
    chance = np.maximum(_below(before) - _below(depth), 0)
    deepest = depth.argmin(axis=1)
    chance[np.arange(len(depth)), deepest] += _ANY_DIP * (1 - chance.sum(axis=1))
    frame, index = np.nonzero(is_dip & (chance > 1e-4))
    near = (left[frame, index], here[frame, index], right[frame, index])
    curvature = np.maximum(near[0] - 2 * near[1] + near[2], 1e-9)
    lag = index + 1 + np.clip(0.5 * (near[0] - near[2]) / curvature, -0.5, 0.5)
    pitch = 69 + 12 * np.log2(SAMPLE_RATE_HZ / lag / 440)
    place = np.round((pitch - LOWEST) * _BINS_PER_SEMITONE).astype(np.int64)
    inside = (place >= 0) & (place < _NUM_BINS)
    frame, place, pitch = frame[inside], place[inside], pitch[inside]
    np.add.at(probability, (frame, place), chance[is_dip & (chance > 1e-4)][inside])
    exact[frame, place] = pitch


def _below(threshold: np.ndarray) -> np.ndarray:
    """The distribution function of Beta(2, _BETA)."""
    threshold = np.clip(threshold, 0, 1)
    return 1 - (1 - threshold) ** _BETA * (1 + _BETA * threshold)


def _likeliest_path(probability: np.ndarray) -> np.ndarray:
    """The likeliest bin of each frame by Viterbi's algorithm; -1 for no pitch.

    Args:
      probability: [frames, bins].
    """
    voiced = np.log(probability + _NEVER)
    silent = np.log(_SILENT * np.maximum(1 - probability.sum(axis=1), 0.01))
    num_frames, num_bins = probability.shape
    reach = np.arange(-_REACH, _REACH + 1)
    change = np.log(1 - np.abs(reach) / (_REACH + 1))
    score, rest = np.full(num_bins, _TURN) + voiced[0], silent[0]
    back = np.full((num_frames, num_bins), -1, np.int16)
    rest_back = np.full(num_frames, -1, np.int16)
    padded = np.full(num_bins + 2 * _REACH, -np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach.size)
    bins = np.arange(num_bins)
    for frame in range(1, num_frames):
        padded[_REACH:-_REACH] = score
        reached = windows + change
        best = reached.argmax(axis=1)
        held = reached[bins, best]
        begins = rest + _TURN
        ends = int(score.argmax())
        back[frame] = np.where(held >= begins, bins + best - _REACH, -1)
        if score[ends] + _TURN > rest:
            rest, rest_back[frame] = score[ends] + _TURN, ends
        rest += silent[frame]
        score = np.maximum(held, begins) + voiced[frame]
    path = np.empty(num_frames, np.int64)
    state = int(score.argmax()) if score.max() > rest else -1
    for frame in range(num_frames - 1, -1, -1):
        path[frame] = state
        state = int(rest_back[frame] if state < 0 else back[frame, state])
    return path
