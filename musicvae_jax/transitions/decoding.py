"""What a strategy is given: the melodies and curves of a batch, and the model to decode with."""

import dataclasses

import flax
import jax
import jax.numpy as jnp

from musicvae_jax.models import noise
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.models.vae import previous_tokens
from musicvae_jax.transitions import constraints
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.notes import Notes


@flax.struct.dataclass
class TransitionInputs:
    """All that a strategy may draw on, of a batch of pairs.

    Attributes:
      notes_1, notes_2: the melodies, of `bars` bars.
      path_1, path_2: [batch, bars, z], their latents (the posterior means).
      path: [batch, bars, z], which moves from one to the other by `t_latent`.
      control: the mix of the melodies by `t_control`.
      t_latent, t_control: [bars].
      composed: [batch, bars, z], a path that a composer has written; None for strategies
        that do not follow it.
    """

    notes_1: Notes
    notes_2: Notes
    path_1: jax.Array
    path_2: jax.Array
    path: jax.Array
    control: Notes
    t_latent: jax.Array
    t_control: jax.Array
    composed: jax.Array | None = None


@dataclasses.dataclass(frozen=True)
class Decoding:
    """The model as a strategy uses it.

    Attributes:
      trained: the model.
      keys: [batch] keys of the decoder's noise.
      temperature: 0 takes the likeliest tokens.
      given, is_given: [batch, steps], the bars at the ends.
      bias: [batch, steps, vocab], of the constraints, or None.
      allowed: [batch, bars, 128], of the constraints, or None.
    """

    trained: TrainedModel
    keys: jax.Array
    temperature: jax.Array | float
    given: jax.Array
    is_given: jax.Array
    bias: jax.Array | None
    allowed: jax.Array | None

    def conduct(self, path: jax.Array) -> jax.Array:
        """Bar embeddings of a path: [bars, batch, embedding]."""
        return self.trained.apply("bar_embeddings", path)

    def freely(self, embeddings: jax.Array) -> jax.Array:
        """Decodes with the model's own notes fed back: tokens [batch, steps]."""
        noise_of = (self.keys, self.temperature)
        limits = (self.given, self.is_given, self.bias)
        tokens, _ = self.trained.apply("sample_bars", embeddings, *noise_of, *limits)
        return tokens

    def following(self, embeddings: jax.Array, control: Notes) -> jax.Array:
        """Decodes with the notes of `control` fed instead: tokens [batch, steps]."""
        tokens = notes_lib.to_tokens(control, self.trained.codec)
        inputs = previous_tokens(tokens, self.trained.model.vocab)
        logits = self.trained.apply("teacher_forced_bars", embeddings, inputs)
        logits = logits if self.bias is None else logits + self.bias
        steps, vocab = logits.shape[1:]
        preference = noise.scaled_gumbel(self.keys, steps, vocab, self.temperature)
        tokens = jnp.argmax(logits + preference.swapaxes(0, 1), axis=-1).astype(jnp.int32)
        return jnp.where(self.is_given, self.given, tokens)

    def as_it_is(self, notes: Notes) -> jax.Array:
        """Decodes nothing: the tokens [batch, steps] of notes, with the constraints applied."""
        notes = notes if self.allowed is None else constraints.snap(notes, self.allowed)
        tokens = notes_lib.to_tokens(notes, self.trained.codec)
        return jnp.where(self.is_given, self.given, tokens)
