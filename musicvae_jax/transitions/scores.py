"""How good a transition is, measured on batches under jit.

Of each bar, as it is alone, with a note that is held into it struck at its beginning:

  similarity       share of equal tokens: one less the normalised Hamming distance of
                   Roberts et al. 2018 (arXiv 1803.05428)
  pitch_overlap    intersection of the two histograms of pitch classes, by sounding time
  onset_overlap    onsets in common over onsets in either (Jaccard)
  likeness         the mean of the three, to melody 1 and to melody 2
  progress         d1 / (d1 + d2) with d = 1 - likeness: 0 in a bar of melody 1, 1 in one
                   of melody 2, whatever those two have in common
  nll              negative log likelihood, nats a token: the model's bound (below)

Of the transition, with progress 0 before its first bar and 1 after its last:

  monotonicity     1 over the sum of all changes of progress: 1 if it never turns back
  largest_jump     the largest change of progress from one bar to the next
  tracking_error   mean distance of progress from the curve
  nll_excess       mean nll less that of the melodies, weighted by the curve: what the
                   transition costs beyond its ends
  key_stability    mean share of a bar's sounding time that is in the scale of melody 1's
                   key, or of melody 2's, whichever is larger
  copied_1, copied_2  share of the bars in between that are some bar of melody 1 or 2,
                   note by note
  score            geometric mean of monotonicity, 1 - largest_jump, key_stability and
                   exp(-max(nll_excess, 0)): nought if it fails in one of them

The bound is the negative evidence lower bound at the posterior mean: the melody is
encoded anew, decoded with its own notes fed, and the divergence of its posterior from
the prior is added. So every strategy is asked the same, how well the model knows such a
melody, and not how well it keeps to a latent.
"""

import jax
import jax.numpy as jnp

from musicvae_jax.models.losses import kl_nats, nll_nats
from musicvae_jax.models.vae import MusicVAE, previous_tokens
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.transitions import constraints, encoding
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.notes import SILENCE, Notes


