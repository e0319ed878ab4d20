"""The whole model."""

import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_collections

from musicvae_jax.models import noise
from musicvae_jax.models.decoder import Decoder
from musicvae_jax.models.encoder import Encoder
from musicvae_jax.music.tokens import CODECS

_LATENT, _ENCODER_WORDS, _DECODER_WORDS, _DROPOUT, _SCHEDULED = range(5)


def previous_tokens(tokens: jax.Array, none: int) -> jax.Array:
    """Shifts tokens: [batch, steps] one step later; the first sees the token `none`."""
    return jnp.pad(tokens[:, :-1], ((0, 0), (1, 0)), constant_values=none)


class MusicVAE(nn.Module):
    """A variational auto-encoder of melodies (Roberts et al. 2018, arXiv 1803.05428).

    Attributes:
      encoder: the encoder's arguments.
      decoder: the decoder's arguments.
      vocab: number of tokens; the token `vocab` stands for none.
      bars: bars of a melody.
      steps_per_bar: steps of one bar.
      z: latent dimensions.
      per_bar: whether there is one latent for each bar.
      encoder_word_dropout, decoder_word_dropout: share of input tokens hidden in
        training.
    """

    encoder: dict
    decoder: dict
    vocab: int
    bars: int
    steps_per_bar: int
    z: int
    per_bar: bool
    encoder_word_dropout: float
    decoder_word_dropout: float

    def setup(self):
        self.encoder_lstm = Encoder(**self.encoder)
        self.decoder_lstm = Decoder(**self.decoder)

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """The shape of one melody's latent: [z], or [bars, z]."""
        return (self.bars, self.z) if self.per_bar else (self.z,)

    def path(self, z: jax.Array) -> jax.Array:
        """The path that stands still: z [batch, z] or [batch, bars, z] -> [batch, bars, z]."""
        if self.per_bar:
            return z
        return jnp.broadcast_to(z[:, None], (z.shape[0], self.bars, z.shape[1]))

    def encode(
        self, tokens: jax.Array, keys: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """The posterior of melodies.

        Args:
          tokens: [batch, steps] int32.
          keys: [batch] keys for dropout, or None for none.

        Returns:
          mu and sigma: [batch, z] each, or [batch, bars, z].
        """
        return self.encoder_lstm(tokens, keys)

    def teacher_forced(self, path: jax.Array, inputs: jax.Array) -> jax.Array:
        """Logits [batch, steps, vocab] given path [batch, bars, z] and previous tokens."""
        return self.decoder_lstm.teacher_forced(path, inputs)

    def sample(
        self,
        path: jax.Array,
        keys: jax.Array,
        temperature: jax.Array | float = 0.0,
        given: jax.Array | None = None,
        is_given: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """Decodes freely along a path; see `Decoder.sample`. By default nothing is given."""
        if given is None:
            batch, bars, _ = path.shape
            given = jnp.zeros((batch, bars * self.steps_per_bar), jnp.int32)
            is_given = jnp.zeros(given.shape, bool)
        return self.decoder_lstm.sample(path, keys, temperature, given, is_given)

    def bar_embeddings(self, path: jax.Array) -> jax.Array:
        """The input of the note LSTM for each bar of a path of any number of bars.

        The conductor has learned as many bars as a melody has. Along a longer path it
        begins anew after that many.

        Args:
          path: [batch, bars, z].

        Returns:
          [bars, batch, embedding].
        """
        batch, bars, z = path.shape
        rounds = max(1, -(-bars // self.bars))
        if rounds == 1 or self.decoder_lstm.is_flat:
            return self.decoder_lstm.bar_embeddings(path)
        whole = jnp.pad(path, ((0, 0), (0, rounds * self.bars - bars), (0, 0)), mode="edge")
        embeddings = self.decoder_lstm.bar_embeddings(whole.reshape(batch * rounds, self.bars, z))
        by_round = embeddings.reshape(self.bars, batch, rounds, -1).transpose(2, 0, 1, 3)
        return by_round.reshape(rounds * self.bars, batch, -1)[:bars]

    def teacher_forced_bars(self, embeddings: jax.Array, inputs: jax.Array) -> jax.Array:
        """`Decoder.teacher_forced_bars` without dropout."""
        return self.decoder_lstm.teacher_forced_bars(embeddings, inputs)

    def sample_bars(
        self,
        embeddings: jax.Array,
        keys: jax.Array,
        temperature: jax.Array | float,
        given: jax.Array,
        is_given: jax.Array,
        bias: jax.Array | None = None,
        before: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array]:
        """`Decoder.sample_bars`."""
        limits = (given, is_given, bias, before)
        return self.decoder_lstm.sample_bars(embeddings, keys, temperature, *limits)

    def __call__(
        self,
        tokens: jax.Array,
        keys: jax.Array,
        is_training: bool = False,
        sampling_probability: jax.Array | None = None,
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Encodes, samples a latent, and decodes with the true tokens as inputs.

        Args:
          tokens: [batch, steps] int32.
          keys: [batch] keys of the examples.
          is_training: apply dropout and word dropout.
          sampling_probability: with which an input is the model's own sample; None
            for no samples, which is faster.

        Returns:
          logits: [batch, steps, vocab], and the posterior's mu and sigma.
        """
        inputs = previous_tokens(tokens, self.vocab)
        drop_keys = noise.fold_in(keys, _DROPOUT) if is_training else None
        encoder_tokens = tokens
        if is_training:
            encoder_tokens = self._hide(
                tokens, self.encoder_word_dropout, noise.fold_in(keys, _ENCODER_WORDS)
            )
            inputs = self._hide(
                inputs, self.decoder_word_dropout, noise.fold_in(keys, _DECODER_WORDS)
            )
        mu, sigma = self.encode(encoder_tokens, drop_keys)
        z = mu + sigma * noise.normal(noise.fold_in(keys, _LATENT), mu.shape[1:])
        embeddings = self.decoder_lstm.bar_embeddings(self.path(z))
        if sampling_probability is not None:
            own_keys = noise.fold_in(keys, _SCHEDULED)
            told = (embeddings, inputs, own_keys, sampling_probability)
            inputs = self.decoder_lstm.with_samples(*told)
        logits = self.decoder_lstm.teacher_forced_bars(embeddings, inputs, drop_keys)
        return logits, mu, sigma

    def _hide(self, tokens: jax.Array, share: float, keys: jax.Array) -> jax.Array:
        if share == 0:
            return tokens
        hidden = noise.bernoulli(keys, share, tokens.shape[1:])
        return jnp.where(hidden, self.vocab, tokens)


def create_model(config: ml_collections.ConfigDict) -> MusicVAE:
    """Makes the model that `config.model` describes (see `configs/default.py`)."""
    vocab = CODECS[config.codec].vocab
    per_bar = config.latent == "per_bar"
    common = {
        "vocab": vocab,
        "steps_per_bar": config.steps_per_bar,
        "dropout": config.dropout,
        "dtype": jnp.dtype(config.dtype),
        "implementation": config.lstm,
    }
    conductor = {
        "features": config.conductor_features,
        "num_layers": config.conductor_layers,
        "input_features": config.conductor_input,
        "bars": config.bars if config.conductor_reads == "bars" else 0,
        "embedding": config.embedding,
    }
    return MusicVAE(
        encoder={
            **common,
            "features": config.encoder_features,
            "num_layers": config.encoder_layers,
            "z": config.z,
            "per_bar": per_bar,
            "reads": config.encoder_reads,
        },
        decoder={
            **common,
            "features": config.decoder_features,
            "num_layers": config.decoder_layers,
            "conductor": conductor if config.decoder == "hierarchical" else None,
            "learned_state": config.learned_state,
        },
        vocab=vocab,
        bars=config.bars,
        steps_per_bar=config.steps_per_bar,
        z=config.z,
        per_bar=per_bar,
        encoder_word_dropout=config.encoder_word_dropout,
        decoder_word_dropout=config.decoder_word_dropout,
    )


def init_params(model: MusicVAE, seed: int) -> Any:
    """Initial parameters, a function of the seed; shapes do not depend on the batch."""
    tokens = jnp.zeros((1, model.bars * model.steps_per_bar), jnp.int32)
    key = jax.random.key(seed)
    return model.init(key, tokens, noise.example_keys(key, 0, 1))["params"]


def abstract_params(config: ml_collections.ConfigDict) -> Any:
    """Shapes and types of a configuration's parameters, without computing any."""
    return jax.eval_shape(functools.partial(init_params, create_model(config.model), 0))
