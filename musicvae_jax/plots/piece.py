"""The picture of a piece: its notes and, below them, how its bridges proceed bar by bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from musicvae_jax.music.colors import MELODY_COLORS, melody_color, mix
from musicvae_jax.music.grid import SIXTEENTHS, Grid
from musicvae_jax.music.piece import Piece, Section
from musicvae_jax.plots import lines
from musicvae_jax.plots.bar_values import BarValues
from musicvae_jax.plots.notes import bars_at, note_boxes
from musicvae_jax.plots.picture import Picture

_INK, _SOFT, _GRID, _SHADE, _PALE = "#333333", "#777777", "#E2E2E2", "#F3F3F3", "#C8C8C8"
_IN_PER_BAR, _MIN_MUSIC_IN, _MAX_MUSIC_IN = 0.28, 9.0, 48.0
_LEFT_IN, _RIGHT_IN = 0.75, 1.45  # for the pitches, and for the legends
_CHARACTER_IN = 0.075  # of a label, about
_GAP_STEPS = 0.5  # between a note and the same one struck again


def piece_figure(
    piece: Piece,
    values: Sequence[BarValues | None] | None = None,
    title: str = "",
    beside: tuple[np.ndarray, np.ndarray] | None = None,
) -> Figure:
    """Draws a piece: the notes of all sections, and below them the values of each bar.

    Each melody has its own colour; the notes of a bridge go from the colour of the
    melody before it to that of the melody after it. A bridge alone is drawn as a bridge
    from melody 1 to melody 2.

    Args:
      piece: what to draw.
      values: for each section the values of its bars, or None.
      title: above the picture.
      beside: all notes of the whole songs, drawn pale behind the line: of pitched
        instruments, and of drums as marks at the foot; see `Medley.notes_in_bars`.

    Raises:
      ValueError: `values` and the sections differ in number.
    """
    values = values or [None] * len(piece.sections)
    parts = list(zip(piece.sections, [v or BarValues() for v in values], strict=True))
    rows: list[tuple[Callable, float]] = [(_draw_notes, 2.7)]
    if _any(parts, "t_latent", "t_control"):
        rows.append((_draw_t, 0.75))
    if _any(parts, "similarity_1", "similarity_2"):
        rows.append((_draw_similarity, 1.0))
    if _any(parts, "nll"):
        rows.append((_draw_nll, 0.9))
    heights = [height for _, height in rows]
    limits = _limits(piece, beside)
    bars = limits[1] - limits[0]
    music_in = float(np.clip(bars * _IN_PER_BAR, _MIN_MUSIC_IN, _MAX_MUSIC_IN))
    width = music_in + _LEFT_IN + (_RIGHT_IN if len(rows) > 1 else 0.25)
    top, gap, bottom = 0.85 if title else 0.6, 0.18, 0.5
    height = top + sum(heights) + gap * (len(rows) - 1) + bottom
    figure = Picture(figsize=(width, height), dpi=120)
    # Fixed margins, so that the same piece has the same axes whatever is known of it.
    from_top = top
    for index, (draw, row_in) in enumerate(rows):
        below = height - from_top - row_in
        axes = figure.add_axes(
            (_LEFT_IN / width, below / height, music_in / width, row_in / height)
        )
        from_top += row_in + gap
        _set_up(axes, piece, limits, is_last=index == len(rows) - 1)
        draw(axes, piece, parts)
        if index == 0:
            sections = [(s.melody.grid, s.start_bar, s.melody.num_bars) for s in piece.sections]
            lines.draw_beats(axes, sections, music_in / bars)
            if beside is not None:
                _draw_beside(axes, *beside)
            _label_sections(axes, piece, music_in / bars, row_in)
    if title:
        figure.text(_LEFT_IN / width, 1 - 0.2 / height, title, fontsize=11, color=_INK, va="center")
    return figure


def _limits(piece: Piece, beside: tuple[np.ndarray, np.ndarray] | None) -> tuple[int, int]:
    """The bars that are shown, from 0 and up to the second; all in which there are notes."""
    notes = np.concatenate(beside) if beside is not None else np.zeros((0, 3))
    first = np.floor(notes[:, 1].min(initial=0.0) + 1e-3)
    last = np.ceil(notes[:, 2].max(initial=0.0) - 1e-3)
    return int(first), max(int(last), piece.num_bars)


def _any(parts: Sequence[tuple[Section, BarValues]], *names: str) -> bool:
    return any(getattr(values, name) is not None for _, values in parts for name in names)


def _colors(piece: Piece) -> list[tuple[str, str]]:
    """For each section the colours of the melodies before and after; a melody's own twice."""
    return [(melody_color(before), melody_color(after)) for before, after in piece.neighbours()]


