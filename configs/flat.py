"""The flat baseline: the hierarchical model without its conductor.

Run: python -m musicvae_jax.main --config=configs/flat.py
"""

import ml_collections

from configs import default


def get_config() -> ml_collections.ConfigDict:
    config = default.get_config()
    config.model.decoder = "flat"
    return config
