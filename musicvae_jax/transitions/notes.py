"""Batches of tokens as what sounds: the pitch of each step, and where notes begin.

Mixing two melodies, measuring them and restricting their pitches are simple on this
view, the same for every codec, and run within jitted functions.
"""

import flax
import jax
import jax.numpy as jnp

from musicvae_jax.music.melody import MIN_PITCH
from musicvae_jax.music.tokens import FIRST_ONSET, HOLD, NOTE_OFF, SILENCE, RollCodec

_ROLL = RollCodec()


@flax.struct.dataclass
class Notes:
    """Melodies, step by step.

    Attributes:
      pitch: [batch, steps] int32, the MIDI note that sounds, or `SILENCE`.
      onset: [batch, steps] bool, where a note begins.
    """

    pitch: jax.Array
    onset: jax.Array

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


def from_tokens(tokens: jax.Array, codec: str) -> Notes:
    """What tokens [batch, steps] of a codec sound like."""
    if codec == "roll":
        pitch = jnp.where(tokens == _ROLL.silence, SILENCE, tokens + _ROLL.min_pitch)
        return Notes(pitch, (pitch != SILENCE) & (pitch != _before(pitch, SILENCE)))
    event = at(tokens, latest(tokens != HOLD))
    pitch = jnp.where(event >= FIRST_ONSET, event - FIRST_ONSET + MIN_PITCH, SILENCE)
    return Notes(pitch, tokens >= FIRST_ONSET)


def to_tokens(notes: Notes, codec: str, explicit: jax.Array | bool = False) -> jax.Array:
    """The tokens of a codec for melodies within its range of pitches.

    Args:
      notes: the melodies.
      codec: its name.
      explicit: [steps] bool, where silence is said even if it was silent before, so that
        nothing that came before the step can be heard in it.

    Returns:
      [batch, steps] int32.
    """
    silent = notes.pitch == SILENCE
    if codec == "roll":
        return jnp.where(silent, _ROLL.silence, notes.pitch - _ROLL.min_pitch).astype(jnp.int32)
    ends = silent & (explicit | ~_before(silent, True))
    tokens = jnp.where(ends, NOTE_OFF, HOLD)
    onset = notes.pitch - MIN_PITCH + FIRST_ONSET
    return jnp.where(notes.onset, onset, tokens).astype(jnp.int32)


def strike(notes: Notes, where: jax.Array) -> Notes:
    """Strikes what sounds at the steps [steps] or [batch, steps] bool again."""
    return notes.replace(onset=notes.onset | (where & (notes.pitch != SILENCE)))


def choose(takes_second: jax.Array, first: Notes, second: Notes) -> Notes:
    """Takes each step [batch, steps] bool from one of two melodies.

    Where it changes from one to the other, what then sounds is struck, so that a held
    note of one is never mistaken for a note of the other that came before.
    """
    chosen = jax.tree.map(lambda one, two: jnp.where(takes_second, two, one), first, second)
    return strike(
        chosen, takes_second != jnp.concatenate([takes_second[:, :1], takes_second[:, :-1]], axis=1)
    )
