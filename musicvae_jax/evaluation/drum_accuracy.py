"""How well drum patterns come back from a model, from tokens alone.

As in `accuracy`, `sampled` is decoded freely from the posterior mean, and `teacher_forced` is at
each step the likeliest set of pieces, given the true ones before it. For each way, over all
windows of all performances:

  set_accuracy         share of steps whose set of pieces is right, silence among them
  later_set_accuracy   the same of the bars after the first, which what repeats the first is given
  struck_set_accuracy  the same of the steps at which something is struck in truth
  hit_f1               twice the hits that are right, piece by piece, over the true and the
                       decoded ones together; `hit_f1_KICK` and so on of one piece
  groove_similarity    share of steps at which both strike something or neither does
"""

from collections.abc import Mapping

import numpy as np

from musicvae_jax.evaluation import intervals as evaluation_intervals
from musicvae_jax.evaluation.intervals import Ratio
from musicvae_jax.music.drum_codec import token_hits
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drums import STEPS_PER_BAR

# What a pattern is compared with that knows nothing but its own first bar.
FIRST_BAR = "first_bar"


def first_bar_repeated(truth: np.ndarray) -> np.ndarray:
    """The first bar of each window, again and again: [windows, steps] of such."""
    bars = truth.shape[1] // STEPS_PER_BAR
    return np.tile(truth[:, :STEPS_PER_BAR], (1, bars))


def ratios(truth: np.ndarray, decoded: np.ndarray) -> dict[str, Ratio]:
    """The metrics by window.

    Args:
      truth, decoded: [windows, steps] int, of `DrumCodec`.
    """
    windows, steps = truth.shape
    right, struck = truth == decoded, truth != 0
    all_steps = np.full(windows, steps)
    later = right[:, STEPS_PER_BAR:]
    own, other = token_hits(truth), token_hits(decoded)
    common = (own & other).sum(axis=1)
    both = own.sum(axis=1) + other.sum(axis=1)
    by_piece = {
        f"hit_f1_{name.replace(' ', '_')}": Ratio(2 * common[:, piece], both[:, piece])
        for piece, name in enumerate(PIECES)
    }
    return {
        "set_accuracy": Ratio(right.sum(axis=1), all_steps),
        "later_set_accuracy": Ratio(later.sum(axis=1), np.full(windows, later.shape[1])),
        "struck_set_accuracy": Ratio((right & struck).sum(axis=1), struck.sum(axis=1)),
        "hit_f1": Ratio(2 * common.sum(axis=1), both.sum(axis=1)),
        "groove_similarity": Ratio((struck == (decoded != 0)).sum(axis=1), all_steps),
        **by_piece,
    }


def headline(
    truth: np.ndarray, ways: Mapping[str, np.ndarray], songs: np.ndarray
) -> dict[str, float | list[float]]:
    """The value of each metric of each way, `WAY_METRIC`, and `WAY_METRIC_ci95` over songs.

    Args:
      truth: [windows, steps] int, of `DrumCodec`.
      ways: decoded windows of the same shape, by name.
      songs: [windows], what tells performances apart.
    """
    named = {
        f"{way}_{name}": ratio
        for way, decoded in ways.items()
        for name, ratio in ratios(truth, decoded).items()
    }
    values: dict[str, float | list[float]] = {name: r.value for name, r in named.items()}
    intervals = evaluation_intervals.intervals_95(named, songs)
    return values | {f"{name}_ci95": interval for name, interval in intervals.items()}