def _set_up(axes: Axes, piece: Piece, limits: tuple[int, int], is_last: bool) -> None:
    bars = piece.num_bars
    axes.set_xlim(*limits)
    every = 1 if bars <= 24 else 4 if bars <= 160 else 8
    ticks = np.arange(0, bars, every)
    axes.set_xticks(ticks, ticks + 1 if is_last else [""] * len(ticks))
    axes.set_xticks(np.arange(bars), minor=True)
    axes.grid(axis="x", which="major", color=_GRID, linewidth=0.8)
    if bars <= 64:
        axes.grid(axis="x", which="minor", color=_GRID, linewidth=0.4)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelsize=8, labelcolor=_SOFT)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    for section in piece.sections:
        if section.is_bridge:
            end = section.start_bar + section.melody.num_bars
            axes.axvspan(section.start_bar, end, color=_SHADE, linewidth=0, zorder=0)
        if section.start_bar:
            axes.axvline(section.start_bar, color=_SOFT, linewidth=0.8, zorder=1)
    if is_last:
        axes.set_xlabel("bar", fontsize=9, color=_SOFT)


def _draw_notes(axes: Axes, piece: Piece, parts: Sequence[tuple[Section, BarValues]]) -> None:
    for (section, values), ends in zip(parts, _colors(piece), strict=True):
        melody = section.melody
        bar = melody.start // melody.grid.steps_per_bar
        t = values.t(section)[bar] if section.is_bridge else np.zeros(len(bar))
        again = (melody.pitch[1:] == melody.pitch[:-1]) & (melody.start[1:] == melody.end[:-1])
        gap = _GAP_STEPS * np.append(again, False)[: len(bar)]
        left = section.start_bar + bars_at(melody, melody.start)
        right = section.start_bar + bars_at(melody, melody.end - gap)
        notes = note_boxes(melody.pitch, left, right, facecolors=mix(ends, t), zorder=2)
        axes.add_collection(notes, autolim=False)
    pitch = np.concatenate([section.melody.pitch for section, _ in parts])
    lowest, highest = (int(pitch.min()), int(pitch.max())) if pitch.size else (60, 72)
    low, high = min(lowest, highest - 11) - 1.5, max(highest, lowest + 11) + 1.5
    axes.set_ylim(low, high)
    named = [p for p in range(128) if p % 12 in (0, 7) and low < p < high]
    axes.set_yticks(named, [f"{'C' if p % 12 == 0 else 'G'}{p // 12 - 1}" for p in named])
    for p in named:
        axes.axhline(p, color=_GRID, linewidth=0.8 if p % 12 == 0 else 0.4, zorder=1)
    axes.set_ylabel("pitch", fontsize=9, color=_SOFT)


def _draw_beside(axes: Axes, pitched: np.ndarray, drums: np.ndarray) -> None:
    """Notes behind those of the line, and a mark for each stroke of a drum below them."""
    boxes = note_boxes(*pitched.T, facecolors=_PALE, zorder=1.5)
    axes.add_collection(boxes, autolim=False)
    low, high = axes.get_ylim()
    low = min(low, pitched[:, 0].min(initial=low + 1.5) - 1.5)
    high = max(high, pitched[:, 0].max(initial=high - 1.5) + 1.5)
    if len(drums):
        axes.vlines(drums[:, 1], low - 3.0, low - 1.0, color=_SOFT, linewidth=0.4, zorder=1.5)
        low -= 3.5
    axes.set_ylim(low, high)


def _label_sections(axes: Axes, piece: Piece, in_per_bar: float, row_in: float) -> None:
    """A coloured line above each section, its name, and below it what fits."""
    above = axes.get_xaxis_transform()  # bars across, shares of the height up
    for index, (section, ends) in enumerate(zip(piece.sections, _colors(piece), strict=True)):
        start, bars = section.start_bar, section.melody.num_bars
        line_at = 1 + 0.06 / row_in
        total = section.bars_before + bars + section.bars_after
        way = (section.bars_before / total, 1 - section.bars_after / total)
        shades = np.linspace(*way, 24) if section.is_bridge else np.zeros(1)
        edges = np.linspace(start, start + bars, len(shades) + 1)
        axes.bar(
            edges[:-1],
            height=0.06 / row_in,
            width=np.diff(edges),
            bottom=line_at,
            align="edge",
            color=mix(ends, shades),
            transform=above,
            clip_on=False,
        )
        room = int(bars * in_per_bar / _CHARACTER_IN)
        tempo = _tempo_words(piece, index)
        meter = _meter_words(section.melody.grid) if not _is_usual(piece) else ""
        tempo = " · ".join(part for part in (meter, tempo) if part)
        key = "" if section.bars_before else section.key
        details = " · ".join(part for part in (section.title, key, tempo) if part)
        shorter = " · ".join(part for part in (key, tempo) if part)
        fitting = [text for text in (details, shorter, tempo) if len(text) <= room]
        name = "" if section.bars_before else section.origin
        texts = ((0.36, name, 9, _INK), (0.18, fitting[0] if fitting else "", 8, _SOFT))
        for up_in, text, size, color in texts:
            if len(text) <= room:
                place = (start + 0.03 / in_per_bar, 1 + up_in / row_in)
                axes.text(*place, text, fontsize=size, color=color, transform=above)


