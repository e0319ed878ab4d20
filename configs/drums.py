"""Drums: the hierarchical model of `hier` for 16 bars, trained on the Groove MIDI Dataset.

Run: musicvae --config=drums --config.dataset.folder=FOLDER

FOLDER holds `groove`, the data set without its audio; when it is missing, the command that gets
it is printed.
"""

import ml_collections

from musicvae_jax.configs import hier


def get_config() -> ml_collections.ConfigDict:
    config = hier.get_config()
    dataset, model, train = config.dataset, config.model, config.train
    dataset.sources = (("groove", 1.0),)
    dataset.extraction = "drums"
    # Drums have no key.
    dataset.transpose_semitones = 0
    prior = config.prior
    prior.transpositions = 1
    # Its windows are a ninth of those that the melodies' prior learns from.
    prior.features, prior.layers, prior.dropout = 192, 5, 0.2
    prior.batch_size, prior.num_steps, prior.eval_every = 512, 8_000, 1_000
    # Fourteen hours of performances are few: most of what the model sees is made of two of
    # them, bar by bar or limb by limb, and what machines play, the same bars again and again.
    dataset.augment = (
        ("follow", 1.0),
        ("exchange", 2.0),
        ("swap_cymbals", 0.5),
        ("thin", 1.0),
        ("mute", 1.0),
        ("rotate", 1.0),
        ("loop", 1.0),
    )
    dataset.augment_share = 0.8
    model.codec = "drums"
    model.dropout = 0.1
    # 165 epochs, on one H100 about three minutes.
    train.batch_size = 512
    train.num_steps = 4_000
    train.learning_rate = 1.5e-3
    train.learning_rate_decay = 0.999
    train.final_learning_rate = 2e-5
    train.learning_rate_warmup = 300
    train.eval_every = 500
    train.eval_examples = 1_000
    return config
