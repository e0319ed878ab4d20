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
# A longer piece is drawn around its bridges alone, with so many bars before and after them.
_MOST_BARS, _BARS_AROUND = 48, 8


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
    bars = range(max(pattern.num_bars for pattern in drums.values()))
    figure, rows = _figure(len(bars), len(drums))
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

    Of a long piece the bars around its bridges are drawn, those of each bridge below the last.

    Args:
      piece: what is drawn.
      values: for each bridge, lines by their names: [bars] float in 0..1 each.
      title: above the picture.
    """
    views = _views(piece)
    per_view = 1 + bool(values)
    figure, rows = _figure(max(map(len, views)), per_view * len(views))
    for number, bars in enumerate(views):
        axes, *below = rows[per_view * number : per_view * (number + 1)]
        _draw_sections(axes, piece, bars)
        if below:
            _draw_values(below[0], piece, values, bars)
        _label_bars((below or [axes])[0], bars)
    if title:
        figure.suptitle(title, fontsize=10)
    return figure


def _views(piece: DrumPiece) -> list[range]:
    """The bars that are drawn beside each other: all of them, or those around each bridge."""
    bridges = [section for section in piece.sections if section.is_bridge]
    if piece.num_bars <= _MOST_BARS or not bridges:
        return [range(piece.num_bars)]
    ends = [(each.start_bar, each.start_bar + each.drums.num_bars) for each in bridges]
    return [
        range(max(first - _BARS_AROUND, 0), min(last + _BARS_AROUND, piece.num_bars))
        for first, last in ends
    ]


def _draw_sections(axes: Axes, piece: DrumPiece, bars: range) -> None:
    for number, section in enumerate(piece.sections):
        last = section.start_bar + section.drums.num_bars
        if not (section.start_bar < bars.stop and bars.start < last):
            continue
        color = VERMILION if section.is_bridge else (BLUE, GREEN)[number // 2 % 2]
        _draw(axes, section.drums, color, bars, section.start_bar)
        label = ": ".join(text for text in (section.origin, section.title) if text)
        place = (max(section.start_bar, bars.start), len(PIECES) - 0.4)
        axes.text(*place, label, fontsize=8, color=color, clip_on=False)


def _draw_values(
    axes: Axes, piece: DrumPiece, values: Sequence[Mapping[str, np.ndarray]], bars: range
) -> None:
    bridges = [section for section in piece.sections if section.is_bridge]
    for section, lines in zip(bridges, values, strict=True):
        middle = section.start_bar + 0.5 + np.arange(section.drums.num_bars)
        for (name, line), style in zip(lines.items(), ("-", "--", ":", "-."), strict=False):
            axes.plot(middle, line, style, color=VERMILION, label=name, marker=".")
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlim(bars.start, bars.stop)
    names = list(values[0])
    handles = axes.get_legend_handles_labels()[0][: len(names)]
    axes.legend(handles, names, fontsize=8, frameon=False)


def _figure(bars: int, count: int) -> tuple[Figure, list[Axes]]:
    width = min(max(1.2 + _IN_PER_BAR * bars, _LEAST_WIDTH_IN), _MOST_WIDTH_IN)
    size = (width, 0.6 + _HEIGHT_IN * count)
    figure = Picture(figsize=size, dpi=110, layout="constrained")
    return figure, list(figure.subplots(count, squeeze=False)[:, 0])


def _draw(axes: Axes, drums: Drums, color: str, bars: range, start_bar: int = 0) -> None:
    place = start_bar + (drums.step + drums.offset) / STEPS_PER_BAR
    side = min(1.0, (_MOST_WIDTH_IN - 1.2) / (_IN_PER_BAR * len(bars))) * _LARGEST
    sizes = (side * (0.25 + 0.75 * drums.velocity / 127.0)) ** 2
    axes.scatter(place, drums.piece, s=sizes, c=color, marker="s", linewidths=0, zorder=3)
    axes.set_ylim(-0.6, len(PIECES) - 0.4)
    axes.set_yticks(range(len(PIECES)), PIECES, fontsize=8)
    axes.set_xlim(bars.start, bars.stop)
    axes.set_xticks(bars)
    axes.set_xticklabels([])
    beats = np.arange(len(bars) * STEPS_PER_BAR // STEPS_PER_QUARTER) / STEPS_PER_QUARTER
    axes.set_xticks(bars.start + beats, minor=True)
    axes.grid(axis="x", which="major", color=GREY, linewidth=0.8)
    axes.grid(axis="both", which="both", color=GREY, linewidth=0.25)
    axes.set_axisbelow(True)


def _label_bars(axes: Axes, bars: range) -> None:
    told = bars[:: -(-len(bars) // _MOST_BARS)]
    axes.set_xticks(told, [str(bar + 1) for bar in told], fontsize=8)
    axes.set_xlabel("bar", fontsize=8)
