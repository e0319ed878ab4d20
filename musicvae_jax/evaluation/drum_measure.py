"""Measures a model of drums on performances that it has not seen."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from musicvae_jax.evaluation import baselines, drum_accuracy, drum_samples, reconstruction
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.evaluation.measure import Data
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.training import validation

_WAYS = {
    "sampled": "sampled",
    "teacher_forced": "teacher-forced",
    drum_accuracy.FIRST_BAR: "first bar repeated",
}
_METRICS = {
    "set_accuracy": "steps whose set of pieces is right",
    "later_set_accuracy": "  of those after the first bar",
    "struck_set_accuracy": "  of those at which one is struck",
    "hit_f1": "hits, F1",
    "groove_similarity": "steps struck, or not, as in truth",
}


@dataclasses.dataclass(frozen=True)
class MeasuredDrums:
    """How good a model of drums is.

    Attributes:
      headline: the figures, and `FIGURE_ci95` [low, high] of some.
      reconstruction: the tokens of the test split that came back.
      styles: as of melodies; there is one source, and so none.
    """

    headline: dict[str, Any]
    reconstruction: DecodedWindows
    styles: dict[str, Any] = dataclasses.field(default_factory=dict)


def measure(
    model: MelodyModel,
    data: Data,
    *,
    seed: int = 0,
    num_samples: int = 512,
    temperature: float = 0.7,
) -> MeasuredDrums:
    """Measures a model on the test split; the arguments are those of `measure.measure`."""
    test = data.splits["test"]
    made = reconstruction.reconstruct(model, test.tokens, data.songs, seed)
    truth = test.tokens
    ways = {
        "sampled": made.tokens.sampled,
        "teacher_forced": made.forced_from_mean,
        drum_accuracy.FIRST_BAR: drum_accuracy.first_bar_repeated(truth),
    }
    headline: dict[str, Any] = drum_accuracy.headline(truth, ways, data.songs)
    nll = made.tokens.nll
    assert nll is not None
    headline |= {
        "nll_per_token": float(nll.mean(dtype=np.float64)),
        "kl_bits": float(made.kl_bits.mean()),
        "active_units": validation.active_units(made.mu),
    }
    counted = baselines.baselines(model.checkpoint.config, data.splits["train"], test)
    headline |= {f"{name}_nll_per_token": value for name, value in counted.items()}
    headline |= {"windows": len(test), "songs": len(np.unique(data.songs))}
    patterns = model.generate(num_samples, seed=seed, temperature=temperature)
    samples = np.stack([model.codec.encode(drums) for drums in patterns])
    train = data.splits["train"].tokens
    headline |= drum_samples.compare(samples, train, truth, data.songs, seed)
    return MeasuredDrums(headline, made.tokens)


def lines(headline: Mapping[str, Any]) -> list[str]:
    """The table that `evaluate` prints."""
    result = ["  " + " " * 36 + "".join(f"{way:>26s}" for way in _WAYS.values())]
    for metric, meaning in _METRICS.items():
        cells = "".join(f"{_cell(headline, f'{way}_{metric}'):>26s}" for way in _WAYS)
        result.append(f"  {meaning:36s}{cells}")
    for name in headline:
        piece = name.removeprefix("sampled_hit_f1_")
        if piece != name and not name.endswith("_ci95"):
            cells = "".join(f"{_cell(headline, f'{way}_hit_f1_{piece}'):>26s}" for way in _WAYS)
            result.append(f"  {'hits, F1: ' + piece.replace('_', ' '):36s}{cells}")
    shown = ("nll_per_token", "unigram_nll_per_token", "bigram_nll_per_token", "kl_bits")
    result += [f"  {name:36s}{_cell(headline, name):>26s}" for name in shown]
    result.append("  " + " " * 36 + f"{'new patterns':>26s}{'real ones':>26s}")
    for name in headline:
        key = name.removeprefix(f"{drum_samples.SAMPLES}_")
        if key != name and not name.endswith("_ci95"):
            cells = "".join(
                f"{_cell(headline, f'{crowd}_{key}'):>26s}"
                for crowd in (drum_samples.SAMPLES, drum_samples.REAL)
            )
            result.append(f"  {key.replace('_', ' '):36s}{cells}")
    return result


def _cell(headline: Mapping[str, Any], name: str) -> str:
    if name not in headline:
        return ""
    value, interval = headline[name], headline.get(f"{name}_ci95")
    of = "" if interval is None else f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    return (f"{value:,d}" if isinstance(value, int) else f"{value:,.4f}") + of
