"""Whether a small network can tell two crowds of melodies apart.

The classifier two-sample test (Lopez-Paz & Oquab 2017, arXiv 1610.06545): a network learns
which crowd a melody is of, and is asked about melodies of songs that it did not learn from. The
area under its ROC curve is the share of pairs, a melody of each crowd, that it puts in the
right order: .5 if the crowds are alike to it, 1 if it is never wrong. It sees what no other
statistic was made to see, but it does not tell what it saw; and since a network that learns
from more melodies sees more, only areas of equally many melodies can be compared. Two crowds
of real songs give an area near .5, and show by how much it is off.

Keys are not to be learned: pitches are read as degrees above the tonic of the key that is
found, as intervals, and as heights above the melody's mean. So nothing changes if a melody is
transposed, as it would for a network that learns from melodies in random keys.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from musicvae_jax.evaluation import intervals as evaluation_intervals
from musicvae_jax.evaluation.statistics import key_of_each
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import (
    FIRST_ONSET,
    NOTE_OFF,
    SILENCE,
    previous_onset,
    sounding_pitch,
)
from musicvae_jax.system.progress import progress

FOLDS = 4
MIN_SONGS = 32  # of a crowd; an area of fewer says nothing
# What was enough on the validation split: more steps learn the melodies by heart.
TRAIN_STEPS = 200
_BATCH, _LEARNING_RATE = 64, 3e-3
_MAX_LAG = 8  # bars
_MAX_INTERVAL = 12  # semitones; wider ones count as this
_STEPS_PER_BEAT = 4
_WIDTH, _HEADS, _DROPOUT = 32, 2, 0.3


@dataclasses.dataclass(frozen=True)
class Crowd:
    """Melodies of one kind.

    Attributes:
      tokens: [melodies, steps] int of `MelodyCodec`, whole bars.
      songs: [melodies], what tells songs apart.
      folds: [melodies] int from 0 to FOLDS - 1, from `folds_of`; the same for two melodies,
        of whichever crowd, that have music in common.
      steps_per_bar: of the melodies.
    """

    tokens: np.ndarray
    songs: np.ndarray
    folds: np.ndarray
    steps_per_bar: int = STEPS_PER_BAR


@dataclasses.dataclass(frozen=True)
class Area:
    """How well two crowds are told apart.

    Attributes:
      area: under the ROC curve.
      ci95: its interval over songs of both crowds, [low, high]; the network is the same.
    """

    area: float
    ci95: list[float]


def _in_random_order(songs: np.ndarray) -> np.ndarray:
    """The place of each melody's song among all songs, always the same: [melodies] int."""
    unique, song = np.unique(songs, return_inverse=True)
    return np.random.default_rng(0).permutation(len(unique))[song]


def folds_of(songs: np.ndarray) -> np.ndarray:
    """Puts songs into folds, as many into each: [melodies] int of songs [melodies]."""
    return _in_random_order(songs) % FOLDS


def halves_of(songs: np.ndarray) -> np.ndarray:
    """Puts songs into two halves, each with songs of every fold: [melodies] 0 or 1."""
    return _in_random_order(songs) // FOLDS % 2


