import numpy as np
import pytest

from musicvae_jax.evaluation import intervals
from musicvae_jax.evaluation.intervals import Ratio


def test_an_interval_is_that_of_means_of_songs():
    """Many songs of as many windows each: as wide as the normal approximation has it."""
    rng = np.random.default_rng(0)
    of_song = rng.normal(0.8, 0.1, 400)
    songs = np.repeat(np.arange(400), 7)
    ratio = Ratio(np.repeat(of_song, 7), np.ones(2800))
    low, high = intervals.intervals_95({"x": ratio}, songs)["x"]
    half = 1.96 * of_song.std() / 20
    assert low == pytest.approx(of_song.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(of_song.mean() + half, abs=0.1 * half)


def test_songs_are_drawn_and_not_windows():
    """The same numbers are surer when every window is a song of its own."""
    values = np.repeat(np.random.default_rng(0).random(30), 20)
    ratio = {"x": Ratio(values, np.ones(600))}
    widths = [
        np.subtract(*intervals.intervals_95(ratio, songs)["x"])
        for songs in (np.repeat(np.arange(30), 20), np.arange(600))
    ]
    assert widths[0] / widths[1] == pytest.approx(20**0.5, rel=0.1)


def test_a_ratio_weighs_windows_by_what_they_hold():
    ratio = Ratio(np.array([1, 30]), np.array([10, 30]))
    assert ratio.value == 31 / 40
    assert Ratio(np.zeros(2), np.zeros(2)).value == 0
    draws = intervals.resample({"x": ratio}, np.array(["a", "b"]))["x"]
    assert set(draws.tolist()) == {0.1, 31 / 40, 1.0}


def test_one_song_says_nothing_of_others():
    assert intervals.intervals_95({"x": Ratio(np.ones(3), np.ones(3))}, np.zeros(3)) == {}
