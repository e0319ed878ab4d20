"""Models by name or folder, ready to use."""

import pathlib

from musicvae_jax.checkpoints import load
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models.vae import abstract_params


def load_model(path: str | pathlib.Path = load.PRETRAINED) -> MelodyModel:
    """Loads a trained model.

    >>> import musicvae_jax as mv
    >>> model = mv.load_model()
    >>> model.bars
    16

    Args:
      path: a model that comes with the package, `pretrained` for bars of 16 steps, `triple` for
        bars of 12, or `drums`; or the folder of a training run or of an exported model.

    Raises:
      UserError: there is no model, or it cannot be read.
    """
    directory = load.find(str(path) or ".", pathlib.Path(), argument="path")
    return MelodyModel(load.load(directory, abstract_params))
