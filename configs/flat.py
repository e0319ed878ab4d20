"""The flat baseline: `hier.py` without its conductor, and about as many parameters.

Run: python -m musicvae_jax.main --config=configs/flat.py
"""

import ml_collections

from configs import hier


def get_config() -> ml_collections.ConfigDict:
    config = hier.get_config()
    model = config.model
    model.decoder = "flat"
    model.conductor_reads = "same"
    model.decoder_features = 328
    return config
