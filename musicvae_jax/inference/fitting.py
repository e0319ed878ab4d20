"""Fits the prior and the attribute vectors of a trained model to its training data."""

import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.inference import attribute_vectors, latent_prior
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music import attributes
from musicvae_jax.music.tokens import CODECS

# More are not needed to fit some hundreds of numbers for each attribute.
_ATTRIBUTE_WINDOWS = 50_000
_DECODED_WINDOWS = 128


def fit_prior(
    model: MelodyModel, train: input_pipeline.Split, validation: input_pipeline.Split
) -> tuple[latent_prior.LatentPrior, dict[str, float]]:
    """Fits the latent prior to a training split; see `latent_prior.fit`."""
    codec = model.checkpoint.config.model.codec
    of_train = model.encode_tokens(input_pipeline.convert(train.tokens, codec))
    held_out = model.encode_tokens(input_pipeline.convert(validation.tokens, codec))
    drawn = held_out.mu + held_out.sigma * np.random.default_rng(0).normal(size=held_out.mu.shape)
    return latent_prior.fit(of_train.mu, of_train.sigma, drawn)


def fit_attributes(
    model: MelodyModel, train: input_pipeline.Split
) -> attribute_vectors.AttributeVectors:
    """Finds the attribute vectors of a training split, transposed at random as in training.

    Without that, melodies in C major are of other kinds than those in D and A, and the
    vector of `diatonic` would tell kinds apart rather than keys.
    """
    config = model.checkpoint.config
    split = input_pipeline.eval_subset(train, _ATTRIBUTE_WINDOWS)
    semitones = config.dataset.transpose_semitones
    shifts = np.random.default_rng(0).integers(-semitones, semitones + 1, len(split))
    tokens = CODECS[config.model.codec].stored.transpose(split.tokens, shifts)
    mu = model.encode_tokens(input_pipeline.convert(tokens, config.model.codec)).mu
    steps_per_bar = model.model.steps_per_bar

    def decoded(z: np.ndarray) -> np.ndarray:
        melodies = [model.codec.stored.encode(melody) for melody in model.decode(z)]
        return attributes.measure(np.stack(melodies), steps_per_bar)

    vectors = attribute_vectors.fit(mu, attributes.measure(tokens, steps_per_bar))
    some = np.linspace(0, len(mu) - 1, min(_DECODED_WINDOWS, len(mu))).astype(int)
    return attribute_vectors.lengthened(vectors, mu[some], decoded)
