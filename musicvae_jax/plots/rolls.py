"""Piano rolls and histograms, in colours that colour-blind people can tell apart."""

from collections.abc import Mapping, Sequence

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musicvae_jax.midi.extraction import Extraction
from musicvae_jax.music.colors import BLUE, GREEN, GREY, VERMILION
from musicvae_jax.music.keys import key_name
from musicvae_jax.music.melody import Melody
from musicvae_jax.plots import lines
from musicvae_jax.plots.notes import bars_at, note_boxes
from musicvae_jax.plots.picture import Picture

_WIDTH_IN, _ROLL_HEIGHT_IN = 11.0, 1.6
_MAX_TRACKS = 12
_MAX_BAR_LINES = 200  # more would cover the notes


def _draw_roll(axes: Axes, melody: Melody, color: str, title: str, bars: int) -> None:
    """Draws one melody; `bars` will be shown."""
    notes = note_boxes(
        melody.pitch,
        bars_at(melody, melody.start),
        bars_at(melody, melody.end),
        facecolors=color,
        edgecolors="white",
        linewidths=0.4 if melody.num_bars <= 32 else 0.0,  # edges would hide short notes
    )
    axes.add_collection(notes)
    axes.autoscale_view()
    lines.draw_beats(axes, [(melody.grid, 0, melody.num_bars)], _WIDTH_IN / max(bars, 1))
    axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_xlim(0, max(melody.num_bars, 1))
    axes.set_xticks(range(melody.num_bars))
    axes.set_xticklabels([])
    axes.grid(axis="x", color=GREY, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_ylabel("MIDI pitch", fontsize=8)
    axes.tick_params(labelsize=8)


def _rows(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of `count` axes below each other."""
    size = (_WIDTH_IN, 0.6 + _ROLL_HEIGHT_IN * count)
    figure = Picture(figsize=size, dpi=110, layout="constrained")
    return figure, list(figure.subplots(count, squeeze=False)[:, 0])


def _share_pitch_range(axes: Sequence[Axes], melodies: Sequence[Melody]) -> None:
    pitches = np.concatenate([melody.pitch for melody in melodies])
    if pitches.size:
        for axis in axes:
            axis.set_ylim(pitches.min() - 2, pitches.max() + 2)


def melodies_figure(melodies: Mapping[str, Melody]) -> Figure:
    """Draws melodies below each other, over common axes.

    Args:
      melodies: the melodies by their titles; at least one.

    Raises:
      ValueError: there is no melody.
    """
    if not melodies:
        raise ValueError("there is no melody to draw")
    figure, axes = _rows(len(melodies))
    bars = max(melody.num_bars for melody in melodies.values())
    for index, (axis, (title, melody)) in enumerate(zip(axes, melodies.items(), strict=True)):
        _draw_roll(axis, melody, (BLUE, GREEN)[index % 2], title, bars)
    _share_pitch_range(axes, list(melodies.values()))
    for axis in axes:
        axis.set_xlim(0, bars)
    axes[-1].set_xticks(range(bars), [str(bar + 1) for bar in range(bars)])
    axes[-1].set_xlabel("bar", fontsize=8)
    return figure


def statistics_figure(statistics: Mapping[str, np.ndarray], title: str) -> Figure:
    """Draws the histograms of `datasets.statistics.corpus_statistics`."""
    figure = Picture(figsize=(_WIDTH_IN, 6), dpi=110, layout="constrained")
    grid = figure.subplots(2, 2)
    figure.suptitle(title, fontsize=10)
    pitch = statistics["pitch"]
    used = np.flatnonzero(pitch)
    low, high = (used[0], used[-1] + 1) if used.size else (60, 61)
    names = [key_name(index % 12, index >= 12).replace("or", "") for index in range(24)]
    panels = (
        ("onsets by MIDI pitch", np.arange(low, high), pitch[low:high], None),
        ("bars by notes that begin in them", None, statistics["onsets_per_bar"], None),
        ("windows by key", None, statistics["key"], names),
        ("notes by length in steps (last: longer)", None, statistics["note_steps"], None),
    )
    for axes, (name, positions, counts, labels) in zip(grid.flat, panels, strict=True):
        positions = np.arange(len(counts)) if positions is None else positions
        axes.bar(positions, counts, color=BLUE)
        axes.set_title(name, loc="left", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        if labels:
            axes.set_xticks(positions, labels, rotation=90)
    return figure


def tracks_figure(title: str, extraction: Extraction) -> Figure:
    """Draws the tracks of a song, the chosen one in colour, and the melody taken from it.

    Raises:
      ValueError: the song has no track.
    """
    if not extraction.tracks:
        raise ValueError("there is no track to draw")
    reports = [r for r in extraction.tracks if r.decision == "taken" or not r.track.is_drum]
    reports = (reports or list(extraction.tracks))[:_MAX_TRACKS]
    melody = extraction.melody
    bar = extraction.span.grids[0].quarters_per_bar if extraction.span else 4.0
    if melody is not None:
        bar = melody.grid.quarters_per_bar
    figure, axes = _rows(len(reports) + (melody is not None))
    figure.suptitle(title, fontsize=10)
    for axis, report in zip(axes, reports, strict=False):
        track = report.track
        color = VERMILION if report.decision == "taken" else GREY
        boxes = note_boxes(track.pitch, track.start / bar, track.end / bar, facecolors=color)
        axis.add_collection(boxes)
        axis.autoscale_view()
        axis.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
        if extraction.span:
            first, stop = extraction.span.start / bar, extraction.span.end / bar
            axis.axvspan(first, stop, color=BLUE, alpha=0.06)
            if stop - first < _MAX_BAR_LINES:
                lines.draw(axis, np.arange(first, stop), colors=GREY, linewidths=0.3, zorder=2)
        label = f"{track.name or '(no name)'}, program {track.program}: {report.decision}"
        axis.set_title(label, loc="left", fontsize=9)
        axis.tick_params(labelsize=8)
    last = max(float(report.track.end.max()) for report in reports) / bar
    for axis in axes[: len(reports)]:
        axis.set_xlim(0, last)
    meter = melody.grid.meter if melody is not None else "4/4"
    words = f"bars of {meter} from the beginning of the file"
    axes[len(reports) - 1].set_xlabel(words, fontsize=8)
    if melody is not None:
        words = f"the melody: {melody.num_bars} bars of {melody.grid.meter}"
        _draw_roll(axes[-1], melody, BLUE, words, melody.num_bars)
        ticks = np.arange(0, melody.num_bars, max(1, melody.num_bars // 16))
        axes[-1].set_xticks(ticks, ticks + 1)
        axes[-1].set_xlabel("bar", fontsize=8)
    return figure
