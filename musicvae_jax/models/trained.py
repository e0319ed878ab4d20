"""A model with its parameters and the tokens that it speaks, as one argument."""

from typing import Any

import flax

from musicvae_jax.models.vae import MusicVAE
from musicvae_jax.music.tokens import Codec


@flax.struct.dataclass
class TrainedModel:
    """A model with its parameters; may be an argument of a jitted function.

    Attributes:
      params: the parameters, a tree of arrays.
      model: the architecture; static under jit.
      codec: of the model's tokens; static under jit.
    """

    params: Any
    model: MusicVAE = flax.struct.field(pytree_node=False)
    codec: Codec = flax.struct.field(pytree_node=False)

    def apply(self, method: str, *args: Any) -> Any:
        """Calls a method of `MusicVAE` with the parameters."""
        return self.model.apply({"params": self.params}, *args, method=method)
