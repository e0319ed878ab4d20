"""A checkpoint to share: what inference needs, and what it was made of and reaches."""

import logging

import jax
import numpy as np

from musicvae_jax import __version__
from musicvae_jax.checkpoints import hashes, store
from musicvae_jax.commands.options import Options
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.evaluation import measure
from musicvae_jax.inference import attribute_vectors, latent_prior
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music import attributes
from musicvae_jax.music.tokens import transpose_tokens
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)

CARD = "model.json"
# More are not needed to fit some hundreds of numbers for each attribute.
_ATTRIBUTE_WINDOWS = 50_000


def fit_prior(
    model: MelodyModel, train: input_pipeline.Split, validation: input_pipeline.Split
) -> tuple[latent_prior.LatentPrior, dict[str, float]]:
    """Fits the latent prior to a training split; see `latent_prior.fit`."""
    codec = model.checkpoint.config.model.codec
    mu, sigma = model.posteriors(input_pipeline.convert(train.tokens, codec))
    held_mu, held_sigma = model.posteriors(input_pipeline.convert(validation.tokens, codec))
    drawn = held_mu + held_sigma * np.random.default_rng(0).normal(size=held_mu.shape)
    return latent_prior.fit(mu, sigma, drawn)


def fit_attributes(
    model: MelodyModel, train: input_pipeline.Split
) -> attribute_vectors.AttributeVectors:
    """Finds the attribute vectors of a training split, in the keys in which training shows it.

    In the keys as they are, melodies in C major are of other kinds than those in D and A, and
    the vector of `diatonic` would tell kinds apart rather than keys.
    """
    config = model.checkpoint.config
    split = input_pipeline.eval_subset(train, _ATTRIBUTE_WINDOWS)
    semitones = config.dataset.transpose_semitones
    shifts = np.random.default_rng(0).integers(-semitones, semitones + 1, len(split))
    tokens = transpose_tokens(split.tokens, shifts)
    mu, _ = model.posteriors(input_pipeline.convert(tokens, config.model.codec))
    return attribute_vectors.fit(mu, attributes.measure(tokens))


def export(model: MelodyModel, data: measure.Data, options: Options) -> None:
    """Writes `--output`, a directory that `--checkpoint` takes.

    Args:
      model: to be shared; draws from the prior that is fitted here from then on.
      data: its data set.
      options: a directory that is empty or not there; how to measure.

    Raises:
      UserError: the directory holds something, or the validation split is empty.
    """
    output = files.make_output_dir(options.output)
    if any(output.iterdir()):
        raise UserError(f"--output={output}: not empty; an export needs a directory of its own")
    checkpoint, splits = model.checkpoint, data.splits
    if len(splits["validation"]) == 0:
        raise UserError("the validation split has no windows: the data set has too few songs")
    prior, figures = fit_prior(model, splits["train"], splits["validation"])
    vectors = fit_attributes(model, splits["train"])
    model.prior = prior
    headline = measure.measure(model, data, **options.sampling()).headline
    numbers = {name: value for name, value in headline.items() if not isinstance(value, list)}
    with store.open_manager(output) as manager:
        store.save(manager, checkpoint.step, checkpoint.params, None, checkpoint.config, numbers)
        store.wait(manager, checkpoint.step)
    # Orbax names in them the folder that it wrote to, which is nobody's business.
    for note in output.rglob("commit_success.txt"):
        note.unlink()
    latent_prior.save(output, prior)
    attribute_vectors.save(output, vectors)
    card = {
        "version": __version__,
        "step": checkpoint.step,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(checkpoint.params)),
        "sha256": checkpoint.sha256(),
        "data": data.facts(),
        "test": headline,
        "latent_prior": figures,
        "attributes": vectors.summary(),
        "config": checkpoint.config.to_dict(),
    }
    files.write_json(output / CARD, card)
    hashes.write_hashes(output)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    logger.info("wrote %s, %.1f MB; %s", output, size / 1e6, figures)
