"""A model small enough to train in tests.

Run: musicvae --config=tiny
"""

import ml_collections

from musicvae_jax.configs import default


def get_config() -> ml_collections.ConfigDict:
    config = default.get_config()
    config.dataset.transpose_semitones = 0
    model, train = config.model, config.train
    model.z = 32
    model.encoder_features = 64
    model.conductor_features = 64
    model.decoder_features = 64
    train.batch_size = 32
    train.num_steps = 600
    train.learning_rate = 3e-3
    train.log_every = 50
    train.eval_every = 200
    train.eval_examples = 256
    return config
