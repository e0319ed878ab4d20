"""Where a melody can be left or entered: the bar lines at which a phrase is likely to end."""

import dataclasses

import numpy as np

from musicvae_jax.music.melody import Melody

# In tunes of one's own and of the world, phrases have four or eight bars more often than others.
_BARS, _MORE_BARS = 4, 8
# A note, with the rest after it, that lasts at least so many times as long as most do.
_LONG = 2.0
_MOST_LONG = 4.0


@dataclasses.dataclass(frozen=True)
class Place:
    """A bar line of a melody.

    Attributes:
      bar: how many bars stand before it.
      points: how likely a phrase ends there, for comparing places of one melody.
      reasons: why, for people.
    """

    bar: int
    points: float
    reasons: tuple[str, ...]


def places(melody: Melody) -> list[Place]:
    """All bar lines of a melody, from its beginning to its end.

    A long last note or a rest counts by how many times longer than the median it is, from
    twice up to four times; a bar that is the fourth or the eighth counts one point or two; a
    note that is held over the bar line takes two.

    Args:
      melody: of any length of at least a bar.
    """
    starts = [*melody.start.tolist(), melody.num_bars * melody.grid.steps_per_bar]
    lengths = np.diff(starts)
    median = float(np.median(lengths)) if lengths.size else 0.0
    return [_place(melody, bar, lengths, median) for bar in range(melody.num_bars + 1)]


def _place(melody: Melody, bar: int, lengths: np.ndarray, median: float) -> Place:
    line = bar * melody.grid.steps_per_bar
    points, reasons = 0.0, []
    if bar in (0, melody.num_bars):
        points, reasons = points + _MOST_LONG, ["the beginning" if bar == 0 else "the end"]
    last = int(np.searchsorted(melody.start, line)) - 1
    if 0 < bar < melody.num_bars and last >= 0:
        end = int(melody.end[last])
        ratio = float(lengths[last]) / median if median else 0.0
        if end > line:
            points, reasons = points - 2, ["a note is held over it"]
        elif ratio >= _LONG and int(melody.start[last]) >= line - 2 * melody.grid.steps_per_bar:
            points += min(ratio, _MOST_LONG)
            is_rest = int(melody.start[last]) + int(lengths[last]) > end
            reasons.append("a rest" if is_rest else "a long note")
    for count in (_BARS, _MORE_BARS):
        if bar % count == 0:
            points += 1
    if bar % _BARS == 0 and bar:
        reasons.append(f"{bar} bars")
    return Place(bar, points, tuple(reasons))


def leaving(melody: Melody, most: int, fewest_bars: int) -> list[Place]:
    """The likeliest places to leave a melody, its end among them, the best first.

    Args:
      melody: the melody.
      most: how many places at most.
      fewest_bars: how many bars stand before each, if the melody has so many.
    """
    found = [place for place in places(melody) if place.bar >= min(fewest_bars, melody.num_bars)]
    return _best(found, melody.num_bars, most, later=True)


def entering(melody: Melody, most: int, fewest_bars: int) -> list[Place]:
    """The likeliest places to enter a melody, its beginning among them, the best first.

    Args:
      melody, most: as of `leaving`.
      fewest_bars: how many bars stand after each, if the melody has so many.
    """
    latest = melody.num_bars - min(fewest_bars, melody.num_bars)
    found = [place for place in places(melody) if place.bar <= latest]
    return _best(found, 0, most, later=False)


def _best(found: list[Place], always: int, most: int, *, later: bool) -> list[Place]:
    """Of equal places those that keep more of the melody come first.

    A place that is a bar away from a better one is left out: it is another reading of the
    same end.
    """
    ranked = sorted(found, key=lambda p: (p.bar != always, -p.points, -p.bar if later else p.bar))
    kept: list[Place] = []
    for place in ranked:
        if len(kept) < most and all(abs(place.bar - other.bar) > 1 for other in kept):
            kept.append(place)
    return sorted(kept, key=lambda p: (-p.points, -p.bar if later else p.bar))
