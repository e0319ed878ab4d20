"""Measures a model on songs that it has not seen."""

import dataclasses
from typing import Any

import ml_collections
import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.datasets.melodies.melodies_dataset_builder import Builder
from musicvae_jax.evaluation import accuracy, baselines, likelihood, reconstruction, styles
from musicvae_jax.evaluation import intervals as evaluation_intervals
from musicvae_jax.evaluation import samples as evaluation_samples
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.evaluation.styles import Style
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import losses
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import validation

SPLITS = ("train", "validation", "test")
PRIOR_SAMPLES = 512
# Windows of each source of other music.
STYLE_WINDOWS = 1_000
# Windows for the bound, which decodes each of them once for each sample; and the numbers of
# samples for which it is given.
BOUND_WINDOWS, BOUND_SAMPLES = 256, (1, 5, 50)


@dataclasses.dataclass(frozen=True)
class Data:
    """A data set in memory.

    Attributes:
      name: with its version.
      splits: `train`, `validation` and `test`.
      songs: [test windows], the song of each.
    """

    name: str
    splits: dict[str, Split]
    songs: np.ndarray

    def facts(self) -> dict[str, Any]:
        """Which data these are, for JSON."""
        return {
            "name": self.name,
            "windows": {name: len(split) for name, split in self.splits.items()},
            "sha256": {name: split.sha256() for name, split in self.splits.items()},
        }


@dataclasses.dataclass(frozen=True)
class Measured:
    """How good a model is.

    Attributes:
      headline: the figures, and `FIGURE_ci95` [low, high] of some.
      details: by subject, what takes more than a number.
      styles: how well each source comes back.
      reconstruction: the tokens of the test split that came back, both ways from the posterior
        means.
      samples: melodies from the prior beside real ones.
    """

    headline: dict[str, float | list[float]]
    details: dict[str, Any]
    styles: dict[str, Style]
    reconstruction: DecodedWindows
    samples: evaluation_samples.Comparison


def load_data(config: ml_collections.ConfigDict) -> Data:
    """Reads the data set of a configuration, or builds it.

    Raises:
      UserError: it cannot be built, or its test split is empty.
    """
    builder = input_pipeline.build_dataset(config)
    splits = {name: input_pipeline.load_split(builder, name) for name in SPLITS}
    if len(splits["test"]) == 0:
        raise UserError("the test split has no windows: the data set has too few songs")
    return Data(builder.info.full_name, splits, input_pipeline.load_songs(builder, "test"))


def _forced_from_mean(tokens: DecodedWindows) -> dict[str, float | list[float]]:
    """`teacher_forced_from_mean_accuracy` and so on: the likeliest of the latents given."""
    forced = accuracy.headline(tokens)
    return {
        name.replace("teacher_forced", "teacher_forced_from_mean"): value
        for name, value in forced.items()
        if name.startswith("teacher_forced")
    }


def _importance_weighted(
    model: MelodyModel, data: Data, seed: int
) -> tuple[dict[str, float | list[float]], dict[str, Any]]:
    """The bound of most samples, in nats a token; and all of them, in nats a melody."""
    chosen = input_pipeline.spread(len(data.songs), BOUND_WINDOWS)
    truth = data.splits["test"].tokens[chosen]
    priors = likelihood.priors_of(model)
    by_prior = likelihood.log_weights(model, truth, BOUND_SAMPLES[-1], seed, priors)
    steps = np.full(truth.shape[0], truth.shape[1])
    ratios, details = {}, {"windows": len(truth), "nats_per_melody": {}}
    for prior, logs in by_prior.items():
        bounds = {k: likelihood.nll_bound(logs, k) for k in BOUND_SAMPLES}
        details["nats_per_melody"][prior] = {str(k): float(b.mean()) for k, b in bounds.items()}
        name = f"importance_weighted_nll_per_token_{prior}"
        ratios[name] = evaluation_intervals.Ratio(bounds[BOUND_SAMPLES[-1]], steps)
    intervals = evaluation_intervals.intervals_95(ratios, data.songs[chosen])
    headline = {name: ratio.value for name, ratio in ratios.items()}
    return headline | {f"{name}_ci95": value for name, value in intervals.items()}, details


