"""Melodies of any length through an encoder that knows windows of one length."""

import jax
import jax.numpy as jnp

from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.models.vae import MusicVAE
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.notes import Notes


def encode_windows(trained: TrainedModel, notes: Notes) -> tuple[jax.Array, jax.Array]:
    """The posteriors of melodies of any number of bars.

    The model hears windows of its own length, as in training. The last window, and the
    only one of a short melody, is filled up with the melody from its beginning.

    Returns:
      mu and sigma: [batch, windows, z] each, or [batch, windows, model bars, z].
    """
    batch, steps = notes.pitch.shape
    window = trained.model.bars * trained.model.steps_per_bar
    windows = -(-steps // window)
    filled = jnp.arange(windows * window)
    looped = jax.tree.map(lambda leaf: leaf[:, filled % steps], notes)
    looped = notes_lib.strike(looped, (filled % window == 0) | (filled % steps == 0))
    tokens = notes_lib.to_tokens(
        jax.tree.map(lambda leaf: leaf.reshape(batch * windows, window), looped), trained.codec
    )
    posterior = trained.apply("encode", tokens)
    return jax.tree.map(lambda leaf: leaf.reshape(batch, windows, *leaf.shape[1:]), posterior)


def window_path(model: MusicVAE, z: jax.Array) -> jax.Array:
    """Windows' latents as one path: [batch, windows, ...] -> [batch, bars, z]."""
    batch = z.shape[0]
    path = model.path(z.reshape(-1, *z.shape[2:]))
    return path.reshape(batch, -1, model.z)


def mean_path(trained: TrainedModel, notes: Notes) -> jax.Array:
    """The path of melodies' posterior means: [batch, bars, z]."""
    mu, _ = encode_windows(trained, notes)
    return window_path(trained.model, mu)[:, : notes.num_bars]
