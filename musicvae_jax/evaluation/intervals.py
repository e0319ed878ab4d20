"""How certain a figure is when the windows that were measured belong to songs.

Windows of one song overlap, and are no independent measurements. So songs are drawn with
replacement, each with all of its windows (the cluster bootstrap: Davison & Hinkley 1997,
"Bootstrap Methods and their Application", section 3.8), and the interval holds the
middle 95 % of what they give.
"""

from collections.abc import Hashable, Mapping
from typing import NamedTuple, TypeVar

import numpy as np

RESAMPLES = 2000
Name = TypeVar("Name", bound=Hashable)


class Ratio(NamedTuple):
    """A figure that is a sum over windows divided by another.

    Attributes:
      part, whole: [windows].
    """

    part: np.ndarray
    whole: np.ndarray

    @property
    def value(self) -> float:
        return _divide(self.part.sum(), self.whole.sum()).item()


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """0 of 0 counts as 0: where there are no notes, none is right."""
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=np.asarray(whole) != 0)


def resample(ratios: Mapping[Name, Ratio], songs: np.ndarray) -> dict[Name, np.ndarray]:
    """Each ratio of each draw of songs.

    The draws depend on the number of songs alone, so that those of two models on the
    same windows belong together, and their differences are paired.

    Args:
      ratios: by name.
      songs: [windows], what tells songs apart.

    Returns:
      [RESAMPLES] float64, by name.
    """
    _, song = np.unique(songs, return_inverse=True)
    count = int(song.max()) + 1
    sums = np.stack(
        [[np.bincount(song, np.asarray(side, float), count) for side in r] for r in ratios.values()]
    )  # [ratios, 2, songs]
    rng = np.random.default_rng(0)
    drawn = np.empty((RESAMPLES, *sums.shape[:2]))
    for row in drawn:
        row[:] = sums @ np.bincount(rng.integers(count, size=count), minlength=count)
    values = _divide(drawn[..., 0], drawn[..., 1])
    return dict(zip(ratios, values.T, strict=True))


def interval_95(values: np.ndarray) -> list[float]:
    """The middle 95 % of resampled values: [low, high]."""
    return np.quantile(values, [0.025, 0.975]).tolist()


def intervals_95(ratios: Mapping[Name, Ratio], songs: np.ndarray) -> dict[Name, list[float]]:
    """`interval_95` of each ratio; nothing of a single song, which says nothing of others."""
    if not ratios or len(np.unique(songs)) < 2:
        return {}
    return {name: interval_95(values) for name, values in resample(ratios, songs).items()}
