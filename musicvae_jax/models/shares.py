"""One latent of a melody, and each bar's share of it.

The latent begins as its bars side by side: bar b writes and reads slice b. Square
matrices then mix all of it, on both ways. They begin as the identity and move slowly
(their entries count 1/sqrt(z)), because a map that is random at first, or that moves as
fast as everything else, is what the model would spend most of its training on.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp


class Gather(nn.Module):
    """All bars' features as the features of one latent: [..., bars, n] -> [..., bars * n]."""

    @nn.compact
    def __call__(self, bars: jax.Array) -> jax.Array:
        flat = bars.reshape(*bars.shape[:-2], -1)
        z = flat.shape[-1]
        kernel = self.param("kernel", nn.initializers.zeros_init(), (z, z))
        return flat + flat @ kernel / math.sqrt(z)


class Shares(nn.Module):
    """Each bar's share of the latent that holds there.

    Attributes:
      bars: how many share a latent.
    """

    bars: int

    @nn.compact
    def __call__(self, path: jax.Array) -> jax.Array:
        """path: [bars, batch, z], of at most `bars` -> [bars, batch, z // bars]."""
        length, batch, z = path.shape
        share = z // self.bars
        kernel = self.param("kernel", nn.initializers.zeros_init(), (self.bars, z, share))
        mixed = jnp.einsum("tbz,tzs->tbs", path, kernel[:length]) / math.sqrt(z)
        slices = path.reshape(length, batch, self.bars, share)
        bar = jnp.arange(length)
        return slices[bar, :, bar] + mixed
