"""`hier` with a latent for each bar, which sees its own bar alone.

Run: musicvae --config=per_bar
"""

import ml_collections

from musicvae_jax.configs import hier


def get_config() -> ml_collections.ConfigDict:
    config = hier.get_config()
    model = config.model
    model.latent = "per_bar"
    model.z = 24
    model.conductor_reads = "same"
    return config
