"""A checkpoint to share: what inference needs, what it was made of, and how good it is."""

import dataclasses
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import ml_collections

from musicvae_jax import __version__
from musicvae_jax.checkpoints import hashes, load, store
from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.configs import default
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.melodies.sources import COLLECTIONS
from musicvae_jax.evaluation import drum_measure, measure
from musicvae_jax.inference import (
    attribute_vectors,
    bar_prior,
    fitting,
    humaniser,
    latent_prior,
)
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.tokens import CODECS, StoredCodec
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)

CARD = "model.json"


def export(
    model: MelodyModel,
    data: measure.Data,
    output: str | os.PathLike,
    *,
    seed: int = 0,
    num_samples: int = measure.PRIOR_SAMPLES,
    temperature: float = 0.7,
) -> None:
    """Writes a directory from which the model can be loaded, without the optimizer.

    A prior and, for melodies, attribute vectors are fitted to the training data. The figures in
    `model.json` are of the model with that prior; `model` itself keeps its own.

    Args:
      model: to be shared.
      data: the data set that it was trained on.
      output: a directory that is empty or does not exist.
      seed, num_samples, temperature: see `measure.measure`.

    Raises:
      UserError: the directory holds something, or the validation split is empty.
    """
    output = files.make_output_dir(output)
    if any(output.iterdir()):
        raise UserError(
            f"output={output}: not empty; an export needs a directory of its own", "output"
        )
    checkpoint, splits = model.checkpoint, data.splits
    if len(splits["validation"]) == 0:
        raise UserError("the validation split has no windows: the data set has too few songs")
    prior, figures = fitting.fit_prior(model, splits["train"], splits["validation"])
    measure_it, fits = _OF_CODEC[model.codec.stored]
    measured = measure_it(
        model.with_prior(prior), data, seed=seed, num_samples=num_samples, temperature=temperature
    )
    numbers = {n: value for n, value in measured.headline.items() if not isinstance(value, list)}
    checkpoint = dataclasses.replace(checkpoint, config=_without_places(checkpoint.config))
    with store.open_manager(output) as manager:
        store.save(manager, checkpoint.step, checkpoint.params, None, checkpoint.config, numbers)
        store.wait(manager, checkpoint.step)
    # Orbax names in them the folder that it wrote to, which should not be published.
    for note in output.rglob("commit_success.txt"):
        note.unlink()
    latent_prior.save(output, prior)
    if model.composer is not None:
        bar_prior.save(output, model.composer.prior)
    fitted = {"latent_prior": figures}
    for fit in fits:
        fitted |= fit(model, splits["train"], output)
    files.write_json(output / CARD, _card(checkpoint, data, measured) | fitted)
    hashes.write_hashes(output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    logger.info("wrote %s, %.1f MB; %s", output, size / 1e6, figures)


def _attributes(
    model: MelodyModel, train: input_pipeline.Split, output: pathlib.Path
) -> dict[str, Any]:
    vectors = fitting.fit_attributes(model, train)
    attribute_vectors.save(output, vectors)
    return {"attributes": vectors.summary()}


def _humaniser(
    model: MelodyModel, train: input_pipeline.Split, output: pathlib.Path
) -> dict[str, Any]:
    """The one beside the checkpoint, if there is one, goes with it."""
    if not (model.checkpoint.path / humaniser.FILE).is_file():
        return {}
    head = humaniser.load(model.checkpoint.path)
    humaniser.save(output, head)
    return {"humaniser": head.facts}


# What measures a model, and what is fitted to its training data beside the prior, by the codec
# in which what it knows is stored.
_OF_CODEC: dict[StoredCodec, tuple[Callable[..., Any], Sequence[Callable[..., dict[str, Any]]]]] = {
    CODECS["melody"].stored: (measure.measure, (_attributes,)),
    CODECS["drums"].stored: (drum_measure.measure, (_humaniser,)),
}


def _without_places(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """The configuration without where things lie on this machine."""
    config = config.copy_and_resolve_references()
    places = default.get_config().dataset
    config.dataset.update(folder=places.folder, data_dir=places.data_dir)
    if config.train.init_from not in load.SHIPPED:
        config.train.init_from = ""
    return config


def _card(checkpoint: Checkpoint, data: measure.Data, measured: Any) -> dict[str, Any]:
    """What the model is, what it was made of, and how good it is, for JSON."""
    names = [name for name, _ in input_pipeline.weighted_sources(checkpoint.config)]
    credits = {n: dataclasses.asdict(COLLECTIONS[n]) for n in names if n in COLLECTIONS}
    return {
        "version": __version__,
        "step": checkpoint.step,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(checkpoint.params)),
        "sha256": checkpoint.sha256(),
        "data": {**data.facts(), "collections": credits},
        "test": measured.headline,
        "sources": {name: dataclasses.asdict(style) for name, style in measured.styles.items()},
        "config": checkpoint.config.to_dict(),
    }
