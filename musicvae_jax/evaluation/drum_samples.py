"""New drum patterns from a model against real ones: what they are like, and how new."""

from typing import Any

import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.evaluation import classifier
from musicvae_jax.evaluation import intervals as evaluation_intervals
from musicvae_jax.evaluation.classifier import Area, Crowd
from musicvae_jax.evaluation.intervals import Ratio
from musicvae_jax.evaluation.ngram import NGram
from musicvae_jax.music import drum_attributes
from musicvae_jax.music.drum_codec import DrumCodec, token_hits
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drums import STEPS_PER_BAR

REAL, SAMPLES = "test", "samples"
LAGS = (1, 2, 4, 8)  # bars
# Of the n-grams: those of three steps predict the validation split best.
ORDER = 3
_MAX_LAG = 8


def similarity_by_lag(tokens: np.ndarray) -> dict[int, np.ndarray]:
    """F1 of the hits of bars that are so many bars apart: [patterns] by lag."""
    hits = token_hits(tokens).reshape(len(tokens), -1, STEPS_PER_BAR * len(PIECES))
    count = hits.sum(axis=2)
    found = {}
    for lag in (lag for lag in LAGS if lag < hits.shape[1]):
        common = (hits[:, lag:] & hits[:, :-lag]).sum(axis=(1, 2))
        both = count[:, lag:].sum(axis=1) + count[:, :-lag].sum(axis=1)
        found[lag] = 2 * common / np.maximum(both, 1)
    return found


def bars_of_train(tokens: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The share of the bars of each pattern that are a bar of the training data: [patterns]."""
    known = {bar.tobytes() for bar in _bars(train).reshape(-1, STEPS_PER_BAR)}
    bars = _bars(tokens)
    is_known = [[bar.tobytes() in known for bar in pattern] for pattern in bars]
    return np.mean(is_known, axis=1)


def nearest(tokens: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The largest share of equal steps that a training window has with each: [patterns]."""
    tokens = tokens.astype(train.dtype)
    return np.array([np.equal(train, one).mean(axis=1).max() for one in tokens])


def _bars(tokens: np.ndarray) -> np.ndarray:
    """[patterns, bars, 16], in one dtype."""
    return np.ascontiguousarray(tokens, np.uint16).reshape(len(tokens), -1, STEPS_PER_BAR)


def inputs(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """What the classifier reads of each step.

    Returns:
      [patterns, steps, features] int8: the pieces that are struck, how many, and for lags of 1
      to 8 bars whether they are the same as then (1), others (-1), or there was nothing yet (0).
    """
    hits = token_hits(tokens).astype(np.int8)
    alike = np.zeros((*tokens.shape, _MAX_LAG), np.int8)
    for lag in range(1, min(_MAX_LAG, tokens.shape[1] // steps_per_bar - 1) + 1):
        steps = lag * steps_per_bar
        alike[:, steps:, lag - 1] = np.where(tokens[:, steps:] == tokens[:, :-steps], 1, -1)
    return np.concatenate([hits, hits.sum(axis=2, keepdims=True, dtype=np.int8), alike], axis=-1)


def compare(
    samples: np.ndarray, train: np.ndarray, test: np.ndarray, songs: np.ndarray, seed: int = 0
) -> dict[str, Any]:
    """Figures of patterns from a model, `samples_NAME`, and of real ones, `test_NAME`.

    Args:
      samples: [patterns, steps] int, of `DrumCodec`.
      train, test: the same of the training and test splits.
      songs: [test windows], the performance of each.
      seed: of the classifier.

    Returns:
      Means by name, and `NAME_ci95` over performances: attributes, `similarity_lag_1` and so on,
      the cost by n-grams of the training data in nats a token, the share of bars that are bars of
      it, and the share of steps that are those of the nearest window of it; and the areas of the
      classifier, see `evaluation.classifier`.
    """
    some = input_pipeline.spread(len(test), len(samples))
    judge = NGram(train, DrumCodec().vocab, ORDER)
    found: dict[str, Any] = {}
    for name, tokens, own in (
        (SAMPLES, samples, np.arange(len(samples))),
        (REAL, test[some], songs[some]),
    ):
        measured = dict(
            zip(drum_attributes.DRUM_ATTRIBUTES, drum_attributes.measure(tokens).T, strict=True)
        )
        lags = similarity_by_lag(tokens).items()
        measured |= {f"similarity_lag_{lag}": values for lag, values in lags}
        measured |= {"ngram_nll": judge.nll(tokens), "bars_of_train": bars_of_train(tokens, train)}
        measured |= {"nearest_of_train": nearest(tokens, train)}
        named = {f"{name}_{key}": Ratio(v, np.ones(len(v))) for key, v in measured.items()}
        found |= {key: ratio.value for key, ratio in named.items()}
        intervals = evaluation_intervals.intervals_95(named, own)
        found |= {f"{key}_ci95": interval for key, interval in intervals.items()}
    for name, area in _areas(samples, test, songs, seed).items():
        found |= {f"{name}_classifier_area": area.area, f"{name}_classifier_area_ci95": area.ci95}
    return found


def _areas(samples: np.ndarray, test: np.ndarray, songs: np.ndarray, seed: int) -> dict[str, Area]:
    """How well samples are told from the test split, and one half of it from the other."""
    if min(len(samples), len(np.unique(songs)) // 2) < classifier.MIN_SONGS:
        return {}
    folds, halves = classifier.folds_of(songs), classifier.halves_of(songs)

    def real(windows: np.ndarray) -> Crowd:
        some = windows[input_pipeline.spread(len(windows), len(samples))]
        return Crowd(test[some], songs[some], folds[some])

    numbers = np.arange(len(samples))
    new = Crowd(samples, numbers, classifier.folds_of(numbers))
    sides = [real(np.flatnonzero(halves == half)) for half in (0, 1)]
    return {
        SAMPLES: classifier.tell_apart(real(np.arange(len(test))), new, seed, reads=inputs),
        REAL: classifier.tell_apart(*sides, seed, reads=inputs),
    }
