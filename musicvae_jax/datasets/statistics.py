"""What the melodies of a data set are like, as histograms."""

import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.melodies import melodies_dataset_builder
from musicvae_jax.music import keys
from musicvae_jax.music.melody import MIN_PITCH
from musicvae_jax.music.tokens import FIRST_ONSET, HOLD

LONGEST_NOTE_STEPS = 32


def corpus_statistics(tokens: np.ndarray, steps_per_bar: int) -> dict[str, np.ndarray]:
    """Histograms of windows.

    Args:
      tokens: [windows, steps] uint8, of `MelodyCodec`.
      steps_per_bar: of the windows.

    Returns:
      `pitch`: [128] onsets by MIDI pitch; `onsets_per_bar`: [steps_per_bar + 1] bars by how many
      notes begin in them; `key`: [24] windows by key, major from C up, then minor;
      `note_steps`: [33] notes by length, the last entry for all that are longer.
    """
    steps = tokens.shape[1]
    row, step = np.nonzero(tokens >= FIRST_ONSET)
    pitch = tokens[row, step].astype(np.int64) - FIRST_ONSET + MIN_PITCH
    # The step of the next event after each step, from the right; the end if there is none.
    event = np.where(tokens != HOLD, np.arange(steps), steps)
    following = np.minimum.accumulate(event[:, ::-1], axis=1)[:, ::-1]
    following = np.pad(following[:, 1:], ((0, 0), (0, 1)), constant_values=steps)
    length = following[row, step] - step
    cell = row * 12 + pitch % 12
    weights = np.bincount(cell, weights=length, minlength=12 * len(tokens)).reshape(-1, 12)
    tonic, is_minor, _ = keys.find_keys(weights)
    bars = steps // steps_per_bar
    per_bar = (tokens >= FIRST_ONSET).reshape(len(tokens), bars, steps_per_bar).sum(axis=2)
    return {
        "pitch": np.bincount(pitch, minlength=128),
        "onsets_per_bar": np.bincount(per_bar.ravel(), minlength=steps_per_bar + 1),
        "key": np.bincount(tonic + 12 * is_minor, minlength=24),
        "note_steps": np.bincount(
            np.minimum(length, LONGEST_NOTE_STEPS), minlength=LONGEST_NOTE_STEPS + 1
        ),
    }


def train_statistics(builder: melodies_dataset_builder.Builder) -> dict[str, np.ndarray]:
    """`corpus_statistics` of the training split, in memory that its size does not change."""
    steps = builder.info.features["tokens"].shape[0]
    per_bar = builder.builder_config.steps_per_bar
    statistics = corpus_statistics(np.zeros((0, steps), np.uint8), per_bar)
    for tokens in input_pipeline.read_chunks(builder, "train"):
        for name, counts in corpus_statistics(tokens, per_bar).items():
            statistics[name] += counts
    return statistics
