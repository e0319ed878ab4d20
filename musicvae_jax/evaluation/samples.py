"""New melodies from a model against real ones: what they are like, and whether they are new."""

import dataclasses
from typing import Any

import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.evaluation import copies as evaluation_copies
from musicvae_jax.evaluation import statistics as evaluation_statistics
from musicvae_jax.evaluation.copies import Copies
from musicvae_jax.evaluation.statistics import Statistics
from musicvae_jax.inference.melody_model import MelodyModel
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
    """

    statistics: dict[str, Statistics]
    copies: dict[str, Copies]

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

    def headline(self) -> dict[str, float]:
        """`samples_STATISTIC_overlap` with the test split, and how near copies are."""
        of_samples = self.distances()[SAMPLES]
        copies = evaluation_copies.summary(self.copies[SAMPLES])
        overlaps = {f"samples_{n}_overlap": d["overlap"] for n, d in of_samples.items()}
        return overlaps | {
            "samples_nearest_train_mean": copies["nearest_mean"],
            "samples_nearest_train_max": copies["nearest_max"],
        }


def draw(model: MelodyModel, num: int, seed: int, temperature: float) -> np.ndarray:
    """Melodies from the model's prior, as uint8 tokens of `MelodyCodec`, whatever its codec is."""
    codec = MelodyCodec()
    melodies = model.generate(num, seed=seed, temperature=temperature)
    return np.stack([codec.encode(melody) for melody in melodies]).astype(np.uint8)


def compare(samples: np.ndarray, train: np.ndarray, test: np.ndarray) -> Comparison:
    """Compares melodies [melodies, steps] uint8 of `MelodyCodec`, some of each."""
    num = len(samples)
    some_train = train[input_pipeline.spread(len(train), num)]
    some_test = test[input_pipeline.spread(len(test), num)]
    crowds = {REAL: test, SAMPLES: samples, YARDSTICK: some_train}
    copies = evaluation_copies.check(np.concatenate([samples, some_test]), train)
    return Comparison(
        {name: evaluation_statistics.measure(tokens) for name, tokens in crowds.items()},
        {SAMPLES: copies[:num], REAL: copies[num:]},
    )
