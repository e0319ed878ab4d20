"""`--mode=train`: trains a model, or goes on training it."""

import ml_collections

from musicvae_jax.commands.options import Options
from musicvae_jax.training import loop


def train(config: ml_collections.ConfigDict, options: Options) -> None:
    """Trains; see `loop.train`."""
    loop.train(config, options.workdir, options.run)
