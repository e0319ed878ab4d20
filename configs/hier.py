"""The hierarchical model, sized for the folk data and one accelerator.

Run: python -m musicvae_jax.main --config=configs/hier.py
"""

import ml_collections

from configs import default


def get_config() -> ml_collections.ConfigDict:
    return default.get_config()
