"""How two melodies are mixed: paths between their latents, and coins for their notes."""

import jax
import jax.numpy as jnp

from musicvae_jax.models import noise
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.notes import Notes


def linear_path(path_1: jax.Array, path_2: jax.Array, t: jax.Array) -> jax.Array:
    """The straight line: [batch, bars, z] for t: [bars]."""
    weight = t[:, None]
    return (1 - weight) * path_1 + weight * path_2


def spherical_path(path_1: jax.Array, path_2: jax.Array, t: jax.Array) -> jax.Array:
    """Turns from one direction to the other evenly, while the length changes linearly.

    For vectors of equal length this is Shoemake's slerp (1985, "Animating rotation with
    quaternion curves"). The second axis of the rotation is the part of `path_2` that is
    orthogonal to `path_1`; for equal directions nothing turns, and for opposite ones any
    orthogonal axis will do. A vector of zeros has no direction: then the line is
    straight.

    Args:
      path_1, path_2: [batch, bars, z].
      t: [bars].

    Returns:
      [batch, bars, z]; `path_1` and `path_2` themselves where t is 0 or 1.
    """
    tiny = 1e-6
    weight = t[:, None]
    length_1, length_2 = (jnp.linalg.norm(p, axis=-1, keepdims=True) for p in (path_1, path_2))
    unit_1, unit_2 = path_1 / jnp.maximum(length_1, tiny), path_2 / jnp.maximum(length_2, tiny)
    # Kahan's angle, which is accurate for nearly equal and nearly opposite vectors too.
    angle = 2 * jnp.arctan2(
        jnp.linalg.norm(unit_1 - unit_2, axis=-1, keepdims=True),
        jnp.linalg.norm(unit_1 + unit_2, axis=-1, keepdims=True),
    )
    axis = unit_2 - (unit_1 * unit_2).sum(axis=-1, keepdims=True) * unit_1
    # The coordinate axis that `unit_1` leans to least, less what lies along `unit_1`.
    spare = jax.nn.one_hot(jnp.abs(unit_1).argmin(axis=-1), unit_1.shape[-1])
    spare = spare - (spare * unit_1).sum(axis=-1, keepdims=True) * unit_1
    axis = jnp.where(jnp.linalg.norm(axis, axis=-1, keepdims=True) > 1e-4, axis, spare)
    axis = axis / jnp.maximum(jnp.linalg.norm(axis, axis=-1, keepdims=True), tiny)
    direction = jnp.cos(weight * angle) * unit_1 + jnp.sin(weight * angle) * axis
    turned = ((1 - weight) * length_1 + weight * length_2) * direction
    has_direction = jnp.minimum(length_1, length_2) > tiny
    moved = jnp.where(has_direction, turned, linear_path(path_1, path_2, t))
    return jnp.where(weight <= 0, path_1, jnp.where(weight >= 1, path_2, moved))


PATHS = {"linear": linear_path, "spherical": spherical_path}


def mix_bars(notes_1: Notes, notes_2: Notes, t: jax.Array, keys: jax.Array) -> jax.Array:
    """Tosses a coin for each bar: True with probability t[bar].

    Args:
      notes_1, notes_2: unused; a bar is taken as a whole, whatever is in it.
      t: [bars].
      keys: [batch] keys.

    Returns:
      [batch, steps] bool, what is melody 2's.
    """
    return jnp.repeat(noise.bernoulli(keys, t, t.shape), notes_1.steps_per_bar, axis=1)


def mix_notes(notes_1: Notes, notes_2: Notes, t: jax.Array, keys: jax.Array) -> jax.Array:
    """Tosses a coin at each note where it can change melodies without cutting one.

    That is where a note begins in one melody while none is held over in the other: in
    tokens, where each melody has an onset or is silent, and not both are silent. The
    coin shows melody 2 with probability t of that bar and holds until the next such
    step, so each note comes whole, from one of the melodies.

    Bars at an end (t of 0 or 1) are of their melody altogether; what is tied to them over
    a bar line goes with them. Only where no such step lies between a bar of 0 and a bar
    of 1 is a held note cut, at the bar line.

    Args:
      notes_1, notes_2: the melodies.
      t: [bars].
      keys: [batch] keys.

    Returns:
      [batch, steps] bool, what is melody 2's.
    """
    batch, steps = notes_1.pitch.shape
    t = jnp.repeat(t, notes_1.steps_per_bar)
    may_change = ~notes_1.is_held & ~notes_2.is_held & (notes_1.onset | notes_2.onset)
    segment = jnp.cumsum(may_change, axis=1)
    first = notes_lib.latest(may_change)

    def touches(end: int) -> jax.Array:
        is_end = jnp.broadcast_to((t == end).astype(jnp.int32), (batch, steps))
        any_of = jax.vmap(lambda x, s: jax.ops.segment_max(x, s, num_segments=steps + 1))
        return notes_lib.at(any_of(is_end, segment), segment) > 0

    probability = jnp.where(touches(0), 0.0, jnp.where(touches(1), 1.0, t[first]))
    coins = jax.vmap(lambda key: jax.random.uniform(key, (steps,)))(keys)
    takes_second = notes_lib.at(coins, first) < probability
    return jnp.where(t == 0, False, jnp.where(t == 1, True, takes_second))


GRANULARITIES = {"bar": mix_bars, "note": mix_notes}
