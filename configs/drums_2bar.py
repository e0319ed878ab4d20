"""Two bars of drums with scheduled sampling, after Magenta's cat-drums_2bar_small.

Run: musicvae --config=drums_2bar --config.dataset.folder=FOLDER
"""

import ml_collections

from musicvae_jax.configs import drums, mel_2bar


def get_config() -> ml_collections.ConfigDict:
    config = mel_2bar.get_config()
    config.dataset = drums.get_config().dataset
    config.prior.transpositions = 1
    config.model.codec = "drums"
    config.model.encoder_features = 512
    config.train.num_steps = 10_000
    config.train.learning_rate_decay = 0.9995
    return config
