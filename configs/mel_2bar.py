"""Two-bar melodies with scheduled sampling, after Magenta's cat-mel_2bar_small.

Run: musicvae --config=mel_2bar
"""

import ml_collections

from musicvae_jax.configs import default


def get_config() -> ml_collections.ConfigDict:
    config = default.get_config()
    model, train = config.model, config.train
    model.bars = 2
    model.decoder = "flat"
    model.z = 256
    model.decoder_features, model.decoder_layers = 256, 2
    train.batch_size = 512
    train.num_steps = 50_000
    train.free_bits = 48.0
    train.sampling = "inverse_sigmoid"
    train.sampling_rate = 1_000.0
    return config