def _prior_of(model: MelodyModel) -> str:
    """What new melodies are drawn from, in words."""
    if model.composer is not None:
        return "over bars"
    return "standard normal" if model.prior is None else "fitted to the training latents"


def _prior_samples(
    model: MelodyModel, data: Data, seed: int, count: int, temperature: float
) -> tuple[evaluation_samples.Comparison, dict[str, Any]]:
    """Samples compared with the data, and how they were drawn."""
    how = {
        "count": count,
        "temperature": temperature,
        "seed": seed,
        "prior": _prior_of(model),
    }
    tokens = evaluation_samples.draw(model, how["count"], how["seed"], how["temperature"])
    train, test = (data.splits[name].tokens for name in ("train", "test"))
    per_bar = model.model.steps_per_bar
    return evaluation_samples.compare(tokens, train, test, data.songs, seed, per_bar), how


def measure(
    model: MelodyModel,
    data: Data,
    *,
    seed: int = 0,
    num_samples: int = PRIOR_SAMPLES,
    temperature: float = 0.7,
) -> Measured:
    """Measures a model on the test split.

    Args:
      model: of the data's number of bars.
      data: the split, and the training data that it is compared with.
      seed: of all random numbers.
      num_samples: how many melodies to draw from the prior.
      temperature: at which these are decoded.
    """
    test = data.splits["test"]
    made = reconstruction.reconstruct(model, test.tokens, data.songs, seed)
    from_mean = dataclasses.replace(made.tokens, teacher_forced=made.forced_from_mean)
    headline = accuracy.headline(made.tokens) | _forced_from_mean(from_mean)
    kl_nats = float(made.kl_bits.mean()) * losses.LN_2
    headline |= {
        "kl_bits": float(made.kl_bits.mean()),
        "loss": headline["nll_per_token"] * test.tokens.shape[1] + kl_nats,
        "active_units": validation.active_units(made.mu),
    }
    nll = baselines.baselines(model.checkpoint.config, data.splits["train"], test)
    headline |= {f"{name}_nll_per_token": value for name, value in nll.items()}
    headline |= {"windows": len(test), "songs": len(np.unique(data.songs))}
    bounds, of_bounds = _importance_weighted(model, data, seed)
    samples, of_samples = _prior_samples(model, data, seed, num_samples, temperature)
    details = {
        "reconstruction": {
            **accuracy.by_position(made.tokens),
            "ceilings": accuracy.ceilings(made.tokens),
        },
        "importance_weighted": of_bounds,
        "prior_samples": of_samples | samples.details(),
    }
    headline |= bounds | samples.headline()
    by_source = styles.by_source(made.tokens, test.source, test.sources)
    return Measured(headline, details, by_source, from_mean, samples)


def measure_styles(
    model: MelodyModel, builder: Builder, seed: int = 0
) -> tuple[dict[str, Style], DecodedWindows]:
    """Measures a model on music that has no part in its training: all windows, whatever split.

    Args:
      model: of the data's number of bars.
      builder: the data set; at most `STYLE_WINDOWS` of each source are taken, evenly spread.
      seed: of all random numbers.

    Returns:
      The style of each source, and what came back.
    """
    splits = [input_pipeline.load_split(builder, name) for name in SPLITS]
    songs = np.concatenate([input_pipeline.load_songs(builder, name) for name in SPLITS])
    tokens, source = (
        np.concatenate([getattr(split, name) for split in splits]) for name in ("tokens", "source")
    )
    chosen = np.concatenate(
        [
            own[input_pipeline.spread(len(own), STYLE_WINDOWS)]
            for own in map(np.flatnonzero, [source == n for n in np.unique(source)])
        ]
    )
    made = reconstruction.reconstruct(model, tokens[chosen], songs[chosen], seed).tokens
    return styles.by_source(made, source[chosen], splits[0].sources), made
