"""What `evaluate` prints."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from musicvae_jax.held_out import Measured

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


def _with_interval(headline: Mapping[str, Any], name: str) -> str:
    value, interval = headline[name], headline.get(f"{name}_ci95")
    of = "" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    return (f"{value:,d}" if isinstance(value, int) else f"{value:,.4f}") + of


def _reconstruction_lines(headline: Mapping[str, Any]) -> list[str]:
    """A table of the accuracies of each way, then the other figures."""
    lines = ["  " + " " * 32 + "".join(f"{way:>26s}" for way in _WAYS.values())]
    names = set()
    for metric, meaning in _METRICS.items():
        columns = [f"{way}_{metric}" for way in _WAYS]
        names.update(columns)
        cells = "".join(f"{_with_interval(headline, name):>26s}" for name in columns)
        lines.append(f"  {meaning:32s}{cells}")
    others = [n for n in headline if n not in names and not n.endswith("_ci95")]
    return lines + [f"  {name:36s}{_with_interval(headline, name)}" for name in others]


def lines(measured: Measured) -> list[str]:
    """Everything, for people."""
    return _reconstruction_lines(measured.headline)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return [_rounded(v) for v in value] if isinstance(value, Sequence) else value


def as_json_line(headline: Mapping[str, Any]) -> str:
    """Figures and intervals as one line of JSON."""
    return json.dumps({name: _rounded(value) for name, value in headline.items()})
