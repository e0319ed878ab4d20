import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from musicvae_jax.transitions import curves

BARS = st.integers(1, 64)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ("linear", [0, 0.25, 0.5, 0.75, 1]),
        ("smoothstep", [0, 0.15625, 0.5, 0.84375, 1]),
        ("hold", [0, 0, 0.5, 1, 1]),
        ("sigmoid", [0, 0.0701, 0.5, 0.9299, 1]),
        ((0, 1), [0, 0.25, 0.5, 0.75, 1]),
        ((0, 0.5, 0.5, 0.5, 1), [0, 0.5, 0.5, 0.5, 1]),
        ((0, 0, 1), [0, 0, 0, 0.5, 1]),
        ((0.3,), [0.3] * 5),
    ],
)
def test_golden(curve, expected):
    np.testing.assert_allclose(curves.sample(curve, 5), expected, atol=1e-4)


@given(st.sampled_from(sorted(curves.CURVES)), BARS)
def test_curves_rise_from_exactly_0_to_exactly_1(curve, bars):
    t = curves.sample(curve, bars)
    assert t.shape == (bars,)
    assert np.all(np.diff(t) >= 0)
    np.testing.assert_allclose(t + t[::-1], 1, atol=1e-6)  # as much time for each melody
    if bars > 1:
        assert t[0] == 0.0
        assert t[-1] == 1.0


@given(st.sampled_from(["linear", "smoothstep", "sigmoid"]), BARS)
def test_a_bridge_in_between_touches_neither_end(curve, bars):
    t = curves.sample(curve, bars, between=True)
    assert np.all((t > 0) & (t < 1))
    assert np.all(np.diff(t) > 0)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=70), BARS)
def test_numbers_stay_between_their_extremes(numbers, bars):
    t = curves.sample(numbers, bars)
    assert t.shape == (bars,)
    assert np.all(t >= np.float32(min(numbers)))
    assert np.all(t <= np.float32(max(numbers)))
    if len(numbers) == bars:
        np.testing.assert_array_equal(t, np.float32(numbers))
