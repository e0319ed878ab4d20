import numpy as np
import pytest

from musicvae_jax.evaluation import samples
from musicvae_jax.evaluation.samples import REAL, SAMPLES, YARDSTICK
from musicvae_jax.music.tokens import MelodyCodec
from tests import helpers


def windows(count, seed):
    rng = np.random.default_rng(seed)
    melodies = [helpers.random_melody(rng, 4) for _ in range(count)]
    return np.stack([MelodyCodec().encode(melody) for melody in melodies]).astype(np.uint8)


def test_samples_that_are_training_windows_are_found_out():
    train, test = windows(60, seed=0), windows(40, seed=1)
    comparison = samples.compare(train[:10], train, test)
    assert comparison.copies[SAMPLES].nearest.tolist() == [1.0] * 10
    assert comparison.copies[SAMPLES].run_bars.tolist() == [4] * 10
    assert comparison.copies[REAL].nearest.max() < 1
    assert len(comparison.copies[REAL].nearest) == 10
    headline = comparison.headline()
    assert headline["samples_nearest_train_mean"] == 1
    assert 0.5 < headline["samples_pitch_class_overlap"] < 1


def test_the_test_split_itself_has_no_distance():
    train, test = windows(60, seed=0), windows(40, seed=1)
    distances = samples.compare(test, train, test).distances()
    assert distances[SAMPLES].keys() == distances[YARDSTICK].keys()
    for name, of_samples in distances[SAMPLES].items():
        assert of_samples == {"overlap": pytest.approx(1), "kl_nats": 0}
        assert 0 < distances[YARDSTICK][name]["kl_nats"] < 1
