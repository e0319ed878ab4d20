"""How far predicted velocities and timing are from what drummers did.

Beside the head, two ways that look at less: the mean of the training data for the piece and the
place in the bar, and a random performance of the training data, whose hits are copied where
it has the piece at that place, or else anywhere. Whoever errs least plays like nobody, since the
middle of what drummers may do is always alike; so it is also measured how far all that is predicted
is distributed as what was played.
"""

import jax
import numpy as np

from musicvae_jax.datasets.grooves import Grooves
from musicvae_jax.inference.humaniser import Humaniser
from musicvae_jax.models.groove_head import LOUDEST, OFFSET, VELOCITY, GrooveHead
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drums import STEPS_PER_BAR, STEPS_PER_QUARTER

_BATCH = 256
# Velocities and offsets of each hit of windows: [windows, steps, 9] each.
Predicted = tuple[np.ndarray, np.ndarray]


# Into so many parts the range of each is divided, to compare distributions.
_VELOCITY_BINS, _OFFSET_BINS = 16, 20


def of_head(
    humaniser: Humaniser, test: Grooves, temperature: float = 0.0, seed: int = 0
) -> Predicted:
    """The middle of the head's distributions, or drawn from them at a temperature."""
    head = GrooveHead(**humaniser.config)
    apply = jax.jit(head.apply)
    made = []
    for start in range(0, len(test), _BATCH):
        some = test[start : start + _BATCH]
        hits = some.hits.astype(np.float32)
        made.append(jax.device_get(apply({"params": humaniser.params}, hits, some.tempo_bpm)))
    middle, scale = (np.concatenate(parts) for parts in zip(*made, strict=True))
    drawn = np.random.default_rng(seed).laplace(size=scale.shape)
    wanted = middle + temperature * scale * drawn
    velocity = np.clip(wanted[..., VELOCITY] * LOUDEST, 1, LOUDEST)
    return velocity, np.clip(wanted[..., OFFSET], -0.5, 0.5)


def _means(grooves: Grooves, by_place: bool) -> Predicted:
    """The mean velocity and offset of each piece, at each place in the bar: [16, 9] each."""
    shape = (-1, STEPS_PER_BAR, len(PIECES))
    hits = grooves.hits.reshape(shape)
    sums = [hits.sum(axis=0)]
    sums += [(values.reshape(shape) * hits).sum(axis=0) for values in _values(grooves)]
    whole = [np.broadcast_to(part.sum(axis=0), part.shape) for part in sums]
    count, *totals = sums if by_place else whole
    rest, *all_totals = whole
    means = [
        np.where(count > 0, total / np.maximum(count, 1), every / np.maximum(rest, 1))
        for total, every in zip(totals, all_totals, strict=True)
    ]
    return means[0], means[1]


def _values(grooves: Grooves) -> Predicted:
    return grooves.velocity.astype(np.float64), grooves.offset.astype(np.float64)


def of_mean(train: Grooves, test: Grooves, by_place: bool = True) -> Predicted:
    """The mean of the training data."""
    bars = test.velocity.shape[1] // STEPS_PER_BAR
    velocity, offset = (np.tile(mean, (bars, 1)) for mean in _means(train, by_place))
    shape = test.velocity.shape
    return np.broadcast_to(velocity, shape), np.broadcast_to(offset, shape)


def of_random(train: Grooves, test: Grooves, seed: int = 0) -> Predicted:
    """A random window of the training data for each; where it lacks a piece, the mean of all."""
    drawn = np.random.default_rng(seed).integers(len(train), size=len(test))
    overall = _means(train, by_place=False)
    velocity, offset = np.zeros(test.velocity.shape), np.zeros(test.velocity.shape)
    bars = test.velocity.shape[1] // STEPS_PER_BAR
    for row, number in enumerate(drawn):
        one = train[number : number + 1]
        means = _means(one, by_place=True)
        has_piece = one.hits.any(axis=(0, 1))
        parts = zip((velocity, offset), _values(one), means, overall, strict=True)
        for result, own, mean, usual in parts:
            copied = np.where(one.hits[0], own[0], np.tile(mean, (bars, 1)))
            result[row] = np.where(has_piece, copied, np.tile(usual, (bars, 1)))
    return velocity, offset


def errors(predicted: Predicted, test: Grooves) -> dict[str, float]:
    """Mean absolute errors over all hits: of velocity (of 127), and of timing in milliseconds.

    And mean squared ones, of velocities as shares of 127 and of timing in steps; and the
    divergence of all velocities, and of all timing in steps, from what was played.
    """
    hits = test.hits
    velocity, offset = (p - t for p, t in zip(predicted, _values(test), strict=True))
    step_ms = 60_000 / test.tempo_bpm / STEPS_PER_QUARTER
    count = hits.sum()
    return {
        "velocity_mae": float(np.abs(velocity)[hits].sum() / count),
        "timing_mae_ms": float((np.abs(offset) * step_ms[:, None, None])[hits].sum() / count),
        "velocity_mse": float(((velocity / LOUDEST) ** 2)[hits].sum() / count),
        "timing_mse_steps": float((offset**2)[hits].sum() / count),
        "velocity_kl_nats": _divergence(
            test.velocity[hits], predicted[0][hits], np.linspace(0, LOUDEST + 1, _VELOCITY_BINS + 1)
        ),
        "timing_kl_nats": _divergence(
            test.offset[hits], predicted[1][hits], np.linspace(-0.5, 0.5, _OFFSET_BINS + 1)
        ),
    }


def _divergence(played: np.ndarray, predicted: np.ndarray, edges: np.ndarray) -> float:
    """KL(played || predicted) in nats of two sets of numbers, in parts of a range.

    One is added to the count of each part, so that it is finite.
    """
    counts = [np.histogram(values, edges)[0] + 1.0 for values in (played, predicted)]
    p, q = (count / count.sum() for count in counts)
    return float((p * np.log(p / q)).sum())


def ways(
    humaniser: Humaniser, train: Grooves, test: Grooves, seed: int = 0
) -> dict[str, Predicted]:
    """What the head predicts, and what the ways that look at less do, by name."""
    zero = np.zeros(test.velocity.shape)
    flat = train.velocity[train.hits].mean()
    return {
        "head": of_head(humaniser, test),
        "head, drawn": of_head(humaniser, test, 1.0, seed),
        "mean of the piece at its place": of_mean(train, test),
        "mean of the piece": of_mean(train, test, by_place=False),
        "on the grid, all alike": (zero + flat, zero),
        "a random performance": of_random(train, test, seed),
    }
