"""Batches of tokens as sound: the pitch of each step, and where notes begin.

Mixing two melodies, measuring them and restricting their pitches are simple on this
view, the same for every codec, and run within jitted functions.
"""

import dataclasses

import flax
import jax
import jax.numpy as jnp

from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import SILENCE, Codec, pitch_tokens


@flax.struct.dataclass
class Notes:
    """Melodies, step by step.

    Attributes:
      pitch: [batch, steps] int32, the MIDI note that sounds, or `SILENCE`.
      onset: [batch, steps] bool, where a note begins.
      steps_per_bar: of the melodies; static under jit.
    """

    pitch: jax.Array
    onset: jax.Array
    steps_per_bar: int = flax.struct.field(pytree_node=False, default=STEPS_PER_BAR)

    @property
    def num_bars(self) -> int:
        """Of each melody."""
        return self.pitch.shape[1] // self.steps_per_bar

    @property
    def is_held(self) -> jax.Array:
        """[batch, steps] bool, where a note sounds that began at an earlier step."""
        return (self.pitch != SILENCE) & ~self.onset


def _before(per_step: jax.Array, first: int | bool) -> jax.Array:
    """Each step's predecessor; `first` comes before the first."""
    return jnp.pad(per_step[:, :-1], ((0, 0), (1, 0)), constant_values=first)


def latest(where: jax.Array) -> jax.Array:
    """For [batch, steps] bool, the latest true step so far; 0 before there is one."""
    return jax.lax.cummax(jnp.where(where, jnp.arange(where.shape[1]), 0), axis=1)


def at(per_step: jax.Array, step: jax.Array) -> jax.Array:
    """The values of [batch, steps] at the steps [batch, steps]."""
    return jnp.take_along_axis(per_step, step, axis=1)


def from_tokens(tokens: jax.Array, codec: Codec, steps_per_bar: int = STEPS_PER_BAR) -> Notes:
    """What tokens [batch, steps] of a codec sound like."""
    pitches = jnp.asarray(codec.token_pitches(), jnp.int32)
    pitch = said = pitches[tokens]
    if not codec.sustains:
        return Notes(pitch, pitch != SILENCE)
    if codec.hold is None:
        return Notes(pitch, (pitch != SILENCE) & (pitch != _before(pitch, SILENCE)), steps_per_bar)
    pitch = at(said, latest(tokens != codec.hold))
    return Notes(pitch, said != SILENCE, steps_per_bar)


def to_tokens(notes: Notes, codec: Codec, explicit: jax.Array | bool = False) -> jax.Array:
    """The tokens of a codec for melodies within its range of pitches.

    Args:
      notes: the melodies.
      codec: of the tokens.
      explicit: [steps] bool, where silence is said even if it was silent before, so that
        nothing that came before the step can be heard in it.

    Returns:
      [batch, steps] int32.
    """
    sounding = jnp.asarray(pitch_tokens(codec))[notes.pitch]
    if codec.hold is None:
        return sounding
    silent = notes.pitch == SILENCE
    ends = silent & (explicit | ~_before(silent, True))
    tokens = jnp.where(ends, codec.silence, codec.hold)
    return jnp.where(notes.onset, sounding, tokens).astype(jnp.int32)


def strike(notes: Notes, where: jax.Array) -> Notes:
    """Strikes what sounds at the steps [steps] or [batch, steps] bool again."""
    return dataclasses.replace(notes, onset=notes.onset | (where & (notes.pitch != SILENCE)))


def choose(takes_second: jax.Array, first: Notes, second: Notes) -> Notes:
    """Takes each step [batch, steps] bool from one of two melodies.

    Where it changes from one to the other, what then sounds is struck, so that a held
    note of one is never mistaken for a note of the other that came before.
    """
    chosen = jax.tree.map(lambda one, two: jnp.where(takes_second, two, one), first, second)
    return strike(
        chosen, takes_second != jnp.concatenate([takes_second[:, :1], takes_second[:, :-1]], axis=1)
    )
