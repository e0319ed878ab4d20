"""`--mode=train_prior`: trains a prior over the bars of a trained model, or goes on training it.

For a model of drums, it then trains what `--mode=humanise` needs.
"""

from collections.abc import Callable

import ml_collections

from musicvae_jax.checkpoints.load import SHIPPED
from musicvae_jax.commands.files import data_config, load_model
from musicvae_jax.commands.options import Options
from musicvae_jax.datasets import grooves, input_pipeline
from musicvae_jax.inference import humaniser
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.tokens import CODECS, StoredCodec
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import groove_loop, prior_loop


def train_prior(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Trains; see `prior_loop.train`."""
    model = load_model(config, options)
    if model.checkpoint.path in SHIPPED.values():
        name = model.checkpoint.path.name
        raise UserError(
            f"--checkpoint={name}: the prior is written beside the checkpoint, and the "
            "installed package is left as it is; --mode=export writes a copy to train one for"
        )
    config = data_config(model, config, options)
    prior_loop.train(model, config, options.output)
    _OF_CODEC.get(model.codec.stored, _nothing)(model, config)


def _nothing(model: MelodyModel, config: ml_collections.ConfigDict) -> None:
    """A prior is all that a model of melodies needs."""


def _humaniser(model: MelodyModel, config: ml_collections.ConfigDict) -> None:
    """Trains the head of velocity and timing, where there are performances to learn them from."""
    sources = [name for name, _ in input_pipeline.weighted_sources(config)]
    if grooves.SOURCE not in sources or (model.checkpoint.path / humaniser.FILE).is_file():
        return
    found = grooves.load(config.dataset.folder)
    humaniser.save(model.checkpoint.path, groove_loop.train(found))


# What is trained beside the prior, by the codec in which what a model knows is stored.
_OF_CODEC: dict[StoredCodec, Callable[[MelodyModel, ml_collections.ConfigDict], None]] = {
    CODECS["drums"].stored: _humaniser
}
