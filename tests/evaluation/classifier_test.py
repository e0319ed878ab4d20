"""The classifier, on melodies that repeat their first bars later as tunes do."""

import dataclasses

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given, settings

from musicvae_jax.evaluation import classifier
from musicvae_jax.evaluation.classifier import FOLDS, Crowd
from musicvae_jax.music.tokens import MelodyCodec, transpose_tokens
from tests import helpers


@pytest.fixture(autouse=True, scope="module")
def optimized():
    """JAX 0.12 without optimizations makes a program of the training that gives NaN."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def tunes(count, seed):
    """Four bars, and again: [count, 128]; like music in that the second half repeats."""
    rng = np.random.default_rng(seed)
    halves = [MelodyCodec().encode(helpers.random_melody(rng, 4)) for _ in range(count)]
    return np.tile(np.stack(halves), 2)


def shuffled(tokens, seed=0):
    """The same bars in any order."""
    rng = np.random.default_rng(seed)
    bars = tokens.reshape(len(tokens), -1, 16)
    return np.stack([melody[rng.permutation(len(melody))] for melody in bars]).reshape(tokens.shape)


def crowd(tokens, songs):
    return Crowd(tokens, songs, classifier.folds_of(songs))


STEPS = 80  # crowds of one size and as many steps share what is compiled


def test_melodies_of_shuffled_bars_are_found():
    songs = np.arange(160)
    one, two = tunes(160, seed=0), shuffled(tunes(160, seed=1))
    found = classifier.tell_apart(crowd(one, songs), crowd(two, songs), steps=STEPS)
    assert found.area > 0.8
    assert found.ci95[0] < found.area < found.ci95[1]


def test_two_halves_of_the_same_music_are_not_told_apart():
    both, songs = tunes(320, seed=2), np.arange(320) // 2
    halves = [crowd(both[half], songs[half]) for half in (songs % 2 == 0, songs % 2 == 1)]
    found = classifier.tell_apart(*halves, steps=STEPS)
    assert found.ci95[0] < 0.5 < found.ci95[1]


def test_a_seed_gives_the_same_again_and_keys_do_not_matter():
    one, two = tunes(24, seed=3), shuffled(tunes(24, seed=4))
    songs = np.arange(24)
    moves = np.random.default_rng(0).integers(-5, 6, (2, 24))
    first = classifier.logits(crowd(one, songs), crowd(two, songs), seed=1, steps=5)
    again = classifier.logits(
        crowd(transpose_tokens(one, moves[0]), songs),
        crowd(transpose_tokens(two, moves[1]), songs),
        seed=1,
        steps=5,
    )
    other = classifier.logits(crowd(one, songs), crowd(two, songs), seed=2, steps=5)
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a != c).any()


@settings(max_examples=25, deadline=None)
@given(helpers.melodies(min_pitch=40, max_pitch=90), st.integers(-12, 12))
def test_what_is_read_does_not_depend_on_the_key(melody, semitones):
    whole = dataclasses.replace(melody, num_steps=48)
    tokens = MelodyCodec().encode(whole)[None]
    moved = transpose_tokens(tokens, np.array([semitones]))
    np.testing.assert_array_equal(classifier.inputs(tokens), classifier.inputs(moved))


def test_what_is_read_by_hand():
    tokens = np.zeros((1, 32), np.int32)
    tokens[0, [0, 4, 8, 16, 20]] = 41, 48, 1, 41, 43  # C, G, silence; C, D
    read = classifier.inputs(tokens)[0]
    degrees, intervals, (onset, off, height), alike = (
        read[:, :12], read[:, 12:37], read[:, 37:40].T, read[:, 40:],
    )  # fmt: skip
    assert degrees[:4].argmax(axis=1).tolist() == [5] * 4  # the key found is G
    assert degrees[4:8].argmax(axis=1).tolist() == [0] * 4
    assert degrees[8:16].sum() == 0
    steps, jumps = np.nonzero(intervals)
    assert dict(zip(steps.tolist(), (jumps - 12).tolist(), strict=True)) == {4: 7, 16: -7, 20: 2}
    assert np.flatnonzero(onset).tolist() == [0, 4, 16, 20]
    assert np.flatnonzero(off).tolist() == [8]
    assert height[8:16].tolist() == [0] * 8
    assert height[4] - height[0] == 7
    assert alike[:16].tolist() == np.zeros((16, 8)).tolist()
    assert alike[16:, 0].tolist() == [1] * 4 + [-1] * 12
    assert (alike[16:, 1:] == 0).all()


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_is_a_share_of_pairs_within_folds(ties):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=40), rng.normal(0.5, 1, size=30)
    if ties:
        scores = tuple(np.round(score) for score in scores)
    crowds = [crowd(np.zeros((len(s), 16), int), np.arange(len(s))) for s in scores]
    wins, pairs = 0.0, 0
    for low, fold in zip(scores[0], crowds[0].folds, strict=True):
        for high, other in zip(scores[1], crowds[1].folds, strict=True):
            if fold == other:
                wins += 1.0 if high > low else 0.5 if high == low else 0.0
                pairs += 1
    found = classifier.area(*crowds, scores)
    assert found.area == pytest.approx(wins / pairs)
    assert found.ci95[0] < found.area < found.ci95[1]


def test_folds_keep_songs_together_and_are_of_one_size():
    songs = np.array([f"tune {n}" for n in range(22) for _ in range(n + 1)])
    folds = classifier.folds_of(songs)
    fold_of = dict(zip(songs, folds, strict=True))
    assert [fold_of[song] for song in songs] == folds.tolist()
    sizes = np.bincount(list(fold_of.values()), minlength=FOLDS)
    assert sizes.max() - sizes.min() <= 1


def test_each_half_of_the_songs_is_in_every_fold():
    songs = np.array([f"tune {n}" for n in range(33) for _ in range(3)])
    folds, halves = classifier.folds_of(songs), classifier.halves_of(songs)
    assert len(set(zip(songs, folds, halves, strict=True))) == 33
    sizes = np.bincount(folds * 2 + halves, minlength=8)
    assert sizes.min() >= 4 * 3


def test_crowds_without_a_fold_in_common_have_no_area():
    songs = np.arange(8)
    crowds = [Crowd(tunes(8, 0), songs, songs % 2 + first) for first in (0, 2)]
    with pytest.raises(ValueError, match="no fold has melodies of both crowds"):
        classifier.area(*crowds, (np.zeros(8), np.zeros(8)))


def test_a_crowd_in_one_fold_cannot_be_judged():
    songs = np.arange(8)
    alone = Crowd(tunes(8, 0), songs, np.zeros(8, int))
    with pytest.raises(ValueError, match="no melody outside of fold 0"):
        classifier.logits(alone, crowd(tunes(8, 1), songs))
