"""The same models as a Flax user would write them at first: nn.RNN over OptimizedLSTMCell."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from musicvae_jax.music.melody import STEPS_PER_BAR


class PlainVAE(nn.Module):
    """One-hot inputs, batch-major, one RNN for each layer and direction.

    Attributes:
      config: a configuration's `model`, hierarchical.
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
        outputs = one_hot
        for _ in range(config.encoder_layers):
            outputs = nn.Bidirectional(
                self._rnn(config.encoder_features), self._rnn(config.encoder_features)
            )(outputs)
        encoded = self._encoded(outputs)
        mu, raw_sigma = jnp.split(nn.Dense(2 * config.z)(encoded), 2, axis=-1)
        sigma = nn.softplus(raw_sigma)
        path = jnp.broadcast_to(mu + sigma * noise, (batch, bars, config.z))
        if config.conductor_reads == "bars":
            kernels = self.param(
                "shares", nn.initializers.lecun_normal(), (bars, config.z, config.z // bars)
            )
            path = jnp.einsum("btz,tzi->bti", path, kernels)
        elif config.conductor_input:
            path = nn.Dense(config.conductor_input)(path)
        embeddings = self._stack(
            path, path[:, 0], config.conductor_layers, config.conductor_features
        )
        if config.embedding:
            embeddings = nn.Dense(config.embedding)(embeddings)
        rows = embeddings.reshape(batch * bars, -1)
        previous = jnp.pad(one_hot[:, :-1], ((0, 0), (1, 0), (0, 0)))
        previous = previous.reshape(batch * bars, STEPS_PER_BAR, -1)
        repeated = jnp.repeat(rows[:, None], STEPS_PER_BAR, axis=1)
        outputs = self._stack(
            jnp.concatenate([previous, repeated], axis=-1),
            rows,
            config.decoder_layers,
            config.decoder_features,
        )
        logits = nn.Dense(self.vocab, dtype=config.dtype)(outputs)
        return logits.reshape(batch, steps, -1).astype(jnp.float32), mu, sigma

    def _encoded(self, outputs: jax.Array) -> jax.Array:
        """What the posterior is read from: [batch, steps, n] -> [batch, bars or 1, n]."""
        config, (batch, steps) = self.config, outputs.shape[:2]
        forward, backward = jnp.split(outputs, 2, axis=-1)
        last = forward[:, STEPS_PER_BAR - 1 :: STEPS_PER_BAR]
        if config.encoder_reads == "bars":
            bars = jnp.concatenate([last, backward[:, ::STEPS_PER_BAR]], axis=-1)
            if config.latent == "per_bar":
                return bars
            return nn.Dense(config.z // (steps // STEPS_PER_BAR))(bars).reshape(batch, 1, -1)
        if config.latent == "per_bar":
            return outputs[:, STEPS_PER_BAR - 1 :: STEPS_PER_BAR]
        return jnp.concatenate([forward[:, -1], backward[:, 0]], axis=-1)[:, None]

    def _rnn(self, features: int) -> nn.RNN:
        return nn.RNN(nn.OptimizedLSTMCell(features, dtype=self.config.dtype))

    def _stack(self, inputs: jax.Array, start: jax.Array, layers: int, features: int) -> jax.Array:
        """Layers over inputs, each beginning from a state made of `start`, or from zeros."""
        for _ in range(layers):
            carry = None
            if self.config.learned_state:
                carry = tuple(jnp.split(jnp.tanh(nn.Dense(2 * features)(start)), 2, axis=-1))
            inputs = self._rnn(features)(inputs, initial_carry=carry)
        return inputs
