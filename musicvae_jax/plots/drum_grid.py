"""Drums as a grid: a row for each piece of the kit, a mark for each hit."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musicvae_jax.music.colors import BLUE, GREEN, GREY, VERMILION
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drum_piece import DrumPiece
from musicvae_jax.music.drums import STEPS_PER_BAR, STEPS_PER_QUARTER, Drums
from musicvae_jax.plots.picture import Picture

_IN_PER_BAR, _LEAST_WIDTH_IN, _MOST_WIDTH_IN, _HEIGHT_IN = 0.9, 6.0, 24.0, 2.1
# The side of a mark in points, at the hardest hit; it grows with velocity.
_LARGEST = 4.4


def drums_figure(drums: Mapping[str, Drums]) -> Figure:
    """Draws patterns below each other, over common bars.

    A mark is the larger the harder the hit, and stands as far off its step as it was played.

    Args:
      drums: the patterns by their titles; at least one.

    Raises:
      ValueError: there is none.
    """
    if not drums:
        raise ValueError("there are no drums to draw")
    bars = max(pattern.num_bars for pattern in drums.values())
    figure, rows = _figure(bars, len(drums))
    for number, (axes, (title, pattern)) in enumerate(zip(rows, drums.items(), strict=True)):
        _draw(axes, pattern, (BLUE, GREEN)[number % 2], bars)
        axes.set_title(title, loc="left", fontsize=9)
    _label_bars(rows[-1], bars)
    return figure


def drum_piece_figure(
    piece: DrumPiece,
    values: Sequence[Mapping[str, np.ndarray]] = (),
    title: str = "",
) -> Figure:
    """Draws a piece of drums, its bridges in another colour.

    Args:
      piece: what is drawn.
      values: for each bridge, lines by their names: [bars] float in 0..1 each.
      title: above the picture.
    """
    figure, rows = _figure(piece.num_bars, 1 + bool(values))
    axes = rows[0]
    bridges = [section for section in piece.sections if section.is_bridge]
    for number, section in enumerate(piece.sections):
        color = VERMILION if section.is_bridge else (BLUE, GREEN)[number // 2 % 2]
        _draw(axes, section.drums, color, piece.num_bars, section.start_bar)
        label = ": ".join(text for text in (section.origin, section.title) if text)
        axes.text(section.start_bar, len(PIECES) - 0.4, label, fontsize=8, color=color)
    for section, lines in zip(bridges, values, strict=bool(values)):
        middle = section.start_bar + 0.5 + np.arange(section.drums.num_bars)
        for (name, line), style in zip(lines.items(), ("-", "--", ":", "-."), strict=False):
            rows[1].plot(middle, line, style, color=VERMILION, label=name, marker=".")
    if values:
        rows[1].set_ylim(-0.05, 1.05)
        rows[1].set_xlim(0, piece.num_bars)
        names = list(values[0])
        handles = rows[1].get_legend_handles_labels()[0][: len(names)]
        rows[1].legend(handles, names, fontsize=8, frameon=False)
    _label_bars(rows[-1], piece.num_bars)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _figure(bars: int, count: int) -> tuple[Figure, list[Axes]]:
    width = min(max(1.2 + _IN_PER_BAR * bars, _LEAST_WIDTH_IN), _MOST_WIDTH_IN)
    size = (width, 0.6 + _HEIGHT_IN * count)
    figure = Picture(figsize=size, dpi=110, layout="constrained")
    return figure, list(figure.subplots(count, squeeze=False)[:, 0])


def _draw(axes: Axes, drums: Drums, color: str, bars: int, start_bar: int = 0) -> None:
    place = start_bar + (drums.step + drums.offset) / STEPS_PER_BAR
    side = min(1.0, (_MOST_WIDTH_IN - 1.2) / (_IN_PER_BAR * bars)) * _LARGEST
    sizes = (side * (0.25 + 0.75 * drums.velocity / 127.0)) ** 2
    axes.scatter(place, drums.piece, s=sizes, c=color, marker="s", linewidths=0, zorder=3)
    axes.set_ylim(-0.6, len(PIECES) - 0.4)
    axes.set_yticks(range(len(PIECES)), PIECES, fontsize=8)
    axes.set_xlim(0, bars)
    axes.set_xticks(range(bars))
    axes.set_xticklabels([])
    beats = np.arange(bars * STEPS_PER_BAR // STEPS_PER_QUARTER) / STEPS_PER_QUARTER
    axes.set_xticks(beats, minor=True)
    axes.grid(axis="x", which="major", color=GREY, linewidth=0.8)
    axes.grid(axis="both", which="both", color=GREY, linewidth=0.25)
    axes.set_axisbelow(True)


def _label_bars(axes: Axes, bars: int) -> None:
    axes.set_xticks(range(bars), [str(bar + 1) for bar in range(bars)], fontsize=8)
    axes.set_xlabel("bar", fontsize=8)
