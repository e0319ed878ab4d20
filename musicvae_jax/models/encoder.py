"""The encoder: a stacked bidirectional LSTM that turns tokens into a posterior."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from musicvae_jax.models import noise
from musicvae_jax.models.lstm import Drive, LSTMLayer, TokenDrive, both_directions
from musicvae_jax.models.shares import Gather


class BidirectionalLayer(nn.Module):
    """Two LSTMs over one input, forwards and backwards.

    Attributes:
      features: the width of each direction.
      vocab: if not 0, the inputs are tokens below it; otherwise they are vectors.
      dtype, implementation: see `LSTMLayer`.
    """

    features: int
    vocab: int = 0
    dtype: jnp.dtype = jnp.float32
    implementation: str = "auto"

    @nn.compact
    def __call__(self, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Runs both directions.

        Args:
          inputs: [steps, batch] int32 tokens, or [steps, batch, in].

        Returns:
          The final hidden states side by side, [batch, 2 * features], and the
          outputs, [steps, batch, 2 * features].
        """
        layers, drives = [], []
        for name in ("forward", "backward"):
            layer = LSTMLayer(self.features, self.dtype, self.implementation, name=name)
            if self.vocab:
                tokens = TokenDrive(self.vocab, self.features, self.dtype, name=f"{name}_tokens")
                drive = tokens.drive(inputs)
            else:
                drive = Drive(layer.drive(inputs))
            layers.append(layer)
            drives.append(drive)
        finals, outputs = zip(*both_directions(*layers, tuple(drives)), strict=True)
        return jnp.concatenate(finals, axis=-1), jnp.concatenate(outputs, axis=-1)


class Encoder(nn.Module):
    """The approximate posterior q(z | melody) (Roberts et al. 2018, section 3.1).

    Attributes:
      vocab: number of tokens.
      features: the width of each LSTM.
      num_layers: stacked bidirectional layers.
      z: latent dimensions.
      steps_per_bar: steps of one bar.
      per_bar: one latent for each bar, instead of one for the melody.
      reads: 'final' reads a melody's latent from the final states (the paper), and a
        bar's from both outputs at its last step (the seed). 'bars' reads a bar from
        the outputs at its edges, which between them have seen all of it: the forward
        one at its last step, the backward one at its first; a melody's latent is then
        gathered from all of them (see `shares`), whose number is thereby fixed.
      dropout: share of features dropped between layers.
      dtype, implementation: see `LSTMLayer`.
    """

    vocab: int
    features: int
    num_layers: int
    z: int
    steps_per_bar: int
    per_bar: bool = False
    reads: str = "final"
    dropout: float = 0.0
    dtype: jnp.dtype = jnp.float32
    implementation: str = "auto"

    @nn.compact
    def __call__(
        self, tokens: jax.Array, keys: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Encodes melodies of any whole number of bars.

        Args:
          tokens: [batch, steps] int32.
          keys: [batch] keys for dropout, or None for none.

        Returns:
          mu and sigma: [batch, z] float32 each, or [batch, bars, z] if `per_bar`.
        """
        outputs = tokens.T
        for number in range(self.num_layers):
            if number:
                outputs = noise.dropout(outputs, self.dropout, keys, number)
            final, outputs = BidirectionalLayer(
                self.features,
                vocab=0 if number else self.vocab,
                dtype=self.dtype,
                implementation=self.implementation,
                name=f"layer_{number}",
            )(outputs)
        is_gathered = self.reads == "bars" and not self.per_bar
        if self.per_bar or is_gathered:
            final = self._bars(outputs)
        size = self.z // final.shape[1] if is_gathered else self.z
        mu, raw_sigma = jnp.split(nn.Dense(2 * size, name="posterior")(final), 2, axis=-1)
        if is_gathered:
            mu, raw_sigma = Gather(name="mu")(mu), Gather(name="raw_sigma")(raw_sigma)
        return mu, nn.softplus(raw_sigma)

    def _bars(self, outputs: jax.Array) -> jax.Array:
        """outputs: [steps, batch, 2 * features] -> [batch, bars, 2 * features]."""
        last = outputs[self.steps_per_bar - 1 :: self.steps_per_bar]
        if self.reads == "bars":
            first = outputs[:: self.steps_per_bar]
            last = jnp.concatenate(
                [last[..., : self.features], first[..., self.features :]], axis=-1
            )
        return last.swapaxes(0, 1)
