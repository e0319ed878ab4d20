"""`hier.py` with a latent for each bar, which is told of its own bar alone.

Run: python -m musicvae_jax.main --config=configs/per_bar.py
"""

import ml_collections

from configs import hier


def get_config() -> ml_collections.ConfigDict:
    config = hier.get_config()
    model = config.model
    model.latent = "per_bar"
    model.z = 24
    model.conductor_reads = "same"
    return config
