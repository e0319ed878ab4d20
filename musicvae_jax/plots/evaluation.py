"""The picture of an evaluation: where reconstruction fails, and what samples are like."""

from collections.abc import Mapping, Sequence

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from musicvae_jax.evaluation.measure import Measured
from musicvae_jax.evaluation.samples import REAL, SAMPLES, YARDSTICK, Comparison
from musicvae_jax.evaluation.statistics import MAX_LAG, share_histogram, shares
from musicvae_jax.music.colors import BLUE, ORANGE, PURPLE, VERMILION
from musicvae_jax.plots.picture import Picture

_SOFT, _GRID = "#777777", "#E2E2E2"
_LABELS = {
    REAL: ("test split", _SOFT),
    SAMPLES: ("samples", BLUE),
    YARDSTICK: ("training windows", ORANGE),
}
_WAYS = {
    "teacher_forced_accuracy": ("teacher-forced, tokens", VERMILION),
    "sampled_accuracy": ("sampled, tokens", BLUE),
    "sampled_sounding_accuracy": ("sampled, what sounds", PURPLE),
}
# Degrees of the scale by their semitones from the tonic.
_DEGREES = ("1", "♭2", "2", "♭3", "3", "4", "♯4", "5", "♭6", "6", "♭7", "7")


def _prepare(axes: Axes, title: str, xlabel: str) -> None:
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_xlabel(xlabel, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(axis="y", color=_GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _draw_accuracies(axes: Axes, by_metric: Mapping[str, Sequence[float]]) -> None:
    for name, (label, color) in _WAYS.items():
        values = by_metric[name]
        axes.plot(range(1, len(values) + 1), values, "o-", markersize=3, label=label, color=color)
    axes.set_xticks(range(1, len(values) + 1))


def _draw_shares(
    axes: Axes, crowds: Mapping[str, np.ndarray], labels: Sequence[str] | None = None
) -> None:
    """Bars beside each other: of each crowd, the share of each value from 0 up."""
    width = 0.8 / len(crowds)
    size = max(len(counts) for counts in crowds.values())
    for number, (crowd, counts) in enumerate(crowds.items()):
        label, color = _LABELS[crowd]
        places = np.arange(len(counts)) + (number - (len(crowds) - 1) / 2) * width
        axes.bar(places, shares(counts), width, label=label, color=color)
    axes.set_xticks(range(size), labels or [str(value) for value in range(size)])
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))


def _draw_distribution(axes: Axes, crowds: Mapping[str, np.ndarray]) -> None:
    """Outlines of histograms of numbers from 0 to 1, as far as there are any."""
    last = 0.0
    for crowd, values in crowds.items():
        label, color = _LABELS[crowd]
        counts = share_histogram(values)
        edges = np.linspace(0, 1, len(counts) + 1)
        axes.stairs(shares(counts), edges, label=label, color=color, linewidth=1.5)
        last = max(last, edges[np.flatnonzero(counts)[-1] + 1])
    axes.set_xlim(0, last)
    axes.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))


def _draw_self_similarity(axes: Axes, samples: Comparison) -> None:
    """Means, and as bands their 95 % intervals over songs where they are known."""
    for crowd, statistics in samples.statistics.items():
        label, color = _LABELS[crowd]
        means = statistics.self_similarity.mean(axis=0)
        lags = np.arange(len(means)) + 1
        style = "o--" if crowd == YARDSTICK else "o-"
        axes.plot(lags, means, style, markersize=3, label=label, color=color)
        figures = samples.figures.get(crowd, {})
        intervals = [figures.get(f"similarity_lag_{lag}_ci95") for lag in lags]
        if intervals and None not in intervals:
            low, high = np.array(intervals).T
            axes.fill_between(lags, low, high, alpha=0.2, linewidth=0, color=color)
    axes.set_xticks(range(1, MAX_LAG + 1))
    axes.set_ylim(0, None)


def _draw_samples(panels: Mapping[str, Axes], samples: Comparison) -> None:
    crowds, copies = samples.statistics, samples.copies
    _draw_shares(panels["pitch"], {n: s.pitch_class for n, s in crowds.items()}, _DEGREES)
    longest = len(crowds[REAL].note_length)
    lengths = [*map(str, range(1, longest)), "more"]
    _draw_shares(panels["length"], {n: s.note_length for n, s in crowds.items()}, lengths)
    _draw_distribution(panels["unique"], {n: s.unique_note_rate for n, s in crowds.items()})
    _draw_self_similarity(panels["lag"], samples)
    _draw_distribution(panels["nearest"], {n: c.nearest for n, c in copies.items()})
    _draw_shares(panels["run"], {n: np.bincount(c.run_bars) for n, c in copies.items()})


def evaluation_figure(measured: Measured, title: str) -> Figure:
    """Draws accuracies by position, and prior samples beside real melodies."""
    texts = {
        "step": ("accuracy within the bar", "step"),
        "bar": ("accuracy along the melody", "bar"),
        "pitch": ("pitch classes, by sounding time", "degree above the tonic of the key found"),
        "length": ("note lengths", "steps"),
        "unique": ("different pitches over notes", "of a melody"),
        "lag": ("steps that sound as some bars before", "bars before"),
        "nearest": ("share of tokens of the nearest training window", "of a melody, transposed"),
        "run": ("longest run of bars that training data hold", "bars, transposed"),
    }
    figure = Picture(figsize=(11.0, 12.0), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = figure.subplots(4, 2)
    panels = dict(zip(texts, grid.flat, strict=True))
    for name, axes in panels.items():
        _prepare(axes, *texts[name])
    positions = measured.details["reconstruction"]
    _draw_accuracies(panels["step"], positions["by_step_of_bar"])
    _draw_accuracies(panels["bar"], positions["by_bar"])
    low = min(panels[name].get_ylim()[0] for name in ("step", "bar"))
    for name in ("step", "bar"):
        panels[name].set_ylim(low, 1)
    _draw_samples(panels, measured.samples)
    for name, axes in panels.items():
        if name != "step":  # as in its neighbour, and there it hides nothing
            axes.legend(fontsize=8, frameon=False)
    return figure
