"""The flat baseline of `drums`: without its conductor, with about as many parameters.

Run: musicvae --config=drums_flat --config.dataset.folder=FOLDER
"""

import ml_collections

from musicvae_jax.configs import drums


def get_config() -> ml_collections.ConfigDict:
    config = drums.get_config()
    model = config.model
    model.decoder = "flat"
    model.conductor_reads = "same"
    model.decoder_features = 312
    return config