def inputs(tokens: np.ndarray, steps_per_bar: int = STEPS_PER_BAR) -> np.ndarray:
    """What the network reads of each step.

    Args:
      tokens: [melodies, steps] int of `MelodyCodec`.
      steps_per_bar: of the melodies.

    Returns:
      [melodies, steps, features] int8: the degree that sounds, the interval to the note that
      begins from the one before, whether a note begins or ends, the height of what sounds
      above the melody's mean, and for lags of 1 to 8 bars whether what sounds is the same as
      then (1), another (-1), or there was nothing yet (0).
    """
    pitch, onset = sounding_pitch(tokens), tokens >= FIRST_ONSET
    sounds = pitch != SILENCE
    tonic, _ = key_of_each(pitch)
    degree = np.where(sounds, (pitch - tonic[:, None]) % 12, 12)
    before = previous_onset(onset)
    note_before = np.take_along_axis(pitch, np.maximum(before, 0), axis=1)
    interval = np.clip(pitch - note_before, -_MAX_INTERVAL, _MAX_INTERVAL) + _MAX_INTERVAL
    intervals = 2 * _MAX_INTERVAL + 1
    interval = np.where(onset & (before >= 0), interval, intervals)
    total = np.where(sounds, pitch, 0).sum(axis=1, keepdims=True, dtype=np.int64)
    mean = total // np.maximum(sounds.sum(axis=1, keepdims=True), 1)
    height = np.where(sounds, np.clip(pitch - mean, -24, 24), 0)
    alike = np.zeros((*tokens.shape, _MAX_LAG), np.int8)
    for lag in range(1, min(_MAX_LAG, tokens.shape[1] // steps_per_bar - 1) + 1):
        steps = lag * steps_per_bar
        alike[:, steps:, lag - 1] = np.where(pitch[:, steps:] == pitch[:, :-steps], 1, -1)
    numbers = np.stack([onset, tokens == NOTE_OFF, height], axis=-1).astype(np.int8)
    one_hots = np.eye(13, 12, dtype=np.int8)[degree], np.eye(26, 25, dtype=np.int8)[interval]
    return np.concatenate([*one_hots, numbers, alike], axis=-1)


class _Network(nn.Module):
    """The log odds that a melody [batch, steps, features] is of the second crowd: [batch]."""

    steps_per_bar: int

    @nn.compact
    def __call__(self, features: jax.Array, is_training: bool) -> jax.Array:
        batch, steps, _ = features.shape

        def drop(x: jax.Array) -> jax.Array:
            shared = tuple(range(1, x.ndim - 1))  # one mask for the whole melody
            return nn.Dropout(_DROPOUT, shared, deterministic=not is_training)(x)

        scale = jnp.ones(features.shape[-1]).at[-_MAX_LAG - 1].set(1 / 12)
        beats = (features * scale).reshape(batch, steps // _STEPS_PER_BEAT, -1)
        beats = drop(nn.relu(nn.Dense(_WIDTH)(beats)))
        bars = nn.Dense(_WIDTH)(beats.reshape(batch, steps // self.steps_per_bar, -1))
        bars += self.param("position", nn.initializers.normal(0.02), bars.shape[1:])
        bars += drop(nn.MultiHeadDotProductAttention(_HEADS)(nn.LayerNorm()(bars)))
        bars = nn.relu(nn.LayerNorm()(bars))
        pooled = drop(jnp.concatenate([bars.mean(axis=1), bars.max(axis=1)], axis=-1))
        return nn.Dense(1)(nn.relu(nn.Dense(_WIDTH)(pooled)))[:, 0]


@functools.partial(jax.jit, static_argnames=("network", "steps"))
def _trained(
    network: _Network,
    features: jax.Array,
    numbers: Sequence[jax.Array],
    counts: Sequence[int],
    key: jax.Array,
    steps: int,
) -> Any:
    """Parameters of the network, which learns from some melodies of each crowd.

    Args:
      network: to be trained.
      features: [melodies, steps, features] int8 of both crowds.
      numbers: of each crowd the melodies to learn from, followed by any others.
      counts: how many of each are to be learned from.
      key: of all random numbers.
      steps: of training.
    """
    schedule = optax.cosine_decay_schedule(_LEARNING_RATE, steps)
    optimizer = optax.adamw(schedule, weight_decay=0.01)
    params = network.init(jax.random.fold_in(key, steps), features[:1], False)
    half = _BATCH // 2
    is_second = jnp.repeat(jnp.arange(2), half)

    def step(carry: Any, number: jax.Array) -> tuple[Any, None]:
        params, state = carry
        *draws, dropout = jax.random.split(jax.random.fold_in(key, number), 3)
        batch = [
            own[jax.random.randint(draw, (half,), 0, count)]
            for own, draw, count in zip(numbers, draws, counts, strict=True)
        ]

        def loss(params: Any) -> jax.Array:
            chosen = features[jnp.concatenate(batch)]
            logits = network.apply(params, chosen, True, rngs={"dropout": dropout})
            return optax.sigmoid_binary_cross_entropy(logits, is_second).mean()

        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    carry = params, optimizer.init(params)
    (params, _), _ = jax.lax.scan(step, carry, jnp.arange(steps))
    return params


@functools.partial(jax.jit, static_argnames="network")
def _logits(network: _Network, params: Any, features: jax.Array) -> Any:
    return network.apply(params, features, False)


def logits(
    one: Crowd,
    two: Crowd,
    seed: int = 0,
    steps: int = TRAIN_STEPS,
    reads: Callable[[np.ndarray, int], np.ndarray] = inputs,
) -> tuple[np.ndarray, np.ndarray]:
    """For each melody the log odds that it is of the second crowd, from the other folds.

    Args:
      one, two: crowds of melodies of equal length.
      seed: of all random numbers; the same gives the same.
      steps: of training.
      reads: what the network is given of tokens; see `inputs`, whose form it must have.

    Returns:
      [melodies] float32 of each crowd.

    Raises:
      ValueError: a crowd has no melody outside of some fold.
    """
    network = _Network(one.steps_per_bar)
    features = reads(np.concatenate([one.tokens, two.tokens]), one.steps_per_bar)
    folds = np.concatenate([one.folds, two.folds])
    is_second = np.arange(len(folds)) >= len(one.folds)
    result = np.zeros(len(folds), np.float32)
    on_device = jnp.asarray(features)
    for fold in progress(range(FOLDS), "telling melodies apart", FOLDS):
        order = np.argsort(folds == fold, kind="stable")  # those of the fold come last
        numbers = [order[is_second[order] == crowd] for crowd in (False, True)]
        counts = [int((folds[own] != fold).sum()) for own in numbers]
        if not all(counts):
            raise ValueError(f"a crowd has no melody outside of fold {fold}")
        key = jax.random.fold_in(jax.random.key(seed), fold)
        params = _trained(network, on_device, numbers, counts, key, steps)
        result = np.where(folds == fold, np.asarray(_logits(network, params, on_device)), result)
    return result[~is_second], result[is_second]


def area(one: Crowd, two: Crowd, scores: tuple[np.ndarray, np.ndarray]) -> Area:
    """The area under the ROC curve of `logits`, over the pairs within each fold.

    Pairs of one fold were judged by one network. An interval comes from drawing songs with
    replacement, see `intervals`.

    Raises:
      ValueError: there are no such pairs.
    """
    songs = [np.unique(crowd.songs, return_inverse=True)[1] for crowd in (one, two)]
    rng = np.random.default_rng(0)
    draws = evaluation_intervals.RESAMPLES
    weights = []  # how often each melody was drawn; the first row is of all melodies, once
    for song in songs:
        count = int(song.max()) + 1
        drawn = rng.multinomial(count, np.full(count, 1 / count), draws)
        weights.append(np.concatenate([np.ones((1, count)), drawn])[:, song])
    right, pairs = np.zeros(draws + 1), np.zeros(draws + 1)
    for fold in range(FOLDS):
        own = [crowd.folds == fold for crowd in (one, two)]
        first, second = (score[some] for score, some in zip(scores, own, strict=True))
        order = (second > first[:, None]) + 0.5 * (second == first[:, None])
        w_first, w_second = (w[:, some] for w, some in zip(weights, own, strict=True))
        right += ((w_first @ order) * w_second).sum(axis=1)
        pairs += w_first.sum(axis=1) * w_second.sum(axis=1)
    if not pairs[0]:
        raise ValueError("no fold has melodies of both crowds")
    areas = right[pairs > 0] / pairs[pairs > 0]
    return Area(float(areas[0]), evaluation_intervals.interval_95(areas[1:]))


def tell_apart(
    one: Crowd,
    two: Crowd,
    seed: int = 0,
    steps: int = TRAIN_STEPS,
    reads: Callable[[np.ndarray, int], np.ndarray] = inputs,
) -> Area:
    """How well two crowds of melodies of equal length are told apart; see `logits`."""
    return area(one, two, logits(one, two, seed, steps, reads))
