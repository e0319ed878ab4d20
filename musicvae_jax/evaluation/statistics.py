"""Statistics of many melodies: histograms, and how far two sets of melodies are apart.

Of each melody:

  pitch_class   how long each pitch class sounds, counted from the tonic of the key that
                Krumhansl and Schmuckler's method finds, so that melodies in different keys
                can be added up: 0 is the tonic, 7 the fifth. A wrong key shifts a melody,
                in both crowds alike
  note_length   steps that notes last, up to a bar, and longer; a note that goes on beyond
                the window lasts as long as it is heard
  unique_note_rate  different pitches over notes: 1 if no note comes back
  self_similarity  for each lag, the share of steps that sound like the same step that
                many bars later, in pitch or in silence

The first two are counted over all melodies together; of the last two each melody gives a
number, and their distributions are compared. Distances are the overlap of two histograms
(the sum of the smaller shares: 1 if they are the same) and the Kullback-Leibler divergence
of the second from the first, in nats; as in Yang & Lerch 2018, "On the evaluation of
generative models in music", but of the features themselves, in fixed bins.
"""

import dataclasses

import numpy as np

from musicvae_jax.music import keys
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import FIRST_ONSET, SILENCE, sounding_pitch

MAX_LAG = 8
_SHARE_BINS = 40  # of numbers from 0 to 1
# Added to each bin, so that a divergence is finite where one crowd has nothing.
_PSEUDO_COUNT = 0.5


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Of a crowd of melodies.

    Attributes:
      pitch_class: [12] steps, from the tonic.
      note_length: [steps_per_bar + 1] notes, of 1, 2, ... steps up to a bar, and longer ones.
      unique_note_rate: [melodies], 0 for a melody without notes.
      self_similarity: [melodies, lags] for lags of 1, 2, ... bars.
      minor_share: the share of melodies whose key is minor.
    """

    pitch_class: np.ndarray
    note_length: np.ndarray
    unique_note_rate: np.ndarray
    self_similarity: np.ndarray
    minor_share: float


def measure(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> Statistics:
    """Statistics of melodies [melodies, steps] int of `MelodyCodec`, at least one."""
    pitch = sounding_pitch(tokens)
    onset = tokens >= FIRST_ONSET
    classes, is_minor = _pitch_classes(pitch)
    return Statistics(
        pitch_class=classes,
        note_length=_note_lengths(pitch, onset, steps_per_bar),
        unique_note_rate=_unique_note_rate(pitch, onset),
        self_similarity=_self_similarity(pitch, steps_per_bar),
        minor_share=float(is_minor.mean()),
    )


def _steps_by_class(pitch: np.ndarray) -> np.ndarray:
    """How many steps each pitch class sounds: [melodies, 12], from C."""
    count = len(pitch)
    melody = np.repeat(np.arange(count), pitch.shape[1]).reshape(pitch.shape)
    sounds = pitch != SILENCE
    place = melody[sounds] * 12 + pitch[sounds] % 12
    return np.bincount(place, minlength=count * 12).reshape(count, 12)


def key_of_each(pitch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The key of each melody.

    Args:
      pitch: [melodies, steps] int, from `tokens.sounding_pitch`.

    Returns:
      tonic: [melodies] int, pitch class from C; is_minor: [melodies] bool.
    """
    tonic, is_minor, _ = keys.find_keys(_steps_by_class(pitch))
    return tonic, is_minor


def _pitch_classes(pitch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tonic, is_minor = key_of_each(pitch)
    steps = _steps_by_class(pitch)
    from_tonic = np.take_along_axis(steps, (np.arange(12) + tonic[:, None]) % 12, axis=1)
    return from_tonic.sum(axis=0), is_minor


def _note_lengths(pitch: np.ndarray, onset: np.ndarray, steps_per_bar: int) -> np.ndarray:
    """A note lasts from its onset over all steps that sound without another onset."""
    sounds = (pitch != SILENCE).ravel()
    # Every sounding step belongs to the latest onset: a melody begins with one, or silent.
    note = np.cumsum(onset.ravel())[sounds]
    lengths = np.bincount(note, minlength=1)[1:]
    longest = steps_per_bar + 1
    return np.bincount(np.minimum(lengths, longest), minlength=longest + 1)[1:]


def _unique_note_rate(pitch: np.ndarray, onset: np.ndarray) -> np.ndarray:
    present = np.zeros((len(pitch), 128), bool)
    melody, step = np.nonzero(onset)
    present[melody, pitch[melody, step]] = True
    return present.sum(axis=1) / np.maximum(onset.sum(axis=1), 1)


def _self_similarity(pitch: np.ndarray, steps_per_bar: int) -> np.ndarray:
    by_bar = pitch.reshape(len(pitch), -1, steps_per_bar)
    lags = range(1, min(MAX_LAG, by_bar.shape[1] - 1) + 1)
    alike = [(by_bar[:, lag:] == by_bar[:, :-lag]).mean(axis=(1, 2)) for lag in lags]
    return np.stack(alike, axis=1) if alike else np.zeros((len(pitch), 0))


def share_histogram(values: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 in bins of equal width: [bins]; 1 belongs to the last."""
    bins = np.minimum((np.asarray(values) * _SHARE_BINS).astype(int), _SHARE_BINS - 1)
    return np.bincount(bins.ravel(), minlength=_SHARE_BINS)


def shares(counts: np.ndarray) -> np.ndarray:
    """A histogram's counts as shares of all."""
    return counts / max(counts.sum(), 1)


def overlap(reference: np.ndarray, other: np.ndarray) -> float:
    """The area that two histograms of counts [bins] have in common, from 0 to 1."""
    return float(np.minimum(shares(reference), shares(other)).sum())


def kl_divergence(reference: np.ndarray, other: np.ndarray) -> float:
    """Nats that the shares of `other` cost where those of `reference` hold."""
    p, q = (shares(counts + _PSEUDO_COUNT) for counts in (reference, other))
    return float((p * np.log(p / q)).sum())


def distances(reference: Statistics, other: Statistics) -> dict[str, dict[str, float]]:
    """`overlap` and `kl_nats` of each statistic; of self-similarity, the mean over lags."""
    pairs = {
        "pitch_class": [(reference.pitch_class, other.pitch_class)],
        "note_length": [(reference.note_length, other.note_length)],
        "unique_note_rate": [
            (share_histogram(reference.unique_note_rate), share_histogram(other.unique_note_rate))
        ],
        "self_similarity": [
            (share_histogram(one), share_histogram(two))
            for one, two in zip(reference.self_similarity.T, other.self_similarity.T, strict=True)
        ],
    }
    return {
        name: {
            "overlap": float(np.mean([overlap(*pair) for pair in some])),
            "kl_nats": float(np.mean([kl_divergence(*pair) for pair in some])),
        }
        for name, some in pairs.items()
        if some
    }


def summary(statistics: Statistics) -> dict[str, float | list[float]]:
    """Shares and means, for JSON."""
    return {
        "pitch_class": shares(statistics.pitch_class).tolist(),
        "note_length": shares(statistics.note_length).tolist(),
        "unique_note_rate": float(statistics.unique_note_rate.mean()),
        "self_similarity_by_lag": statistics.self_similarity.mean(axis=0).tolist(),
        "minor_share": statistics.minor_share,
    }
