"""Limits on what a transition plays: pitches of a scale or a range, and the rhythm of a melody.

A model obeys by a bias on its logits, minus infinity for what is forbidden. What is
not decoded, such as a crossfade, is moved to the nearest pitch that is allowed.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from musicvae_jax.music.keys import TONICS, profile_matrix, scale_mask
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import SILENCE, Codec
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.notes import Notes

FORBIDDEN = -1e9  # of a logit: as good as minus infinity, and safe to add


def pitch_class_weights(notes: Notes) -> jax.Array:
    """How many steps each pitch class sounds: [batch, 12] float32, from C."""
    classes = jax.nn.one_hot(jnp.where(notes.pitch == SILENCE, 12, notes.pitch % 12), 12)
    return classes.sum(axis=1)


def key_numbers(weights: jax.Array) -> jax.Array:
    """The keys that `music.keys.find_keys` finds, in a form that can be compiled.

    `music` is NumPy only, and its function gives the correlation as well. Here the highest
    correlation is looked for alone, so the weights need not be divided by their length.
    Both use the profiles of `keys.profile_matrix`.

    Args:
      weights: [batch, 12].

    Returns:
      [batch] int32, 0..11 for major keys from C, 12..23 for minor ones.
    """
    centred = weights - weights.mean(axis=-1, keepdims=True)
    return (centred @ jnp.asarray(profile_matrix(), jnp.float32).T).argmax(axis=-1)


def key_scales(keys: jax.Array) -> jax.Array:
    """The pitch classes of keys [batch]: [batch, 12] bool."""
    modes = ("major", "minor")
    table = np.stack([scale_mask(tonic, mode) for mode in modes for tonic in range(12)])
    return jnp.asarray(table)[keys]


def allowed_pitches(
    scale: str, pitch_range: tuple[int, int], notes_1: Notes, notes_2: Notes, t: jax.Array
) -> jax.Array:
    """Which MIDI notes a transition may use.

    Args:
      scale: `none`; `auto`, the scale of melody 1's key up to half way, and then of
        melody 2's; or a tonic and a scale, such as `C_major`.
      pitch_range: the lowest and the highest.
      notes_1, notes_2: the melodies.
      t: [bars].

    Returns:
      [batch, bars, 128] bool.
    """
    batch, bars = notes_1.pitch.shape[0], t.shape[0]
    pitch = jnp.arange(128)
    if scale == "none":
        classes = jnp.ones((batch, bars, 12), bool)
    elif scale == "auto":
        one, two = (key_scales(key_numbers(pitch_class_weights(n))) for n in (notes_1, notes_2))
        classes = jnp.where((t < 0.5)[:, None], one[:, None], two[:, None])
    else:
        tonic, name = scale.split("_")
        classes = jnp.broadcast_to(scale_mask(TONICS[tonic], name), (batch, bars, 12))
    low, high = pitch_range
    return classes[..., pitch % 12] & (pitch >= low) & (pitch <= high)


def pitch_bias(allowed: jax.Array, codec: Codec, steps_per_bar: int = STEPS_PER_BAR) -> jax.Array:
    """The bias on logits that keeps to pitches: [batch, bars, 128] -> [batch, steps, vocab]."""
    pitches = codec.token_pitches()
    forbidden = jnp.where(pitches == SILENCE, False, ~allowed[..., pitches])
    return jnp.repeat(jnp.where(forbidden, FORBIDDEN, 0.0), steps_per_bar, axis=1)


def rhythm_bias(rhythm: Notes, codec: Codec) -> jax.Array:
    """The bias on logits that keeps to a rhythm.

    Args:
      rhythm: melodies, of which only the onsets and ends count.
      codec: one that has onsets.

    Returns:
      [batch, steps, vocab] float32.
    """
    tokens = notes_lib.to_tokens(rhythm, codec)[..., None]
    is_onset = codec.token_pitches() != SILENCE
    fits = jnp.where(jnp.asarray(is_onset)[tokens], is_onset, np.arange(codec.vocab) == tokens)
    return jnp.where(fits, 0.0, FORBIDDEN)


def in_rhythm(rhythm: Notes, pitches: Notes) -> Notes:
    """The rhythm of one melody with the pitches of another.

    Each note takes the pitch that sounds in the other melody when it begins; where that
    is silent, the latest that did, or before any has sounded the first that will.
    """
    sounds = pitches.pitch != SILENCE
    steps = sounds.shape[1]
    following = jax.lax.cummin(
        jnp.where(sounds, jnp.arange(steps), steps - 1), axis=1, reverse=True
    )
    any_yet = jnp.cumsum(sounds, axis=1) > 0
    heard = notes_lib.at(pitches.pitch, jnp.where(any_yet, notes_lib.latest(sounds), following))
    # A melody without notes has no pitch to give.
    heard = jnp.where(heard == SILENCE, rhythm.pitch, heard)
    at_onset = notes_lib.at(heard, notes_lib.latest(rhythm.onset))
    return dataclasses.replace(rhythm, pitch=jnp.where(rhythm.pitch == SILENCE, SILENCE, at_onset))


def snap(notes: Notes, allowed: jax.Array) -> Notes:
    """Moves each note to the nearest pitch allowed in the bar in which it begins.

    Args:
      notes: the melodies.
      allowed: [batch, bars, 128] bool, of each bar at least one.

    Returns:
      The melodies; of two pitches equally near, the lower is taken.
    """
    pitch = jnp.arange(128)
    distance = jnp.abs(pitch[:, None] - pitch) * 2 + (pitch > pitch[:, None])
    cost = jnp.where(allowed[:, :, None], distance, 1000)
    nearest = jnp.repeat(cost.argmin(axis=-1), notes.steps_per_bar, axis=1)  # [batch, steps, 128]
    moved = jnp.take_along_axis(nearest, jnp.maximum(notes.pitch, 0)[..., None], axis=2)[..., 0]
    moved = notes_lib.at(moved, notes_lib.latest(notes.onset))
    pitch = jnp.where(notes.pitch == SILENCE, SILENCE, moved).astype(jnp.int32)
    return dataclasses.replace(notes, pitch=pitch)
