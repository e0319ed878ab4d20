"""How hard each hit of a drum pattern is struck, and how far off its step.

The teacher is a drummer: of each pattern that one played, the network learns the velocities and
the offsets (Gillick et al. 2019, arXiv 1905.06118, who call that humanizing).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from musicvae_jax.models import noise
from musicvae_jax.models.encoder import BidirectionalLayer
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drums import STEPS_PER_BAR

# Velocities are learned as shares of this, offsets in steps.
LOUDEST = 127.0
VELOCITY, OFFSET = 0, 1


class GrooveHead(nn.Module):
    """A Laplace distribution of the velocity and of the offset of each hit, given all hits.

    Attributes:
      features: the width of each LSTM, in each direction.
      layers: how many.
      dropout: share of features dropped before each layer but the first, in training.
    """

    features: int = 128
    layers: int = 2
    dropout: float = 0.2

    @nn.compact
    def __call__(
        self, hits: jax.Array, tempo_bpm: jax.Array, keys: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """The middles and the scales of the distributions.

        Args:
          hits: [batch, steps, 9], 1 where a piece is struck; step 0 begins a bar.
          tempo_bpm: [batch].
          keys: [batch] keys for dropout, or None for none.

        Returns:
          [batch, steps, 9, 2] each, `VELOCITY` and `OFFSET` last; only those of hits mean
          anything.
        """
        batch, steps, _ = hits.shape
        place = jax.nn.one_hot(jnp.arange(steps) % STEPS_PER_BAR, STEPS_PER_BAR)
        place = jnp.broadcast_to(place, (batch, steps, STEPS_PER_BAR))
        # Most tempos lie within an octave around 120.
        pace = jnp.broadcast_to(jnp.log2(tempo_bpm / 120.0)[:, None, None], (batch, steps, 1))
        outputs = jnp.concatenate([hits, place, pace], axis=-1).swapaxes(0, 1)
        for number in range(self.layers):
            if number:
                outputs = noise.dropout(outputs, self.dropout, keys, number)
            _, outputs = BidirectionalLayer(self.features, name=f"layer_{number}")(outputs)
        numbers = nn.Dense(len(PIECES) * 4, name="heads")(outputs).swapaxes(0, 1)
        numbers = numbers.reshape(batch, steps, len(PIECES), 4)
        middle = numbers[..., :2] + jnp.array([0.5, 0.0])
        # A floor, or a hit that is met exactly would be infinitely likely.
        return middle, nn.softplus(numbers[..., 2:] - 2.0) + 0.005


def loss(middle: jax.Array, scale: jax.Array, target: jax.Array, hits: jax.Array) -> jax.Array:
    """Nats of what was played, per hit, velocity and offset together: [].

    Args:
      middle, scale: from `GrooveHead`.
      target: [batch, steps, 9, 2], velocities over `LOUDEST` and offsets.
      hits: [batch, steps, 9], 1 where a piece is struck.
    """
    nats = jnp.abs(target - middle) / scale + jnp.log(2 * scale)
    return (nats.sum(axis=-1) * hits).sum() / jnp.maximum(hits.sum(), 1)
