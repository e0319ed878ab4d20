"""The table that `evaluate` prints."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from musicvae_jax.evaluation import styles
from musicvae_jax.evaluation.measure import Measured
from musicvae_jax.evaluation.samples import REAL, SAMPLES, YARDSTICK, Comparison

_WAYS = {
    "sampled": "sampled",
    "teacher_forced": "teacher-forced",
    "teacher_forced_from_mean": "from the mean",
}
_METRICS = {
    "accuracy": "tokens that are right",
    "sounding_accuracy": "steps that sound right",
    "onset_accuracy": "true onsets: that note begins",
    "onset_timing_accuracy": "  any note begins",
    "onset_pitch_class_accuracy": "  of the right pitch class",
    "onset_octave_accuracy": "  at most an octave away",
    "onset_f1": "onsets, F1",
}
_NEW_MELODIES = {
    "ngram_nll": "9-gram cost, nats a token",
    "ngram_nll_best_key": "  in the key of least cost",
    "classifier_area": "told from other real ones: area",
    "nearest_train_mean": "equal tokens of nearest training",
    "nearest_train_max": "  of the nearest of all",
    "run_bars_mean": "longest run of bars of training",
    "run_bars_max": "  of all",
}


def _with_interval(headline: Mapping[str, Any], name: str) -> str:
    value, interval = headline[name], headline.get(f"{name}_ci95")
    of = "" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    return (f"{value:,d}" if isinstance(value, int) else f"{value:,.4f}") + of


def _ways_lines(headline: Mapping[str, Any]) -> list[str]:
    lines = ["  " + " " * 32 + "".join(f"{way:>26s}" for way in _WAYS.values())]
    for metric, meaning in _METRICS.items():
        cells = "".join(f"{_with_interval(headline, f'{way}_{metric}'):>26s}" for way in _WAYS)
        lines.append(f"  {meaning:32s}{cells}")
    return lines


def _figure_lines(headline: Mapping[str, Any]) -> list[str]:
    """The figures that are in no other table."""
    shown = {f"{way}_{metric}" for way in _WAYS for metric in _METRICS}
    others = [
        name
        for name in headline
        if name not in shown
        and not name.endswith("_ci95")
        and not name.startswith((f"{SAMPLES}_", f"{REAL}_"))
    ]
    return [f"  {name:52s}{_with_interval(headline, name)}" for name in others]


def _statistics_lines(samples: Comparison) -> list[str]:
    """How far samples, and training windows, are from the test split."""
    lines = [f"  {'distance to the test split':32s}{'samples':>26s}{'training windows':>26s}"]
    distances = samples.distances()
    for name in distances[SAMPLES]:
        cells = [distances[crowd][name] for crowd in (SAMPLES, YARDSTICK)]
        texts = [f"{c['overlap']:.3f}, KL {c['kl_nats']:.4f}" for c in cells]
        lines.append(f"  {'overlap, ' + name:32s}" + "".join(f"{text:>26s}" for text in texts))
    return lines


def _crowd_lines(headline: Mapping[str, Any]) -> list[str]:
    """What samples are like, and what the test split is like."""
    lines = [f"  {'new melodies, and real ones':32s}{'samples':>26s}{'test split':>26s}"]
    lags = [name for name in headline if re.fullmatch(rf"{SAMPLES}_similarity_lag_\d+", name)]
    names = {
        f"similarity_lag_{n}": "steps that sound as a bar ago" if n == 1 else f"  as {n} bars ago"
        for n in range(1, len(lags) + 1)
    }
    for name, meaning in (names | _NEW_MELODIES).items():
        if f"{SAMPLES}_{name}" in headline:
            cells = [_with_interval(headline, f"{crowd}_{name}") for crowd in (SAMPLES, REAL)]
            lines.append(f"  {meaning:32s}" + "".join(f"{cell:>26s}" for cell in cells))
    return lines


def lines(measured: Measured) -> list[str]:
    """Everything, for people."""
    how = measured.details["prior_samples"]
    return [
        "reconstruction [95 % interval over songs]",
        *_ways_lines(measured.headline),
        *_figure_lines(measured.headline),
        f"{how['count']} samples at temperature {how['temperature']:g}, prior {how['prior']}",
        *_statistics_lines(measured.samples),
        *_crowd_lines(measured.headline),
        "by source: right tokens, and true notes that come back, decoded freely [95 % interval]",
        *styles.lines(measured.styles),
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return [_rounded(v) for v in value] if isinstance(value, Sequence) else value


def as_json_line(headline: Mapping[str, Any]) -> str:
    """Figures and intervals as one line of JSON."""
    return json.dumps({name: _rounded(value) for name, value in headline.items()})
