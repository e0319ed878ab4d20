"""`--mode=train_prior`: trains a prior over the bars of a trained model, or goes on training it."""

import ml_collections

from musicvae_jax.checkpoints.load import SHIPPED
from musicvae_jax.commands.files import data_config, load_model
from musicvae_jax.commands.options import Options
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import prior_loop


def train_prior(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Trains; see `prior_loop.train`."""
    model = load_model(config, options)
    if model.checkpoint.path in SHIPPED.values():
        name = model.checkpoint.path.name
        raise UserError(
            f"--checkpoint={name}: the prior is written beside the checkpoint, and the "
            "installed package is left as it is; --mode=export writes a copy to train one for"
        )
    prior_loop.train(model, data_config(model, config, options), options.output)
