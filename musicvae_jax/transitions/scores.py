"""How good a transition is, measured on batches under jit.

`BarScores` are of each bar as it is alone, with a note that is held into it struck at its
beginning; `BridgeScores` are of the whole.

The bound is the negative evidence lower bound at the posterior mean: the melody is
encoded anew, decoded with its own notes fed, and the divergence of its posterior from
the prior is added. So every strategy is asked the same: how well the model knows such a
melody, not how well it keeps to a latent.
"""

import dataclasses

import flax
import jax
import jax.numpy as jnp

from musicvae_jax.models.losses import kl_nats, nll_nats
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.models.vae import previous_tokens
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import CODECS, SILENCE, Codec
from musicvae_jax.transitions import constraints, encoding
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.notes import Notes


@flax.struct.dataclass
class BarScores:
    """Scores of each bar of a transition: [bars] float32 each, or [batch, bars].

    Attributes:
      likeness_1, likeness_2: the mean of similarity, pitch overlap and onset overlap, to
        melody 1 and to melody 2.
      nll: negative log likelihood, nats a token: the model's bound, see above.
      onset_overlap_1, onset_overlap_2: onsets in common over onsets in either (Jaccard).
      pitch_overlap_1, pitch_overlap_2: the intersection of the two histograms of pitch
        classes, by sounding time.
      progress: d1 / (d1 + d2) with d = 1 - likeness: 0 in a bar of melody 1, 1 in one of
        melody 2, whatever those two have in common.
      similarity_1, similarity_2: the share of equal tokens: one less the normalised Hamming
        distance of Roberts et al. 2018 (arXiv 1803.05428).
    """

    likeness_1: jax.Array
    likeness_2: jax.Array
    nll: jax.Array
    onset_overlap_1: jax.Array
    onset_overlap_2: jax.Array
    pitch_overlap_1: jax.Array
    pitch_overlap_2: jax.Array
    progress: jax.Array
    similarity_1: jax.Array
    similarity_2: jax.Array


@flax.struct.dataclass
class BridgeScores:
    """Scores of a whole transition: a number each, or [batch].

    For the changes of progress, it is 0 before the first bar and 1 after the last.

    Attributes:
      copied_1, copied_2: the share of the bars in between that are some bar of melody 1 or
        2, note by note.
      key_stability: the mean share of a bar's sounding time that is in the scale of melody
        1's key, or of melody 2's, whichever is larger.
      largest_jump: the largest change of progress from one bar to the next.
      monotonicity: 1 over the sum of all changes of progress: 1 if it never turns back.
      nll_1, nll_2: the mean nll of melody 1 and of melody 2.
      nll_excess: the mean nll less that of the melodies, weighted by the curve: what the
        transition costs beyond its ends.
      score: the geometric mean of monotonicity, 1 - largest_jump, key_stability and
        exp(-max(nll_excess, 0)): 0 if it fails in one of them.
      tracking_error: the mean distance of progress from the curve.
    """

    copied_1: float | jax.Array
    copied_2: float | jax.Array
    key_stability: float | jax.Array
    largest_jump: float | jax.Array
    monotonicity: float | jax.Array
    nll_1: float | jax.Array
    nll_2: float | jax.Array
    nll_excess: float | jax.Array
    score: float | jax.Array
    tracking_error: float | jax.Array


