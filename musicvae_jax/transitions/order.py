"""In which order to play several melodies, so that neighbours are alike."""

import numpy as np

# Up to here the order is the best of all; time and memory double with each one more.
MAX_EXACT = 12


def order_by_distance(
    distances: np.ndarray, first: int | None = None, loop: bool = False
) -> list[int]:
    """A short path through all melodies.

    For at most `MAX_EXACT` of them it is the shortest (Held & Karp 1962). For more it is
    the best that is found by going to the nearest one left, from every possible start,
    and then turning parts of the path round for as long as that makes it shorter
    (2-opt); nothing is promised of that. Equal distances give equal orders.

    Args:
      distances: [K, K], symmetric, finite and not negative, for example between latents.
      first: the melody to begin with; by default the one that makes the path shortest.
      loop: whether the way from the last back to the first counts too.

    Returns:
      [K] the melodies' indices in the order to be played.

    Raises:
      ValueError: the distances are not as described, or there is no such melody.
    """
    distances = np.asarray(distances, np.float64)
    if distances.ndim != 2 or len(set(distances.shape)) != 1 or not distances.size:
        raise ValueError(f"distances must be [K, K], got shape {distances.shape}")
    if not np.isfinite(distances).all() or distances.min() < 0:
        raise ValueError("distances must be finite and not negative")
    if not np.allclose(distances, distances.T):
        raise ValueError("distances must be symmetric")
    count = len(distances)
    if first is not None and not 0 <= first < count:
        raise ValueError(f"first must be one of 0..{count - 1}, got {first}")
    if loop and first is None:
        first = 0  # a loop may begin anywhere
    # The way to begin with each melody, and the way from each as the last one to the end.
    begin = np.zeros(count)
    if first is not None:
        begin = np.where(np.arange(count) == first, 0.0, np.inf)
    end = distances[:, first] if loop else np.zeros(count)
    solve = _shortest if count <= MAX_EXACT else _short
    return solve(distances, begin, end)


def _shortest(distances: np.ndarray, begin: np.ndarray, end: np.ndarray) -> list[int]:
    count = len(distances)
    # length[subset, last]: of the shortest path through a subset that ends with `last`.
    length = np.full((2**count, count), np.inf)
    before = np.zeros((2**count, count), np.int64)
    length[2 ** np.arange(count), np.arange(count)] = begin
    for subset in range(1, 2**count):
        ways = length[subset][:, None] + distances
        best = ways.min(axis=0)
        for last in range(count):
            larger = subset | 1 << last
            if larger != subset and best[last] < length[larger, last]:
                length[larger, last] = best[last]
                before[larger, last] = ways[:, last].argmin()
    subset = 2**count - 1
    order = [int((length[subset] + end).argmin())]
    while len(order) < count:
        last = order[-1]
        order.append(int(before[subset, last]))
        subset ^= 1 << last
    return order[::-1]


def _short(distances: np.ndarray, begin: np.ndarray, end: np.ndarray) -> list[int]:
    starts = np.flatnonzero(np.isfinite(begin))
    orders = [
        _turn_parts(_nearest(distances, start), distances, begin, end) for start in starts.tolist()
    ]
    lengths = [path_length(distances, order) + end[order[-1]] for order in orders]
    return orders[int(np.argmin(lengths))].tolist()


def path_length(distances: np.ndarray, order: np.ndarray) -> float:
    """The way through all melodies in an order, without the way back."""
    return float(distances[order[:-1], order[1:]].sum())


def _nearest(distances: np.ndarray, start: int) -> np.ndarray:
    left = np.ones(len(distances), bool)
    order = [start]
    left[start] = False
    while left.any():
        order.append(int(np.where(left, distances[order[-1]], np.inf).argmin()))
        left[order[-1]] = False
    return np.array(order)


def _turn_parts(
    order: np.ndarray, distances: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> np.ndarray:
    """Reverses the part whose reversal saves most, until none does."""
    while True:
        # What lies before and after each place, the two ends included.
        into = np.vstack([begin[order], distances[order[:-1]][:, order]])  # [place, melody]
        out = np.vstack([distances[order[1:]][:, order], end[order]])
        place = np.arange(len(order))
        now = into[place, place][:, None] + out[place, place][None, :]
        then = into + out.T
        saved = np.where(place[:, None] < place[None, :], now - then, 0.0)
        first, last = np.unravel_index(saved.argmax(), saved.shape)
        if saved[first, last] <= 1e-9 * max(1.0, distances.max()):
            return order
        order = np.concatenate([order[:first], order[first : last + 1][::-1], order[last + 1 :]])
