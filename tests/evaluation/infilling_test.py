import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given, settings

from musicvae_jax.evaluation import infilling
from musicvae_jax.evaluation.infilling import ALL, HIDDEN, NEW, REPEATING
from musicvae_jax.music.tokens import MelodyCodec, transpose_tokens
from tests import helpers


def windows(count, bars, seed=0):
    rng = np.random.default_rng(seed)
    melodies = [helpers.random_melody(rng, bars) for _ in range(count)]
    return np.stack([MelodyCodec().encode(melody) for melody in melodies])


def hidden_bars(bars, first, count):
    return (np.arange(bars) >= first) & (np.arange(bars) < first + count)


def test_figures_by_hand():
    """Bars A B A C, of which the last two are hidden; two candidates."""
    a, b, c = (np.zeros(16, int) for _ in range(3))
    a[[0, 8]], b[[0, 4]], c[[0, 4, 12]] = (41, 43), (45, 1), (41, 46, 1)
    truth = np.concatenate([a, b, a, c])[None]
    good, poor = np.concatenate([a, b, a, a])[None], np.concatenate([a, b, b, b])[None]
    found = infilling.figures(
        truth, np.stack([poor, good]), hidden_bars(4, 2, 2), np.array(["song"])
    )
    assert found[REPEATING]["share"] == {"bars": 0.5}
    best, mean = found[REPEATING]["best"], found[REPEATING]["mean"]
    assert best == {"tokens": 1, "onsets": 1, "rhythm": 1, "sounding": 1}
    # B where A should be: both begin at 0; 4 and 8 are wrong; no step sounds right.
    assert mean["tokens"] == (16 + 13) / 32
    assert mean["onsets"] == 2 / 4
    assert mean["rhythm"] == (16 + 14) / 32
    assert mean["sounding"] == 16 / 32
    # A where C should be: 0 is right, 4, 8 and 12 are wrong.
    best = found[NEW]["best"]
    assert (best["tokens"], best["onsets"], best["rhythm"]) == (13 / 16, 1 / 2, 13 / 16)
    assert best["sounding"] == 4 / 16
    assert found[ALL]["best"]["onsets"] == 3 / 4


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6), st.integers(-5, 5))
def test_the_truth_is_right_and_transposing_both_changes_nothing(seed, semitones):
    truth, other = windows(6, 4, seed), windows(6, 4, seed + 1)
    is_hidden, songs = hidden_bars(4, 1, 2), np.arange(6) // 2
    moved = [transpose_tokens(tokens, np.full(6, semitones)) for tokens in (truth, other)]
    found = infilling.figures(truth, other[None], is_hidden, songs)
    assert infilling.figures(moved[0], moved[1][None], is_hidden, songs) == found
    perfect = infilling.figures(truth, np.stack([other, truth]), is_hidden, songs)[ALL]
    assert all(np.all(np.array(value) == 1) for value in perfect["best"].values())
    for name in ("tokens", "onsets", "rhythm", "sounding"):
        assert perfect["mean"][name] == pytest.approx((1 + found[ALL]["mean"][name]) / 2)


def test_repeats_are_those_of_plain_loops():
    truth = windows(20, 6)
    truth[:10, 32:48] = truth[:10, 80:96]
    truth[5:15, 48:64] = truth[5:15, 32:48]  # both are hidden: that is no repeat
    is_hidden = hidden_bars(6, 2, 2)
    melodies = [MelodyCodec().decode(tokens) for tokens in truth]
    alone = [[tuple(m.window(bar, 1).notes()) for bar in range(6)] for m in melodies]
    expected = [
        [any(bars[hidden] == bars[shown] for shown in (0, 1, 4, 5)) for hidden in (2, 3)]
        for bars in alone
    ]
    assert infilling.repeats(truth, is_hidden).tolist() == expected
    assert 5 <= np.sum(expected) < 35


@pytest.mark.parametrize("per_bar", [16, 12])
def test_bars_are_copied_from_before_or_else_from_after(per_bar):
    truth = np.repeat(np.arange(16), per_bar)[None]
    hidden = infilling.hide(truth, 6, 4, per_bar)
    bars = hidden.reshape(16, per_bar)[:, 0].tolist()
    assert bars[5:11] == [5, HIDDEN, HIDDEN, HIDDEN, HIDDEN, 10]
    for lag, expected in ((8, [14, 15, 0, 1]), (-4, [10, 11, 12, 13]), (4, [2, 3, 4, 5])):
        copied = infilling.copy_bars(hidden, lag, per_bar).reshape(16, per_bar)
        assert copied[6:10, 0].tolist() == expected
        assert (np.delete(copied, range(6, 10), axis=0)[:, 0] == [*range(6), *range(10, 16)]).all()
    with pytest.raises(ValueError, match="bar 7: nothing is shown 1 bars before"):
        infilling.copy_bars(hidden, 1, per_bar)


def test_figures_of_bars_of_twelve_steps():
    """Of bars A A, the second one hidden, a candidate has half of the steps right."""
    a = np.zeros(12, int)
    a[[0, 6]] = (41, 43)
    truth, wrong = np.tile(a, 2)[None], np.concatenate([a, a[:6], np.ones(6, int)])[None]
    found = infilling.figures(truth, wrong[None], hidden_bars(2, 1, 1), np.array(["song"]), 12)
    assert found[REPEATING]["share"] == {"bars": 1.0} == found[ALL]["share"]
    assert found[ALL]["mean"]["tokens"] == found[ALL]["mean"]["sounding"] == 0.5
    assert found[ALL]["mean"]["onsets"] == 0.5


def test_a_method_fills_hidden_bars_alone_with_keys_of_its_own():
    truth = windows(3, 4)
    hidden = infilling.hide(truth, 1, 2)

    def noise(tokens, key):
        return np.asarray(jax.random.randint(key, tokens.shape, 0, 90))

    filled = infilling.fill(hidden, noise, jax.random.key(0), 3)
    assert filled.shape == (3, *truth.shape)
    shown = hidden != HIDDEN
    assert (filled[:, shown] == truth[shown]).all()
    assert (filled[0] != filled[1]).any()
    more = infilling.fill(hidden, noise, jax.random.key(0), 4)
    np.testing.assert_array_equal(more[:3], filled)
