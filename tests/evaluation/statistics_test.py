import numpy as np
import pytest

from musicvae_jax.evaluation import statistics
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import MelodyCodec, transpose_tokens
from tests import helpers


def tokens_of(*note_lists, bars=4):
    melodies = [Melody.from_notes(notes, bars * 16) for notes in note_lists]
    return np.stack([MelodyCodec().encode(melody) for melody in melodies]).astype(np.uint8)


def scale(tonic, lengths=(4, 2, 2, 2, 2, 2, 8)):
    """A major scale that dwells on its tonic."""
    notes, step = [], 0
    for degree, length in zip((0, 2, 4, 5, 7, 11, 12), lengths, strict=True):
        notes.append((tonic + degree, step, step + length))
        step += length
    return notes


def test_pitch_classes_are_counted_from_the_tonic():
    measured = statistics.measure(tokens_of(scale(60), scale(67), scale(58)))
    expected = np.zeros(12)
    for degree, steps in ((0, 12), (2, 2), (4, 2), (5, 2), (7, 2), (11, 2)):
        expected[degree] = 3 * steps
    np.testing.assert_array_equal(measured.pitch_class, expected)
    assert measured.minor_share == 0


def test_note_lengths_and_unique_notes_by_hand():
    notes = [(60, 0, 1), (62, 1, 4), (60, 4, 5), (60, 20, 52), (72, 60, 64)]
    measured = statistics.measure(tokens_of(notes, []))
    expected = np.zeros(17)
    expected[[0, 2, 3, 16]] = 2, 1, 1, 1
    np.testing.assert_array_equal(measured.note_length, expected)
    np.testing.assert_array_equal(measured.unique_note_rate, [3 / 5, 0])


def test_note_lengths_are_those_of_the_melodies():
    rng = np.random.default_rng(0)
    melodies = [helpers.random_melody(rng, 4) for _ in range(30)]
    measured = statistics.measure(np.stack([MelodyCodec().encode(m) for m in melodies]))
    lengths = np.concatenate([melody.end - melody.start for melody in melodies])
    np.testing.assert_array_equal(measured.note_length, np.bincount(lengths, minlength=18)[1:])
    rates = [len(set(m.pitch.tolist())) / len(m.pitch) for m in melodies]
    np.testing.assert_allclose(measured.unique_note_rate, rates)


def test_self_similarity_by_hand():
    """Bars A B A A', where A' begins with half of A and goes on in silence."""
    a = [(60, 0, 8), (64, 8, 16)]
    b = [(61, 16, 32)]
    later = [(pitch, start + 32, end + 32) for pitch, start, end in a]
    measured = statistics.measure(tokens_of([*a, *b, *later, (60, 48, 56)]))
    np.testing.assert_allclose(measured.self_similarity, [[(0 + 0 + 0.5) / 3, 0.5, 0.5]])


def test_a_bar_alone_has_no_lag():
    measured = statistics.measure(tokens_of(scale(60, (1, 1, 1, 1, 1, 1, 1)), bars=1))
    assert measured.self_similarity.shape == (1, 0)
    assert "self_similarity" not in statistics.distances(measured, measured)


def test_no_statistic_depends_on_the_key():
    rng = np.random.default_rng(3)
    melodies = [helpers.random_melody(rng, 4) for _ in range(20)]
    tokens = np.stack([MelodyCodec().encode(melody) for melody in melodies])
    moved = transpose_tokens(tokens, rng.integers(-6, 7, len(tokens)))
    one, two = (statistics.summary(statistics.measure(each)) for each in (tokens, moved))
    for name, value in one.items():
        assert value == pytest.approx(two[name]), name


def test_distances_by_hand():
    one, two = np.array([3, 1, 0]), np.array([1, 1, 2])
    assert statistics.overlap(one, two) == 0.25 + 0.25
    p, q = np.array([3.5, 1.5, 0.5]) / 5.5, np.array([1.5, 1.5, 2.5]) / 5.5
    assert statistics.kl_divergence(one, two) == pytest.approx((p * np.log(p / q)).sum())
    assert statistics.overlap(one, 7 * one) == 1
    assert statistics.kl_divergence(one, one) == 0


def test_a_share_of_one_has_a_bin():
    counts = statistics.share_histogram([0, 0.024, 0.025, 0.999, 1.0])
    assert counts[[0, 1, -1]].tolist() == [2, 1, 2]
    assert counts.sum() == 5


def test_a_crowd_is_as_itself_and_unlike_another():
    rng = np.random.default_rng(0)
    crowds = [
        np.stack([MelodyCodec().encode(helpers.random_melody(rng, 4)) for _ in range(50)])
        for _ in range(2)
    ]
    repeated = np.tile(crowds[0][:, :16], 4)
    measured = [statistics.measure(tokens) for tokens in (*crowds, repeated)]
    same, other, loops = (statistics.distances(measured[0], each) for each in measured)
    assert all(d == {"overlap": pytest.approx(1), "kl_nats": 0} for d in same.values())
    assert other["pitch_class"]["overlap"] > 0.8
    assert loops["self_similarity"]["overlap"] < 0.1 < other["self_similarity"]["overlap"]
    assert loops["self_similarity"]["kl_nats"] > 1