def _by_bar(per_step: jax.Array) -> jax.Array:
    """[batch, steps, ...] -> [batch, bars, 16, ...]."""
    batch, steps = per_step.shape[:2]
    return per_step.reshape(batch, steps // STEPS_PER_BAR, STEPS_PER_BAR, *per_step.shape[2:])


def _begins(notes: Notes) -> jax.Array:
    """[steps] bool, the first step of each bar."""
    return jnp.arange(notes.pitch.shape[1]) % STEPS_PER_BAR == 0


def bars_alone(notes: Notes) -> Notes:
    """Strikes what is held into a bar, so that each bar says all that sounds in it."""
    return notes_lib.strike(notes, _begins(notes))


def similarity(tokens: jax.Array, reference: jax.Array) -> jax.Array:
    """The share of equal tokens in each bar: [batch, bars], for [batch, steps] each."""
    return _by_bar(tokens == reference).mean(axis=-1)


def _pitch_classes(notes: Notes) -> jax.Array:
    """Steps that each pitch class sounds in each bar: [batch, bars, 12]."""
    classes = jnp.where(notes.pitch == SILENCE, 12, notes.pitch % 12)
    return jax.nn.one_hot(_by_bar(classes), 12).sum(axis=2)


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
    one, two = _by_bar(notes.onset), _by_bar(reference.onset)
    common, either = (one & two).sum(axis=-1), (one | two).sum(axis=-1)
    return jnp.where(either == 0, 1.0, common / jnp.maximum(either, 1))


def progress(likeness_1: jax.Array, likeness_2: jax.Array, t: jax.Array) -> jax.Array:
    """How far from melody 1 to melody 2 each bar is: [batch, bars].

    A bar that is in both melodies, and is like both, is where the curve `t` [bars] has it.
    """
    distance_1, distance_2 = (jnp.maximum(1 - like, 0.0) for like in (likeness_1, likeness_2))
    total = distance_1 + distance_2
    return jnp.where(total < 1e-6, t, distance_1 / jnp.maximum(total, 1e-6))


def bar_nll(model: MusicVAE, params: dict, codec: str, notes: Notes) -> jax.Array:
    """The bound on the negative log likelihood of each bar: [batch, bars], nats a token."""
    variables = {"params": params}
    bars = notes.pitch.shape[1] // STEPS_PER_BAR
    mu, sigma = encoding.encode_windows(model, params, notes, codec)
    divergence = kl_nats(mu, sigma).sum(axis=-1)  # [batch, windows], or by bar
    if not model.per_bar:
        divergence = jnp.repeat(divergence / model.bars, model.bars, axis=1)
    divergence = divergence.reshape(len(mu), -1)[:, :bars]
    path = encoding.window_path(model, mu)[:, :bars]
    tokens = notes_lib.to_tokens(notes, codec)
    embeddings = model.apply(variables, path, method="bar_embeddings")
    logits = model.apply(
        variables, embeddings, previous_tokens(tokens, model.vocab), method="teacher_forced_bars"
    )
    return (_by_bar(nll_nats(logits, tokens)).sum(axis=-1) + divergence) / STEPS_PER_BAR


def key_stability(notes: Notes, notes_1: Notes, notes_2: Notes) -> jax.Array:
    """See above: [batch]; a silent bar is in every key."""
    classes = _pitch_classes(notes)
    total = classes.sum(axis=-1)
    inside = []
    for melody in (notes_1, notes_2):
        key = constraints.find_keys(constraints.pitch_class_weights(melody))
        inside.append((classes * constraints.key_scales(key)[:, None]).sum(axis=-1))
    share = jnp.maximum(*inside) / jnp.maximum(total, 1)
    return jnp.where(total == 0, 1.0, share).mean(axis=-1)


def copied(notes: Notes, reference: Notes, is_between: jax.Array) -> jax.Array:
    """The share of the bars [bars] bool that are some bar of the reference: [batch].

    Both as of `bars_alone`.
    """
    bars, others = (
        _by_bar(notes_lib.to_tokens(each, "melody", _begins(each))) for each in (notes, reference)
    )
    same = (bars[:, :, None] == others[:, None]).all(axis=-1).any(axis=-1)
    return (same & is_between).sum(axis=-1) / jnp.maximum(is_between.sum(), 1)


def measure(
    model: MusicVAE,
    params: dict,
    codec: str,
    tokens: jax.Array,
    notes_1: Notes,
    notes_2: Notes,
    t: jax.Array,
) -> dict[str, jax.Array]:
    """All of the above.

    Args:
      model, params, codec: as of `transitions.transition`.
      tokens: [batch, steps] int32, the transitions.
      notes_1, notes_2: the melodies that they were made from.
      t: [bars], the curve that was followed.

    Returns:
      By name, [batch, bars] or [batch] float32.
    """
    notes = notes_lib.from_tokens(tokens, codec)
    melodies = (notes_1, notes_2)
    alone, *others = (bars_alone(each) for each in (notes, *melodies))
    by_bar, likeness = {}, []
    for number, other in enumerate(others, start=1):
        said = [notes_lib.to_tokens(each, codec, _begins(each)) for each in (alone, other)]
        parts = {
            "similarity": similarity(*said),
            "pitch_overlap": pitch_overlap(alone, other),
            "onset_overlap": onset_overlap(alone, other),
        }
        likeness.append(sum(parts.values()) / len(parts))
        by_bar |= {f"{name}_{number}": value for name, value in parts.items()}
        by_bar[f"likeness_{number}"] = likeness[-1]
    by_bar["progress"] = progress(*likeness, t)
    together = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), notes, *melodies)
    by_bar["nll"], nll_1, nll_2 = jnp.split(bar_nll(model, params, codec, together), 3)
    nll_1, nll_2 = nll_1.mean(axis=1), nll_2.mean(axis=1)

    whole_way = jnp.pad(by_bar["progress"], ((0, 0), (1, 0)))
    whole_way = jnp.pad(whole_way, ((0, 0), (0, 1)), constant_values=1.0)
    change = jnp.abs(jnp.diff(whole_way, axis=1))
    expected = jnp.outer(nll_1, 1 - t) + jnp.outer(nll_2, t)
    is_between = (t > 0) & (t < 1)
    whole = {
        "monotonicity": 1 / jnp.maximum(change.sum(axis=1), 1),
        "largest_jump": change.max(axis=1),
        "tracking_error": jnp.abs(by_bar["progress"] - t).mean(axis=1),
        "nll_1": nll_1,
        "nll_2": nll_2,
        "nll_excess": (by_bar["nll"] - expected).mean(axis=1),
        "key_stability": key_stability(notes, *melodies),
        "copied_1": copied(alone, others[0], is_between),
        "copied_2": copied(alone, others[1], is_between),
    }
    factors = (
        whole["monotonicity"],
        jnp.maximum(1 - whole["largest_jump"], 0),
        whole["key_stability"],
        jnp.exp(-jnp.maximum(whole["nll_excess"], 0)),
    )
    score = jnp.stack(factors).prod(axis=0) ** (1 / len(factors))
    return {**by_bar, **whole, "score": score}
