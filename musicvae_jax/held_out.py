"""All that is measured of a model on songs that it has not seen."""

import dataclasses
from typing import Any

import ml_collections
import numpy as np

from musicvae_jax import evaluate, input_pipeline, losses, reconstruction, reconstruction_metrics
from musicvae_jax.errors import UserError
from musicvae_jax.inference import MelodyModel
from musicvae_jax.input_pipeline import Split
from musicvae_jax.options import Options
from musicvae_jax.reconstruction_metrics import Reconstruction


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
      reconstruction: the tokens of the test split that came back.
    """

    headline: dict[str, float | list[float]]
    details: dict[str, Any]
    reconstruction: Reconstruction


def load_data(config: ml_collections.ConfigDict) -> Data:
    """Reads the data set of a configuration, or builds it.

    Raises:
      UserError: it cannot be built, or its test split is empty.
    """
    builder = input_pipeline.build_dataset(config)
    names = ("train", "validation", "test")
    splits = {name: input_pipeline.load_split(builder, name) for name in names}
    if len(splits["test"]) == 0:
        raise UserError("the test split has no windows: the data set has too few songs")
    return Data(builder.info.full_name, splits, input_pipeline.load_songs(builder, "test"))


def _forced_from_mean(made: reconstruction.Reconstructed) -> dict[str, float | list[float]]:
    """`teacher_forced_from_mean_accuracy` and so on: the likeliest of the latents given."""
    tokens = dataclasses.replace(made.tokens, teacher_forced=made.forced_from_mean)
    forced = reconstruction_metrics.headline(tokens)
    return {
        name.replace("teacher_forced", "teacher_forced_from_mean"): value
        for name, value in forced.items()
        if name.startswith("teacher_forced")
    }


def measure(model: MelodyModel, data: Data, options: Options) -> Measured:
    """Measures a model on the test split.

    Args:
      model: of the data's number of bars.
      data: the split, and the training data that it is compared with.
      options: the seed.
    """
    test = data.splits["test"]
    made = reconstruction.reconstruct(model, test.tokens, data.songs, options.seed)
    headline = reconstruction_metrics.headline(made.tokens) | _forced_from_mean(made)
    kl_nats = float(made.kl_bits.mean()) * losses.LN_2
    headline |= {
        "kl_bits": float(made.kl_bits.mean()),
        "loss": headline["nll_per_token"] * test.tokens.shape[1] + kl_nats,
        "active_units": evaluate.active_units(made.mu),
    }
    nll = evaluate.baselines(model.checkpoint.config, data.splits["train"], test)
    headline |= {f"{name}_nll_per_token": value for name, value in nll.items()}
    headline |= {"windows": len(test), "songs": len(np.unique(data.songs))}
    details = {
        "reconstruction": {
            **reconstruction_metrics.by_position(made.tokens),
            "ceilings": reconstruction_metrics.ceilings(made.tokens),
        }
    }
    return Measured(headline, details, made.tokens)
