"""New melodies from a model against real ones: what they are like, and whether they are new."""

import dataclasses
from typing import Any

import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.evaluation import classifier, ngram
from musicvae_jax.evaluation import copies as evaluation_copies
from musicvae_jax.evaluation import intervals as evaluation_intervals
from musicvae_jax.evaluation import statistics as evaluation_statistics
from musicvae_jax.evaluation.classifier import Area, Crowd
from musicvae_jax.evaluation.copies import Copies
from musicvae_jax.evaluation.intervals import Ratio
from musicvae_jax.evaluation.statistics import Statistics
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import MelodyCodec

REAL, SAMPLES, YARDSTICK = "test", "samples", "train"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Samples beside real melodies, and real ones beside others.

    Attributes:
      statistics: of the test split (`REAL`), of `SAMPLES`, and of the same number of training
        windows (`YARDSTICK`), which show how close to the test split that many melodies can
        be.
      copies: of `SAMPLES`, and of the same number of windows of the test split (`REAL`), which
        show how close to the training data melodies come that no model has made.
      figures: of `REAL` and `SAMPLES`, the mean over melodies by name, and `NAME_ci95`, its
        interval over songs: `similarity_lag_1` and so on (of all of the test split); of as many
        melodies of each, the cost in nats a token by n-grams of the training split, `ngram_nll`
        and `ngram_nll_best_key`, and the means of `copies`.
      areas: how well a classifier tells `SAMPLES` from the test split, and one half of the test
        split's songs from the other (`REAL`); empty if there are too few songs or samples.
    """

    statistics: dict[str, Statistics]
    copies: dict[str, Copies]
    figures: dict[str, dict[str, float | list[float]]]
    areas: dict[str, Area]

    def distances(self) -> dict[str, dict[str, dict[str, float]]]:
        """`sample_statistics.distances` to the test split, of `SAMPLES` and `YARDSTICK`."""
        return {
            name: evaluation_statistics.distances(self.statistics[REAL], self.statistics[name])
            for name in (SAMPLES, YARDSTICK)
        }

    def details(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "statistics": {n: evaluation_statistics.summary(s) for n, s in self.statistics.items()},
            "distances_to_test": self.distances(),
            "copies_of_train": {n: evaluation_copies.summary(c) for n, c in self.copies.items()},
        }

    def headline(self) -> dict[str, float | list[float]]:
        """`samples_STATISTIC_overlap` with the test split, and the figures of both crowds."""
        of_samples = self.distances()[SAMPLES]
        result: dict[str, float | list[float]] = {
            f"samples_{n}_overlap": d["overlap"] for n, d in of_samples.items()
        }
        for crowd, figures in self.figures.items():
            result |= {f"{crowd}_{name}": value for name, value in figures.items()}
            most = evaluation_copies.summary(self.copies[crowd])
            result[f"{crowd}_nearest_train_max"] = most["nearest_max"]
            result[f"{crowd}_run_bars_max"] = most["run_bars_max"]
        for crowd, found in self.areas.items():
            result[f"{crowd}_classifier_area"] = found.area
            result[f"{crowd}_classifier_area_ci95"] = found.ci95
        return result


def draw(model: MelodyModel, num: int, seed: int, temperature: float) -> np.ndarray:
    """Melodies from the model's prior, as uint8 tokens of `MelodyCodec`, whatever its codec is."""
    codec = MelodyCodec()
    melodies = model.generate(num, seed=seed, temperature=temperature)
    return np.stack([codec.encode(melody) for melody in melodies]).astype(np.uint8)


def _means(by_melody: dict[str, np.ndarray], songs: np.ndarray) -> dict[str, float | list[float]]:
    """The mean of each, and its interval, of numbers [melodies] of melodies of songs."""
    ratios = {name: Ratio(values, np.ones(len(values))) for name, values in by_melody.items()}
    intervals = evaluation_intervals.intervals_95(ratios, songs)
    means = {name: ratio.value for name, ratio in ratios.items()}
    return means | {f"{name}_ci95": interval for name, interval in intervals.items()}


def _areas(
    samples: np.ndarray, test: np.ndarray, songs: np.ndarray, seed: int, per_bar: int
) -> dict[str, Area]:
    """See `Comparison.areas`; as many windows of each side as there are samples."""
    num, numbers = len(samples), np.arange(len(samples))
    if min(num, len(np.unique(songs)) // 2) < classifier.MIN_SONGS:
        return {}
    folds, halves = classifier.folds_of(songs), classifier.halves_of(songs)

    def real(windows: np.ndarray) -> Crowd:
        some = windows[input_pipeline.spread(len(windows), num)]
        return Crowd(test[some], songs[some], folds[some], per_bar)

    new = Crowd(samples, numbers, classifier.folds_of(numbers), per_bar)
    sides = [real(np.flatnonzero(halves == half)) for half in (0, 1)]
    return {
        SAMPLES: classifier.tell_apart(real(np.arange(len(test))), new, seed),
        REAL: classifier.tell_apart(*sides, seed),
    }


def compare(
    samples: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    songs: np.ndarray,
    seed: int = 0,
    steps_per_bar: int = STEPS_PER_BAR,
) -> Comparison:
    """Compares melodies with real ones, some of each.

    Args:
      samples: [melodies, steps] uint8, of `MelodyCodec`.
      train, test: the same of the training and test splits.
      songs: [test windows], the song of each.
      seed: of the classifier.
      steps_per_bar: of all melodies.
    """
    num = len(samples)
    some_train = train[input_pipeline.spread(len(train), num)]
    some = input_pipeline.spread(len(test), num)
    crowds = {REAL: test, SAMPLES: samples, YARDSTICK: some_train}
    statistics = {
        name: evaluation_statistics.measure(tokens, steps_per_bar)
        for name, tokens in crowds.items()
    }
    compared = np.concatenate([samples, test[some]])
    found = evaluation_copies.check(compared, train, steps_per_bar)
    copies = {SAMPLES: found[:num], REAL: found[num:]}
    judge = ngram.of_melodies(train)
    figures = {}
    for name, tokens, own in ((SAMPLES, samples, np.arange(num)), (REAL, test[some], songs[some])):
        by_melody = {
            "ngram_nll": judge.nll(tokens),
            "ngram_nll_best_key": judge.nll_in_best_key(tokens),
            "nearest_train_mean": copies[name].nearest,
            "run_bars_mean": copies[name].run_bars,
        }
        lags = enumerate(statistics[name].self_similarity.T, 1)
        of_all = {f"similarity_lag_{lag}": alike for lag, alike in lags}
        figures[name] = _means(of_all, songs if name == REAL else own) | _means(by_melody, own)
    return Comparison(
        statistics, copies, figures, _areas(samples, test, songs, seed, steps_per_bar)
    )
