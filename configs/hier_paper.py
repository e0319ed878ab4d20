"""The sizes and the recipe of Roberts et al. 2018 for 16-bar melodies.

Run: musicvae --config=hier_paper --config.dataset.path=FOLDER
"""

import ml_collections

from musicvae_jax.configs import default


def get_config() -> ml_collections.ConfigDict:
    config = default.get_config()
    config.dataset.transpose_semitones = 0
    model, train = config.model, config.train
    model.z = 512
    model.encoder_features, model.encoder_layers = 2048, 2
    model.conductor_features, model.conductor_layers = 1024, 2
    model.embedding = 512
    model.decoder_features, model.decoder_layers = 1024, 2
    train.batch_size = 512
    train.num_steps = 100_000
    train.free_bits = 256.0
    return config
