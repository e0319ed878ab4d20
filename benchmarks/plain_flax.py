"""The same models as a Flax user would write them at first: nn.RNN over OptimizedLSTMCell."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from musicvae_jax.melody import STEPS_PER_BAR


class PlainVAE(nn.Module):
    """One-hot inputs, batch-major, one RNN for each layer and direction.

    Attributes:
      config: a configuration's `model`, hierarchical, of one layer each.
      vocab: number of tokens.
    """

    config: ml_collections.FrozenConfigDict
    vocab: int

    @nn.compact
    def __call__(
        self, tokens: jax.Array, noise: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """tokens: [batch, steps] int32; noise: [batch, bars or 1, z] -> logits, mu, sigma."""
        config, (batch, steps) = self.config, tokens.shape
        bars = steps // STEPS_PER_BAR
        one_hot = jax.nn.one_hot(tokens, self.vocab)
        outputs = nn.Bidirectional(
            nn.RNN(nn.OptimizedLSTMCell(config.encoder_features)),
            nn.RNN(nn.OptimizedLSTMCell(config.encoder_features)),
        )(one_hot)
        if config.latent == "per_bar":
            encoded = outputs[:, STEPS_PER_BAR - 1 :: STEPS_PER_BAR]
        else:
            forward, backward = jnp.split(outputs, 2, axis=-1)
            encoded = jnp.concatenate([forward[:, -1], backward[:, 0]], axis=-1)[:, None]
        mu, raw_sigma = jnp.split(nn.Dense(2 * config.z)(encoded), 2, axis=-1)
        sigma = nn.softplus(raw_sigma)
        path = jnp.broadcast_to(mu + sigma * noise, (batch, bars, config.z))
        if config.conductor_input:
            path = nn.Dense(config.conductor_input)(path)

        def state(x, features):
            if not config.learned_state:
                return None
            return tuple(jnp.split(jnp.tanh(nn.Dense(2 * features)(x)), 2, axis=-1))

        width, notes = config.conductor_features, config.decoder_features
        embeddings = nn.RNN(nn.OptimizedLSTMCell(width))(
            path, initial_carry=state(path[:, 0], width)
        )
        rows = embeddings.reshape(batch * bars, -1)
        previous = jnp.pad(one_hot[:, :-1], ((0, 0), (1, 0), (0, 0)))
        previous = previous.reshape(batch * bars, STEPS_PER_BAR, -1)
        repeated = jnp.repeat(rows[:, None], STEPS_PER_BAR, axis=1)
        outputs = nn.RNN(nn.OptimizedLSTMCell(notes))(
            jnp.concatenate([previous, repeated], axis=-1), initial_carry=state(rows, notes)
        )
        logits = nn.Dense(self.vocab)(outputs)
        return logits.reshape(batch, steps, -1), mu, sigma
