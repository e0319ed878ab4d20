import numpy as np
import pytest

from musicvae_jax.evaluation import classifier, intervals, ngram, samples, statistics
from musicvae_jax.evaluation.classifier import Area
from musicvae_jax.evaluation.intervals import Ratio
from musicvae_jax.evaluation.samples import REAL, SAMPLES, YARDSTICK
from musicvae_jax.music.tokens import MelodyCodec
from tests import helpers


def windows(count, seed):
    rng = np.random.default_rng(seed)
    melodies = [helpers.random_melody(rng, 4) for _ in range(count)]
    return np.stack([MelodyCodec().encode(melody) for melody in melodies]).astype(np.uint8)


def test_samples_that_are_training_windows_are_found_out():
    train, test = windows(60, seed=0), windows(40, seed=1)
    comparison = samples.compare(train[:10], train, test, np.arange(40) // 2)
    assert comparison.copies[SAMPLES].nearest.tolist() == [1.0] * 10
    assert comparison.copies[SAMPLES].run_bars.tolist() == [4] * 10
    assert comparison.copies[REAL].nearest.max() < 1
    assert len(comparison.copies[REAL].nearest) == 10
    headline = comparison.headline()
    assert headline["samples_nearest_train_mean"] == 1
    assert 0.5 < headline["samples_pitch_class_overlap"] < 1


def test_figures_are_means_over_melodies_with_intervals_over_songs():
    train, test, made = windows(60, seed=0), windows(40, seed=1), windows(10, seed=2)
    songs = np.arange(40) // 2
    figures = samples.compare(made, train, test, songs).figures
    alike = statistics.measure(test).self_similarity
    for lag in (1, 2, 3):
        name = f"similarity_lag_{lag}"
        assert figures[REAL][name] == pytest.approx(alike[:, lag - 1].mean())
        [of_songs] = intervals.intervals_95(
            {"": Ratio(alike[:, lag - 1], np.ones(40))}, songs
        ).values()
        assert figures[REAL][f"{name}_ci95"] == of_songs
    assert "similarity_lag_4" not in figures[REAL]
    judge = ngram.of_melodies(train)
    assert figures[SAMPLES]["ngram_nll"] == pytest.approx(judge.nll(made).mean())
    assert figures[SAMPLES]["ngram_nll_best_key"] <= figures[SAMPLES]["ngram_nll"]


def test_a_few_songs_are_not_told_apart():
    train, test = windows(60, seed=0), windows(40, seed=1)
    assert samples.compare(train[:10], train, test, np.arange(40) // 5).areas == {}


def test_whom_the_classifier_is_asked_about(monkeypatch):
    crowds = {}

    def asked(one, two, seed):
        crowds[seed, len(crowds)] = one, two
        for fold in range(classifier.FOLDS):  # something to learn and to be asked about in each
            assert all(0 < (crowd.folds == fold).sum() < 40 for crowd in (one, two))
        return Area(0.5, [0.4, 0.6])

    monkeypatch.setattr(classifier, "tell_apart", asked)
    test, made = windows(160, seed=1), windows(40, seed=2)
    songs = np.arange(160) // 2
    comparison = samples.compare(made, windows(60, seed=0), test, songs, seed=0)
    assert comparison.headline()["samples_classifier_area"] == 0.5
    (real, new), halves = crowds.values()
    np.testing.assert_array_equal(new.tokens, made)
    assert len(real.tokens) == 40
    assert not set(halves[0].songs) & set(halves[1].songs)
    fold_of = dict(zip(songs, classifier.folds_of(songs), strict=True))
    for crowd in (real, *halves):
        assert [fold_of[song] for song in crowd.songs] == crowd.folds.tolist()


def test_the_test_split_itself_has_no_distance():
    train, test = windows(60, seed=0), windows(40, seed=1)
    distances = samples.compare(test, train, test, np.arange(40)).distances()
    assert distances[SAMPLES].keys() == distances[YARDSTICK].keys()
    for name, of_samples in distances[SAMPLES].items():
        assert of_samples == {"overlap": pytest.approx(1), "kl_nats": 0}
        assert 0 < distances[YARDSTICK][name]["kl_nats"] < 1
