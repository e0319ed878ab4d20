"""How drums that came back, and new ones, are measured."""

import numpy as np
import pytest

from musicvae_jax.evaluation import accuracy, drum_accuracy, drum_measure, drum_samples
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.music import drum_attributes
from musicvae_jax.music.drum_codec import token_hits

KICK, SNARE, HAT = 1, 2, 4


def window(*steps: tuple[int, int]) -> np.ndarray:
    """Two bars with tokens at steps."""
    tokens = np.zeros(32, np.uint16)
    for step, token in steps:
        tokens[step] = token
    return tokens


TRUTH = window((0, KICK | HAT), (4, SNARE), (8, HAT), (16, KICK))
DECODED = window((0, KICK), (4, SNARE), (9, HAT), (16, KICK))


def test_metrics_by_hand():
    found = drum_accuracy.ratios(TRUTH[None], DECODED[None])
    values = {name: ratio.value for name, ratio in found.items()}
    assert values["set_accuracy"] == pytest.approx(29 / 32)
    assert values["struck_set_accuracy"] == pytest.approx(2 / 4)
    assert values["hit_f1"] == pytest.approx(2 * 3 / (5 + 4))
    assert values["hit_f1_kick"] == values["hit_f1_snare"] == 1
    assert values["hit_f1_closed_hat"] == 0
    assert values["groove_similarity"] == pytest.approx(30 / 32)


def test_the_first_bar_repeated():
    again = drum_accuracy.first_bar_repeated(TRUTH[None])[0]
    assert again.tolist() == [*TRUTH[:16].tolist()] * 2
    songs = np.array(["a", "b"])
    truth = np.stack([TRUTH, again])
    ways = {"first_bar": drum_accuracy.first_bar_repeated(truth)}
    values = drum_accuracy.headline(truth, ways, songs)
    assert values["first_bar_set_accuracy"] == pytest.approx((29 / 32 + 1) / 2)
    assert values["first_bar_later_set_accuracy"] == pytest.approx((13 / 16 + 1) / 2)
    low, high = values["first_bar_set_accuracy_ci95"]
    assert low <= values["first_bar_set_accuracy"] <= high


def test_what_new_patterns_are_like():
    loop = np.tile(TRUTH[:16], 2)
    other = window((0, KICK), (16, SNARE))
    tokens = np.stack([loop, other])
    assert drum_samples.similarity_by_lag(tokens)[1].tolist() == [1, 0]
    assert drum_samples.bars_of_train(tokens, TRUTH[None]).tolist() == [1, 0.5]
    few = np.stack([other, np.roll(other, 1)]).astype(np.uint16)
    assert drum_samples.nearest(few[:1], few).tolist() == [1]
    assert drum_samples.nearest(loop[None], few).tolist() == [(loop == other).mean()]
    density, off_beat, toms, pieces = drum_attributes.measure(tokens).T
    assert density.tolist() == [4, 1]
    assert off_beat.tolist() == [0, 0]
    assert toms.tolist() == [0, 0]
    assert pieces.tolist() == [3, 2]
    read = drum_samples.inputs(tokens)
    np.testing.assert_array_equal(read[..., :9], token_hits(tokens))
    assert (read[0, 16:, 10] == 1).all()
    assert (read[0, :16, 10:] == 0).all()


def test_figures_of_two_crowds_and_their_table():
    rng = np.random.default_rng(0)
    make = lambda n: (rng.integers(0, 512, (n, 32)) * (rng.random((n, 32)) < 0.5)).astype(np.uint16)  # noqa: E731
    train, test, samples = make(40), make(20), make(10)
    songs = np.repeat(np.arange(10), 2).astype(str)
    found = drum_samples.compare(samples, train, test, songs)
    assert found["samples_bars_of_train"] == 0
    assert found["samples_density"] == pytest.approx(found["test_density"], rel=0.2)
    assert "samples_classifier_area" not in found  # there are too few songs
    headline = drum_accuracy.headline(test, {"sampled": test}, songs) | found
    table = "\n".join(drum_measure.lines(headline | {"kl_bits": 1.0}))
    for name in ("hits, F1: kick", "similarity lag 1", "bars of train", "kl_bits"):
        assert name in table


def test_windows_of_drums_are_kept_in_a_file(tmp_path):
    songs = np.array(["a"])
    made = DecodedWindows("drums", songs, TRUTH[None], DECODED[None], DECODED[None])
    accuracy.write(tmp_path / "a.npz", made)
    again = accuracy.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(again.truth, TRUTH[None])
    assert again.truth.dtype == np.uint16
