import itertools

import numpy as np
import pytest

from musicvae_jax.transitions.order import MAX_EXACT, order_by_distance, path_length


def points(count, seed=0):
    place = np.random.default_rng(seed).normal(size=(count, 3))
    return np.linalg.norm(place[:, None] - place[None], axis=-1)


def length(distances, order, loop):
    return path_length(distances, np.array(order)) + (distances[order[-1], order[0]] if loop else 0)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("fixed", [False, True])
def test_few_melodies_have_the_shortest_of_all_orders(count, loop, fixed):
    first = count - 1 if fixed else None
    for seed in range(3):
        distances = points(count, seed)
        order = order_by_distance(distances, first, loop)
        orders = [o for o in itertools.permutations(range(count)) if first is None or o[0] == first]
        best = min(length(distances, list(o), loop) for o in orders)
        assert tuple(order) in orders
        assert length(distances, order, loop) == pytest.approx(best)


def test_many_melodies_on_a_line_and_on_a_circle():
    rng = np.random.default_rng(0)
    place = rng.permutation(40)
    line = np.abs(place[:, None] - place[None]).astype(float)
    walked = place[order_by_distance(line)].tolist()
    assert walked in (list(range(40)), list(range(39, -1, -1)))
    assert order_by_distance(line, first=int(place.argmin()))[0] == place.argmin()
    round_trip = np.minimum(line, 40 - line)
    assert length(round_trip, order_by_distance(round_trip, loop=True), True) == 40


def test_the_heuristic_is_near_the_shortest_where_both_can_be_had():
    from musicvae_jax.transitions import order as transitions_order

    excess = []
    for seed in range(20):
        distances = points(MAX_EXACT - 2, seed)
        nothing = np.zeros(len(distances))
        short = transitions_order._short(distances, nothing, nothing)
        exact = order_by_distance(distances)
        excess.append(path_length(distances, short) / path_length(distances, exact) - 1)
    assert min(excess) >= -1e-9
    assert np.mean(excess) < 0.02


@pytest.mark.parametrize(
    ("distances", "first", "message"),
    [
        (np.zeros((2, 3)), None, r"\[K, K\], got shape \(2, 3\)"),
        (np.zeros((0, 0)), None, r"\[K, K\]"),
        (np.array([[0, np.nan], [np.nan, 0]]), None, "finite"),
        (np.array([[0, -1.0], [-1.0, 0]]), None, "not negative"),
        (np.array([[0, 1.0], [2.0, 0]]), None, "symmetric"),
        (np.zeros((2, 2)), 2, r"one of 0..1, got 2"),
    ],
)
def test_other_distances_are_refused(distances, first, message):
    with pytest.raises(ValueError, match=message):
        order_by_distance(distances, first)