def by_bar(per_step: jax.Array, steps_per_bar: int) -> jax.Array:
    """[batch, steps, ...] -> [batch, bars, steps_per_bar, ...]."""
    batch, steps = per_step.shape[:2]
    return per_step.reshape(batch, steps // steps_per_bar, steps_per_bar, *per_step.shape[2:])


def _begins(notes: Notes) -> jax.Array:
    """[steps] bool, the first step of each bar."""
    return jnp.arange(notes.pitch.shape[1]) % notes.steps_per_bar == 0


def bars_alone(notes: Notes) -> Notes:
    """Strikes what is held into a bar, so that each bar says all that sounds in it."""
    return notes_lib.strike(notes, _begins(notes))


def similarity(
    tokens: jax.Array, reference: jax.Array, steps_per_bar: int = STEPS_PER_BAR
) -> jax.Array:
    """The share of equal tokens in each bar: [batch, bars], for [batch, steps] each."""
    return by_bar(tokens == reference, steps_per_bar).mean(axis=-1)


def _pitch_classes(notes: Notes) -> jax.Array:
    """Steps that each pitch class sounds in each bar: [batch, bars, 12]."""
    classes = jnp.where(notes.pitch == SILENCE, 12, notes.pitch % 12)
    return jax.nn.one_hot(by_bar(classes, notes.steps_per_bar), 12).sum(axis=2)


def pitch_overlap(notes: Notes, reference: Notes) -> jax.Array:
    """The intersection of histograms of pitch classes in each bar: [batch, bars].

    1 if both are silent, 0 if one is.
    """
    counts = _pitch_classes(notes), _pitch_classes(reference)
    totals = [count.sum(axis=-1, keepdims=True) for count in counts]
    shares = [c / jnp.maximum(total, 1) for c, total in zip(counts, totals, strict=True)]
    both_silent = (totals[0] + totals[1])[..., 0] == 0
    return jnp.where(both_silent, 1.0, jnp.minimum(*shares).sum(axis=-1))


def onset_overlap(notes: Notes, reference: Notes) -> jax.Array:
    """Onsets in common over onsets in either, in each bar: [batch, bars]; 1 without any."""
    one, two = (by_bar(each.onset, notes.steps_per_bar) for each in (notes, reference))
    common, either = (one & two).sum(axis=-1), (one | two).sum(axis=-1)
    return jnp.where(either == 0, 1.0, common / jnp.maximum(either, 1))


def progress(likeness_1: jax.Array, likeness_2: jax.Array, t: jax.Array) -> jax.Array:
    """How far from melody 1 to melody 2 each bar is: [batch, bars].

    A bar that is in both melodies, and is like both, is where the curve `t` [bars] has it.
    """
    distance_1, distance_2 = (jnp.maximum(1 - like, 0.0) for like in (likeness_1, likeness_2))
    total = distance_1 + distance_2
    return jnp.where(total < 1e-6, t, distance_1 / jnp.maximum(total, 1e-6))


def bar_nll(trained: TrainedModel, notes: Notes) -> jax.Array:
    """The bound on the negative log likelihood of each bar: [batch, bars], nats a token."""
    model = trained.model
    bars, per_bar = notes.num_bars, notes.steps_per_bar
    mu, sigma = encoding.encode_windows(trained, notes)
    divergence = kl_nats(mu, sigma).sum(axis=-1)  # [batch, windows], or by bar
    if not model.per_bar:
        divergence = jnp.repeat(divergence / model.bars, model.bars, axis=1)
    divergence = divergence.reshape(len(mu), -1)[:, :bars]
    embeddings = trained.apply("bar_embeddings", encoding.window_path(model, mu)[:, :bars])
    tokens = notes_lib.to_tokens(notes, trained.codec)
    inputs = previous_tokens(tokens, model.vocab)
    logits = trained.apply("teacher_forced_bars", embeddings, inputs)
    return (by_bar(nll_nats(logits, tokens), per_bar).sum(axis=-1) + divergence) / per_bar


def key_stability(notes: Notes, notes_1: Notes, notes_2: Notes) -> jax.Array:
    """See `BridgeScores`: [batch]; a silent bar is in every key."""
    classes = _pitch_classes(notes)
    total = classes.sum(axis=-1)
    inside = []
    for melody in (notes_1, notes_2):
        key = constraints.key_numbers(constraints.pitch_class_weights(melody))
        inside.append((classes * constraints.key_scales(key)[:, None]).sum(axis=-1))
    share = jnp.maximum(*inside) / jnp.maximum(total, 1)
    return jnp.where(total == 0, 1.0, share).mean(axis=-1)


def copied(
    notes: Notes, reference: Notes, is_between: jax.Array, codec: Codec = CODECS["melody"]
) -> jax.Array:
    """The share of the bars [bars] bool that are some bar of the reference: [batch].

    Both as of `bars_alone`, in a codec that tells everything of them.
    """
    bars, others = (
        by_bar(notes_lib.to_tokens(each, codec, _begins(each)), notes.steps_per_bar)
        for each in (notes, reference)
    )
    same = (bars[:, :, None] == others[:, None]).all(axis=-1).any(axis=-1)
    return (same & is_between).sum(axis=-1) / jnp.maximum(is_between.sum(), 1)


def _likenesses(
    notes: Notes, other: Notes, codec: Codec
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """`similarity`, `pitch_overlap`, `onset_overlap` and their mean: [batch, bars] each."""
    said = [notes_lib.to_tokens(each, codec, _begins(each)) for each in (notes, other)]
    alike = similarity(said[0], said[1], notes.steps_per_bar)
    parts = (alike, pitch_overlap(notes, other), onset_overlap(notes, other))
    return (*parts, jnp.asarray(sum(parts)) / len(parts))


@dataclasses.dataclass(frozen=True)
class Along:
    """What is measured of every kind of music in the same way; see `BarScores`, `BridgeScores`.

    Attributes:
      nll, progress: [batch, bars].
      nll_1, nll_2, nll_excess, monotonicity, largest_jump: [batch].
    """

    nll: jax.Array
    progress: jax.Array
    nll_1: jax.Array
    nll_2: jax.Array
    nll_excess: jax.Array
    monotonicity: jax.Array
    largest_jump: jax.Array

    def score(self, stability: jax.Array) -> jax.Array:
        """The geometric mean of what makes a transition good: [batch]."""
        factors = (
            self.monotonicity,
            jnp.maximum(1 - self.largest_jump, 0),
            stability,
            jnp.exp(-jnp.maximum(self.nll_excess, 0)),
        )
        return jnp.stack(factors).prod(axis=0) ** (1 / len(factors))


def along(
    trained: TrainedModel,
    notes: Notes,
    pair: tuple[Notes, Notes],
    t: jax.Array,
    likeness: tuple[jax.Array, jax.Array],
) -> Along:
    """How transitions go from the one to the other.

    Args:
      trained, pair, t: as for `measure`.
      notes: the transitions.
      likeness: [batch, bars] each, to both.
    """
    together = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), notes, *pair)
    nll, *ends = jnp.split(bar_nll(trained, together), 3)
    nll_1, nll_2 = (each.mean(axis=1) for each in ends)
    way = progress(*likeness, t)
    whole_way = jnp.pad(way, ((0, 0), (1, 0)))
    whole_way = jnp.pad(whole_way, ((0, 0), (0, 1)), constant_values=1.0)
    change = jnp.abs(jnp.diff(whole_way, axis=1))
    expected = jnp.outer(nll_1, 1 - t) + jnp.outer(nll_2, t)
    return Along(
        nll=nll,
        progress=way,
        nll_1=nll_1,
        nll_2=nll_2,
        nll_excess=(nll - expected).mean(axis=1),
        monotonicity=1 / jnp.maximum(change.sum(axis=1), 1),
        largest_jump=change.max(axis=1),
    )


