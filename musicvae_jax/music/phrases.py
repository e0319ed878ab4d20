"""Where music can be left or entered: the bar lines at which a phrase is likely to end."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from musicvae_jax.music.drum_kit import CRASH
from musicvae_jax.music.drums import STEPS_PER_BAR, Drums
from musicvae_jax.music.melody import Melody

# In tunes of one's own and of the world, phrases have four or eight bars more often than others.
_BARS, _MORE_BARS = 4, 8
# A note, with the rest after it, that lasts at least so many times as long as most do.
_LONG = 2.0
_MOST_LONG = 4.0
# What a crash on a bar line counts, and a fill before it.
_CRASH, _FILL = 2.0, 2.0


@dataclasses.dataclass(frozen=True)
class Place:
    """A bar line of a melody or of drums.

    Attributes:
      bar: how many bars stand before it.
      points: how likely a phrase ends there, for comparing places of one melody.
      reasons: why, for people.
    """

    bar: int
    points: float
    reasons: tuple[str, ...]


def places(music: Melody | Drums) -> list[Place]:
    """All bar lines of a melody or of drums, from the beginning to the end.

    A bar that is the fourth or the eighth counts one point or two. Of a melody, a long last note
    or a rest counts by how many times longer than the median it is, from twice up to four times,
    and a note that is held over the bar line takes two. Of drums, a crash on the bar line counts
    two, and so does a fill before it: a bar that is less like the usual one than most are.

    Args:
      music: of any length of at least a bar.
    """
    found = []
    for bar, (points, reasons) in enumerate(_SIGNS[type(music)](music)):
        if bar in (0, music.num_bars):
            points, reasons = _MOST_LONG, ["the beginning" if bar == 0 else "the end"]
        points += sum(1 for count in (_BARS, _MORE_BARS) if bar % count == 0)
        if bar % _BARS == 0 and bar:
            reasons = [*reasons, f"{bar} bars"]
        found.append(Place(bar, points, tuple(reasons)))
    return found


def _signs_of_melody(melody: Melody) -> list[tuple[float, list[str]]]:
    """The points of each bar line of a melody by its notes, and why."""
    starts = [*melody.start.tolist(), melody.num_bars * melody.grid.steps_per_bar]
    lengths = np.diff(starts)
    median = float(np.median(lengths)) if lengths.size else 0.0
    return [_last_note(melody, bar, lengths, median) for bar in range(melody.num_bars + 1)]


def _last_note(
    melody: Melody, bar: int, lengths: np.ndarray, median: float
) -> tuple[float, list[str]]:
    line = bar * melody.grid.steps_per_bar
    last = int(np.searchsorted(melody.start, line)) - 1
    if last < 0:
        return 0.0, []
    end = int(melody.end[last])
    ratio = float(lengths[last]) / median if median else 0.0
    if end > line:
        return -2.0, ["a note is held over it"]
    if ratio < _LONG or int(melody.start[last]) < line - 2 * melody.grid.steps_per_bar:
        return 0.0, []
    is_rest = int(melody.start[last]) + int(lengths[last]) > end
    return min(ratio, _MOST_LONG), ["a rest" if is_rest else "a long note"]


def _signs_of_drums(drums: Drums) -> list[tuple[float, list[str]]]:
    """The points of each bar line of drums by the hits on it and before it, and why."""
    bars = drums.grids()[0].astype(bool)
    bars = np.pad(bars, ((0, drums.num_bars * STEPS_PER_BAR - len(bars)), (0, 0)))
    bars = bars.reshape(drums.num_bars, STEPS_PER_BAR, -1)
    usual = bars.mean(axis=0) >= 0.5
    common = (bars & usual).sum(axis=(1, 2))
    both = bars.sum(axis=(1, 2)) + usual.sum()
    unlike = 1 - 2 * common / np.maximum(both, 1)
    is_fill = unlike > unlike.mean() + unlike.std()
    signs: list[tuple[float, list[str]]] = []
    for bar in range(drums.num_bars + 1):
        has_crash = bar < drums.num_bars and bars[bar, 0, CRASH]
        has_fill = bar > 0 and is_fill[bar - 1]
        reasons = ["a crash"] * bool(has_crash) + ["a fill"] * bool(has_fill)
        signs.append((_CRASH * bool(has_crash) + _FILL * bool(has_fill), reasons))
    return signs


# What speaks for each bar line, by the kind of music.
_SIGNS: dict[type, Callable[[Any], list[tuple[float, list[str]]]]] = {
    Melody: _signs_of_melody,
    Drums: _signs_of_drums,
}


def leaving(music: Melody | Drums, most: int, fewest_bars: int) -> list[Place]:
    """The likeliest places to leave a melody or drums, its end among them, the best first.

    Args:
      music: a melody or drums.
      most: how many places at most.
      fewest_bars: how many bars stand before each, if it has so many.
    """
    found = [place for place in places(music) if place.bar >= min(fewest_bars, music.num_bars)]
    return _best(found, music.num_bars, most, later=True)


def entering(music: Melody | Drums, most: int, fewest_bars: int) -> list[Place]:
    """The likeliest places to enter a melody or drums, its beginning among them, the best first.

    Args:
      music, most: as of `leaving`.
      fewest_bars: how many bars stand after each, if it has so many.
    """
    latest = music.num_bars - min(fewest_bars, music.num_bars)
    found = [place for place in places(music) if place.bar <= latest]
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
