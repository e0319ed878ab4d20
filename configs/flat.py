"""The flat baseline: `hier` without its conductor, with about as many parameters.

Run: musicvae --config=flat
"""

import ml_collections

from musicvae_jax.configs import hier


def get_config() -> ml_collections.ConfigDict:
    config = hier.get_config()
    model = config.model
    model.decoder = "flat"
    model.conductor_reads = "same"
    model.decoder_features = 328
    return config
