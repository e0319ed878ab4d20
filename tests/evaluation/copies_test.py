import numpy as np
import pytest

from musicvae_jax.evaluation import copies as evaluation_copies
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import MelodyCodec, transpose_tokens
from tests import helpers

CODEC = MelodyCodec()


def windows(count, bars=4, seed=0):
    rng = np.random.default_rng(seed)
    melodies = [helpers.random_melody(rng, bars) for _ in range(count)]
    return np.stack([CODEC.encode(melody) for melody in melodies]).astype(np.uint8)


def nearest_by_brute_force(melody, train):
    """Every window in every transposition."""
    best = 0.0
    train, melody = (np.where(t >= 2, t.astype(int) + 1000, t) for t in (train, melody))
    for shift in range(-40, 41):
        moved = np.where(train >= 2, train + shift, train)
        best = max(best, (moved == melody).mean(axis=1).max())
    return best


def test_the_nearest_is_that_of_every_window_in_every_transposition():
    train, melodies = windows(evaluation_copies.CANDIDATES), windows(20, seed=1)
    copies = evaluation_copies.check(melodies, train)
    expected = [nearest_by_brute_force(melody, train) for melody in melodies]
    np.testing.assert_allclose(copies.nearest, expected)
    for melody, window, share in zip(melodies, copies.nearest_window, expected, strict=True):
        assert nearest_by_brute_force(melody, train[window][None]) == share


def test_a_transposed_copy_is_found_among_many_though_its_first_note_differs():
    train = windows(1000)
    copied = np.array([5, 300, 999])
    melodies = transpose_tokens(train[copied], np.array([3, -4, 0]))
    for melody in melodies:
        melody[np.flatnonzero(melody >= 2)[0]] += 1
    copies = evaluation_copies.check(melodies, train)
    assert copies.nearest_window.tolist() == copied.tolist()
    np.testing.assert_allclose(copies.nearest, 63 / 64)


def test_intervals_by_hand():
    tokens = np.array([[0, 40, 0, 43, 1, 42, 42], [1, 0, 0, 0, 0, 89, 2]], np.uint8)
    assert evaluation_copies.intervals(tokens).tolist() == [
        [0, 255, 0, 131, 1, 127, 128],
        [1, 0, 0, 0, 0, 255, 128 - 87],
    ]


def notes(*bars):
    """Four notes a bar, by their pitches."""
    pitches = [pitch for bar in bars for pitch in bar]
    sixteenths = [(pitch, 4 * n, 4 * n + 4) for n, pitch in enumerate(pitches)]
    return CODEC.encode(Melody.from_notes(sixteenths, 16 * len(bars)))[None].astype(np.uint8)


A, B, C, D = (60, 62, 64, 65), (67, 65, 64, 62), (60, 72, 60, 72), (61, 63, 68, 70)


def up(bar, semitones=5):
    return tuple(pitch + semitones for pitch in bar)


@pytest.mark.parametrize(
    ("melody", "run"),
    [
        (notes(A, B, C, D), 4),
        (notes(up(A), up(B), up(C), up(D)), 4),
        (notes(up(B), up(C), up(D), A), 3),  # anywhere in the window, and in the melody
        (notes(A, up(B), up(C, 7), A), 1),  # each in another key
        (notes(D, A, C, B), 1),
        (notes((60, 61, 62, 63), (60, 62, 61, 60), (70, 60, 70, 61), (60, 60, 60, 60)), 0),
    ],
)
def test_runs_of_bars(melody, run):
    assert evaluation_copies.check(melody, notes(A, B, C, D)).run_bars.tolist() == [run]


def test_a_note_held_into_a_run_is_struck():
    held = CODEC.encode(Melody.from_notes([(50, 0, 8), (60, 8, 24), (64, 24, 32)], 32))
    struck = CODEC.encode(Melody.from_notes([(60, 0, 8), (64, 8, 16), (80, 16, 32)], 32))
    silent = CODEC.encode(Melody.from_notes([(64, 8, 16), (80, 16, 32)], 32))
    melodies = np.stack([struck, silent]).astype(np.uint8)
    copies = evaluation_copies.check(melodies, held[None].astype(np.uint8))
    # The second bar of the first is the bar that is held through, which is anywhere.
    assert copies.run_bars.tolist() == [1, 0]


def test_summary_by_hand():
    copies = evaluation_copies.Copies(np.array([0.5, 1.0]), np.arange(2), np.array([0, 9]))
    summary = evaluation_copies.summary(copies)
    assert summary["nearest_mean"] == 0.75
    assert summary["share_nearest_above_90_percent"] == 0.5
    assert summary["share_run_of_8_bars_or_more"] == 0.5
    assert summary["run_bars_histogram"] == [0.5, *[0] * 8, 0.5]
    assert evaluation_copies.summary(copies[:1])["nearest_max"] == 0.5
