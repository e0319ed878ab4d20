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
    config.prior.transpositions = 1
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
    dataset.augment_share = 0.7
    model.codec = "drums"
    train.batch_size = 512
    train.num_steps = 6_000
    train.learning_rate = 1.5e-3
    train.learning_rate_decay = 0.9993
    train.final_learning_rate = 2e-5
    train.learning_rate_warmup = 300
    train.eval_every = 500
    train.eval_examples = 1_000
    return config