def _is_usual(piece: Piece) -> bool:
    """Whether all of it is in sixteenths in 4/4."""
    return all(section.melody.grid == SIXTEENTHS for section in piece.sections)


def _meter_words(grid: Grid) -> str:
    return f"{grid.meter} triplets" if grid.is_triplet else grid.meter


def _tempo_words(piece: Piece, index: int) -> str:
    section = piece.sections[index]
    if section.bars_before or section.bars_after:
        return ""  # each part counts other quarter notes
    if not section.is_bridge or len(piece.sections) == 1:
        return f"{section.melody.tempo_bpm:.4g} bpm"
    before = piece.sections[index - 1].melody.tempo_bpm
    after = piece.sections[(index + 1) % len(piece.sections)].melody.tempo_bpm
    return f"{before:.4g} to {after:.4g} bpm" if before != after else f"{before:.4g} bpm"


def _plot(axes: Axes, section: Section, values: np.ndarray | None, **style: Any) -> None:
    if values is not None:
        middle = section.start_bar + 0.5 + np.arange(len(values))
        if len(values) == 1:  # no line goes through one point
            style = {"marker": "o", "markersize": 3} | style
        axes.plot(middle, values, zorder=3, **style)


def _share_axis(axes: Axes, label: str) -> None:
    axes.set_ylim(-0.08, 1.08)
    axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    axes.set_ylabel(label, fontsize=9, color=_SOFT)


def _legend(axes: Axes, entries: Sequence[tuple[str, dict]]) -> None:
    axes.legend(
        handles=[Line2D([], [], label=label, **style) for label, style in entries],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=8,
        labelcolor=_INK,
        handlelength=1.6,
    )


def _draw_t(axes: Axes, piece: Piece, parts: Sequence[tuple[Section, BarValues]]) -> None:
    latent = {"color": _INK, "linewidth": 1.4}
    control = {"color": _SOFT, "linewidth": 1.4, "linestyle": (0, (2, 1.2))}
    for section, values in parts:
        _plot(axes, section, values.t_latent, **latent)
        _plot(axes, section, values.t_control, **control)
    _share_axis(axes, "t")
    entries = (("latent", latent, "t_latent"), ("control", control, "t_control"))
    _legend(axes, [(label, style) for label, style, name in entries if _any(parts, name)])


def _draw_similarity(axes: Axes, piece: Piece, parts: Sequence[tuple[Section, BarValues]]) -> None:
    styles = [
        {"marker": "o", "markersize": 3, "linewidth": 1.2},
        {"marker": "s", "markersize": 3, "linewidth": 1.2},
    ]
    for (section, values), ends in zip(parts, _colors(piece), strict=True):
        _plot(axes, section, values.similarity_1, color=ends[0], **styles[0])
        _plot(axes, section, values.similarity_2, color=ends[1], **styles[1])
    _share_axis(axes, "similarity")
    if sum(section.is_bridge and not section.bars_before for section, _ in parts) == 1:
        labels, colors = ("to melody 1", "to melody 2"), MELODY_COLORS[:2]
    else:
        labels, colors = ("to the one before", "to the one after"), (_SOFT, _SOFT)
    named = zip(labels, styles, colors, strict=True)
    _legend(axes, [(label, style | {"color": color}) for label, style, color in named])


def _draw_nll(axes: Axes, piece: Piece, parts: Sequence[tuple[Section, BarValues]]) -> None:
    highest = 0.0
    for section, values in parts:
        if values.nll is None:
            continue
        nll = np.asarray(values.nll, np.float64)
        edges = section.start_bar + np.arange(len(nll) + 1)
        axes.stairs(nll, edges, fill=True, color="#C9CED6", zorder=2)
        axes.stairs(nll, edges, baseline=None, color=_INK, linewidth=1.0, zorder=3)
        highest = max(highest, float(np.nanmax(nll, initial=0.0)))
    axes.set_ylim(0, 1.1 * highest or 1.0)
    axes.locator_params(axis="y", nbins=3)
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    axes.set_ylabel("NLL", fontsize=9, color=_SOFT)
    axes.text(
        1.012, 0.5, "nats a token", fontsize=8, color=_INK, transform=axes.transAxes, va="center"
    )
