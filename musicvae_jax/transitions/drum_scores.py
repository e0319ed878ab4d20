"""How good a transition between drum patterns is; see `scores`, whose measures of bars it shares.

Drums have no pitch: instead of pitch classes the hits of each piece are compared, and instead of
a key it is the density that should not leave the way from one pattern to the other.
"""

import flax
import jax
import jax.numpy as jnp

from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.tokens import SILENCE
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions import scores
from musicvae_jax.transitions.notes import Notes


@flax.struct.dataclass
class DrumBarScores:
    """Scores of each bar of a transition: [bars] float32 each, or [batch, bars].

    Attributes:
      likeness_1, likeness_2: the mean of hit overlap and groove similarity, to the bars of
        patterns 1 and 2.
      nll: negative log likelihood, nats a token, as in `scores.BarScores`.
      density: hits.
      groove_similarity_1, groove_similarity_2: the share of steps at which both strike something
        or neither does (Wu & Yang 2020, arXiv 2008.01307, section 4).
      hit_overlap_1, hit_overlap_2: twice the hits in common, piece by piece, over the hits of both
        (F1).
      progress: as in `scores.BarScores`.
      similarity_1, similarity_2: the share of equal tokens.
    """

    likeness_1: jax.Array
    likeness_2: jax.Array
    nll: jax.Array
    density: jax.Array
    groove_similarity_1: jax.Array
    groove_similarity_2: jax.Array
    hit_overlap_1: jax.Array
    hit_overlap_2: jax.Array
    progress: jax.Array
    similarity_1: jax.Array
    similarity_2: jax.Array


@flax.struct.dataclass
class DrumBridgeScores:
    """Scores of the whole transition: a number each, or [batch].

    Attributes:
      density_stability: the mean over bars of the smaller over the larger of the density and of
        what lies on the way between the patterns, by the curve.
      copied_1 and so on: as in `scores.BridgeScores`.
      score: the geometric mean of monotonicity, 1 - largest_jump, density_stability and
        exp(-max(nll_excess, 0)).
    """

    copied_1: float | jax.Array
    copied_2: float | jax.Array
    density_stability: float | jax.Array
    largest_jump: float | jax.Array
    monotonicity: float | jax.Array
    nll_1: float | jax.Array
    nll_2: float | jax.Array
    nll_excess: float | jax.Array
    score: float | jax.Array
    tracking_error: float | jax.Array


def hits(notes: Notes) -> jax.Array:
    """Which pieces each step strikes: [batch, steps, 9] bool; the sound is the token."""
    tokens = jnp.where(notes.pitch == SILENCE, 0, notes.pitch)
    return (tokens[..., None] >> jnp.arange(len(PIECES)) & 1).astype(bool)


def hit_overlap(notes: Notes, reference: Notes) -> jax.Array:
    """F1 of the hits of each bar: [batch, bars]; 1 if both are silent."""
    one, two = (scores.by_bar(hits(each), notes.steps_per_bar) for each in (notes, reference))
    common = (one & two).sum(axis=(-2, -1))
    both = one.sum(axis=(-2, -1)) + two.sum(axis=(-2, -1))
    return jnp.where(both == 0, 1.0, 2 * common / jnp.maximum(both, 1))


def groove_similarity(notes: Notes, reference: Notes) -> jax.Array:
    """The share of steps of each bar at which both strike something or neither: [batch, bars]."""
    same = notes.onset == reference.onset
    return scores.by_bar(same, notes.steps_per_bar).mean(axis=-1)


def density(notes: Notes) -> jax.Array:
    """Hits of each bar: [batch, bars] float32."""
    by_bar = scores.by_bar(hits(notes), notes.steps_per_bar)
    return by_bar.sum(axis=(-2, -1)).astype(jnp.float32)


def density_stability(notes: Notes, pair: tuple[Notes, Notes], t: jax.Array) -> jax.Array:
    """See `DrumBridgeScores`: [batch]."""
    means = [density(each).mean(axis=1) for each in pair]
    wanted = jnp.outer(means[0], 1 - t) + jnp.outer(means[1], t)
    found = density(notes)
    least, most = jnp.minimum(found, wanted) + 1, jnp.maximum(found, wanted) + 1
    return (least / most).mean(axis=1)


def measure(
    trained: TrainedModel, tokens: jax.Array, pair: tuple[Notes, Notes], t: jax.Array
) -> tuple[DrumBarScores, DrumBridgeScores]:
    """Measures transitions; the arguments and results are those of `scores.measure`."""
    notes = notes_lib.from_tokens(tokens, trained.codec, trained.model.steps_per_bar)
    overlap = [hit_overlap(notes, other) for other in pair]
    groove = [groove_similarity(notes, other) for other in pair]
    likeness = [(o + g) / 2 for o, g in zip(overlap, groove, strict=True)]
    said = [notes_lib.to_tokens(each, trained.codec) for each in (notes, *pair)]
    same = [scores.similarity(said[0], other, notes.steps_per_bar) for other in said[1:]]
    whole = scores.along(trained, notes, pair, t, (likeness[0], likeness[1]))
    stability = density_stability(notes, pair, t)
    by_bar = DrumBarScores(
        likeness_1=likeness[0],
        likeness_2=likeness[1],
        nll=whole.nll,
        density=density(notes),
        groove_similarity_1=groove[0],
        groove_similarity_2=groove[1],
        hit_overlap_1=overlap[0],
        hit_overlap_2=overlap[1],
        progress=whole.progress,
        similarity_1=same[0],
        similarity_2=same[1],
    )
    is_between = (t > 0) & (t < 1)
    return by_bar, DrumBridgeScores(
        copied_1=scores.copied(notes, pair[0], is_between, trained.codec),
        copied_2=scores.copied(notes, pair[1], is_between, trained.codec),
        density_stability=stability,
        largest_jump=whole.largest_jump,
        monotonicity=whole.monotonicity,
        nll_1=whole.nll_1,
        nll_2=whole.nll_2,
        nll_excess=whole.nll_excess,
        score=whole.score(stability),
        tracking_error=jnp.abs(whole.progress - t).mean(axis=1),
    )