def measure(
    trained: TrainedModel, tokens: jax.Array, pair: tuple[Notes, Notes], t: jax.Array
) -> tuple[BarScores, BridgeScores]:
    """Measures transitions.

    Args:
      trained: the model, which judges how likely they are.
      tokens: [batch, steps] int32, the transitions.
      pair: the melodies that they were made from.
      t: [bars], the curve that was followed.

    Returns:
      Scores of each bar [batch, bars], and of the whole [batch], float32.
    """
    notes = notes_lib.from_tokens(tokens, trained.codec, trained.model.steps_per_bar)
    alone, alone_1, alone_2 = (bars_alone(each) for each in (notes, *pair))
    similarity_1, pitch_1, onset_1, likeness_1 = _likenesses(alone, alone_1, trained.codec)
    similarity_2, pitch_2, onset_2, likeness_2 = _likenesses(alone, alone_2, trained.codec)
    whole = along(trained, notes, pair, t, (likeness_1, likeness_2))
    of_bars = BarScores(
        likeness_1=likeness_1,
        likeness_2=likeness_2,
        nll=whole.nll,
        onset_overlap_1=onset_1,
        onset_overlap_2=onset_2,
        pitch_overlap_1=pitch_1,
        pitch_overlap_2=pitch_2,
        progress=whole.progress,
        similarity_1=similarity_1,
        similarity_2=similarity_2,
    )
    stability = key_stability(notes, *pair)
    is_between = (t > 0) & (t < 1)
    return of_bars, BridgeScores(
        copied_1=copied(alone, alone_1, is_between),
        copied_2=copied(alone, alone_2, is_between),
        key_stability=stability,
        largest_jump=whole.largest_jump,
        monotonicity=whole.monotonicity,
        nll_1=whole.nll_1,
        nll_2=whole.nll_2,
        nll_excess=whole.nll_excess,
        score=whole.score(stability),
        tracking_error=jnp.abs(whole.progress - t).mean(axis=1),
    )
