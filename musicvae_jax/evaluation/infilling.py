"""How well hidden bars in the middle of real melodies are guessed.

Of a melody, the bars before and after a gap are shown, and some means fills the gap. What it
writes is compared with what stood there, which is one of many good answers; so the best of
several candidates is given as well as their mean: that one whose hidden bars have most tokens
right. Where tunes repeat themselves, copying is the right answer, and no music is needed to
give it; so bars that repeat a shown one are counted apart from those that are new.

  tokens    share of tokens of the hidden bars that are right
  onsets    share of their notes that begin at their step with their pitch
  rhythm    share of steps at which a note begins, ends, or neither, as it should
  sounding  share of steps at which the right pitch sounds, or silence
"""

from collections.abc import Callable

import jax
import numpy as np

from musicvae_jax.evaluation import intervals as evaluation_intervals
from musicvae_jax.evaluation.intervals import Ratio
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import FIRST_ONSET, sounding_pitch

HIDDEN = -1  # in place of a token
ALL, REPEATING, NEW = "all", "repeating", "new"

# What fills hidden bars: tokens [windows, steps] int32 of `MelodyCodec`, with `HIDDEN` where
# they are not known, and a key of all its random numbers, give [windows, steps]. What it says
# of shown bars is not read.
Method = Callable[[np.ndarray, jax.Array], np.ndarray]

# By kind of bar, then by `mean` and `best` of the candidates: metrics and `METRIC_ci95`.
Figures = dict[str, dict[str, dict[str, float | list[float]]]]


def hide(
    tokens: np.ndarray, first_bar: int, bars: int, steps_per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """Hides bars of melodies [windows, steps]: [windows, steps] int32."""
    hidden = tokens.astype(np.int32)
    hidden[:, first_bar * steps_per_bar : (first_bar + bars) * steps_per_bar] = HIDDEN
    return hidden


def copy_bars(tokens: np.ndarray, lag: int, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """Fills hidden bars with the shown bars `lag` bars before them, or else as far after.

    Args:
      tokens: [windows, steps] int, hidden in the same bars of all windows.
      lag: negative for bars after them, or else as far before.
      steps_per_bar: of the melodies.

    Raises:
      ValueError: a bar has neither.
    """
    bars = tokens.reshape(len(tokens), -1, steps_per_bar)
    is_shown = (bars != HIDDEN).all(axis=(0, 2))
    result = bars.copy()
    for bar in np.flatnonzero(~is_shown):
        places = [p for p in (bar - lag, bar + lag) if 0 <= p < len(is_shown) and is_shown[p]]
        if not places:
            raise ValueError(f"bar {bar}: nothing is shown {abs(lag)} bars before it or after it")
        result[:, bar] = bars[:, places[0]]
    return result.reshape(tokens.shape)


def fill(tokens: np.ndarray, method: Method, key: jax.Array, candidates: int) -> np.ndarray:
    """Several candidates, shown bars as they were: [candidates, windows, steps] int."""
    keys = [jax.random.fold_in(key, number) for number in range(candidates)]
    return np.stack([np.where(tokens == HIDDEN, method(tokens, of), tokens) for of in keys])


def repeats(
    truth: np.ndarray, is_hidden: np.ndarray, steps_per_bar: int = STEPS_PER_BAR
) -> np.ndarray:
    """Whether each hidden bar, heard alone, is the same as one that is shown.

    Args:
      truth: [windows, steps] int.
      is_hidden: [bars] bool.
      steps_per_bar: of the melodies.

    Returns:
      [windows, hidden bars] bool.
    """
    by_bar = (len(truth), -1, steps_per_bar)
    pitch, onset = sounding_pitch(truth), truth >= FIRST_ONSET
    # A note that is held into a bar is struck at its beginning.
    heard = np.concatenate(
        [pitch.reshape(by_bar), onset.reshape(by_bar)[..., 1:]], axis=2, dtype=np.int16
    )
    hidden, shown = heard[:, is_hidden], heard[:, ~is_hidden]
    return (hidden[:, :, None] == shown[:, None]).all(axis=3).any(axis=2)


def _kind_of_event(tokens: np.ndarray) -> np.ndarray:
    return np.minimum(tokens, FIRST_ONSET)


def _right(truth: np.ndarray, filled: np.ndarray) -> dict[str, np.ndarray]:
    """Which steps are right by metric, [windows, steps] bool of a candidate [windows, steps]."""
    return {
        "tokens": truth == filled,
        "onsets": (truth == filled) & (truth >= FIRST_ONSET),
        "rhythm": _kind_of_event(truth) == _kind_of_event(filled),
        "sounding": sounding_pitch(truth) == sounding_pitch(filled),
    }


def _counted(
    truth: np.ndarray, filled: np.ndarray, is_hidden: np.ndarray, steps_per_bar: int
) -> dict[str, np.ndarray]:
    """Right steps of each hidden bar by metric: [candidates, windows, hidden bars]."""
    by_bar = (len(truth), -1, steps_per_bar)
    counts = [
        {
            name: right.reshape(by_bar)[:, is_hidden].sum(axis=2)
            for name, right in _right(truth, candidate).items()
        }
        for candidate in filled
    ]
    return {name: np.stack([count[name] for count in counts]) for name in counts[0]}


def figures(
    truth: np.ndarray,
    filled: np.ndarray,
    is_hidden: np.ndarray,
    songs: np.ndarray,
    steps_per_bar: int = STEPS_PER_BAR,
) -> Figures:
    """How much of hidden bars is right.

    Args:
      truth: [windows, steps] int, of `MelodyCodec`.
      filled: [candidates, windows, steps] int.
      is_hidden: [bars] bool.
      songs: [windows], what tells songs apart.
      steps_per_bar: of the melodies.

    Returns:
      The metrics of all bars (`ALL`), `REPEATING` and `NEW` ones, with intervals over songs if
      there is more than one; and as `share` the share of `bars` of that kind.
    """
    right = _counted(truth, filled, is_hidden, steps_per_bar)
    onsets = (truth >= FIRST_ONSET).reshape(len(truth), -1, steps_per_bar)[:, is_hidden].sum(axis=2)
    whole = {name: np.full(onsets.shape, steps_per_bar) for name in right} | {"onsets": onsets}
    best = right["tokens"].sum(axis=2).argmax(axis=0)
    windows = np.arange(len(truth))
    of_bars = {
        "mean": {name: count.mean(axis=0) for name, count in right.items()},
        "best": {name: count[best, windows] for name, count in right.items()},
    }
    is_repeat = repeats(truth, is_hidden, steps_per_bar)
    kinds = {ALL: np.ones_like(is_repeat), REPEATING: is_repeat, NEW: ~is_repeat}
    ratios = {
        (kind, of, name): Ratio((count * chosen).sum(axis=1), (whole[name] * chosen).sum(axis=1))
        for kind, chosen in kinds.items()
        for of, counts in of_bars.items()
        for name, count in counts.items()
    }
    found = evaluation_intervals.intervals_95(ratios, songs)
    result: Figures = {
        kind: {"share": {"bars": float(chosen.mean())}, "mean": {}, "best": {}}
        for kind, chosen in kinds.items()
    }
    for (kind, of, name), ratio in ratios.items():
        result[kind][of][name] = ratio.value
        if found:
            result[kind][of][f"{name}_ci95"] = found[kind, of, name]
    return result
