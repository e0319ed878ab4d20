"""Metrics against loops in NumPy, and against cases counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.models.losses import kl_nats, nll_nats
from musicvae_jax.models.trained import TrainedModel
from musicvae_jax.models.vae import create_model, previous_tokens
from musicvae_jax.music.melody import Melody, join
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions import scores
from tests import helpers

BARS = 4


def tokens_of(*melodies):
    return np.stack([CODECS["melody"].encode(melody) for melody in melodies])


from_tokens = jax.jit(notes_lib.from_tokens, static_argnums=1)


def notes_of(*melodies):
    return from_tokens(tokens_of(*melodies), CODECS["melody"])


def trained(model, params):
    return TrainedModel(params, model, CODECS["melody"])


def alone(melody):
    return scores.bars_alone(notes_of(melody))


def random_melodies(count, seed):
    rng = np.random.default_rng(seed)
    return [helpers.random_melody(rng, BARS) for _ in range(count)]


def bars_of(melody):
    return [melody.window(bar, 1) for bar in range(melody.num_bars)]


def test_similarity_golden():
    tokens = jnp.zeros((1, 32), jnp.int32)
    reference = tokens.at[0, :4].set(5).at[0, 16:].set(5)
    np.testing.assert_allclose(scores.similarity(tokens, reference), [[0.75, 0.0]])


def test_pitch_overlap_by_hand():
    one = Melody.from_notes([(60, 0, 4), (64, 4, 8)], 32)
    two = Melody.from_notes([(72, 0, 2), (67, 2, 8)], 32)  # a quarter of it is a C too
    np.testing.assert_allclose(
        scores.pitch_overlap(notes_of(one), notes_of(two)), [[0.25, 1.0]], atol=1e-6
    )
    silent = Melody.from_notes([], 32)
    np.testing.assert_allclose(scores.pitch_overlap(notes_of(one), notes_of(silent)), [[0, 1]])


def test_overlaps_against_numpy():
    one, two = random_melodies(5, 1), random_melodies(5, 2)
    pitches = np.asarray(scores.pitch_overlap(notes_of(*one), notes_of(*two)))
    onsets = np.asarray(scores.onset_overlap(notes_of(*one), notes_of(*two)))
    for row, pair in enumerate(zip(one, two, strict=True)):
        for bar, both in enumerate(zip(*map(bars_of, pair), strict=True)):
            shares, starts = [], []
            for number, melody in enumerate(both):
                share = np.zeros(12)
                for pitch, start, end in melody.notes():
                    share[pitch % 12] += end - start
                shares.append(share / share.sum())
                # An onset is where a note really begins, not where the bar line cuts one.
                starts.append({s - 16 * bar for s in pair[number].start.tolist() if s // 16 == bar})
            assert pitches[row, bar] == pytest.approx(np.minimum(*shares).sum(), abs=1e-5)
            expected = len(starts[0] & starts[1]) / len(starts[0] | starts[1])
            assert onsets[row, bar] == pytest.approx(expected, abs=1e-6)


def test_progress_is_0_in_one_melody_and_1_in_the_other_whatever_they_share():
    likeness = jnp.array([[1.0, 0.7, 0.85, 1.0]]), jnp.array([[0.7, 1.0, 0.85, 1.0]])
    t = jnp.array([0.0, 0.2, 0.4, 0.6])
    np.testing.assert_allclose(scores.progress(*likeness, t), [[0, 1, 0.5, 0.6]], atol=1e-6)


def test_copied_bars_are_found_anywhere_but_only_whole():
    one, other = random_melodies(2, 3)
    a, b = bars_of(one), bars_of(other)
    changed = Melody.from_notes([(p + (n == 0), s, e) for n, (p, s, e) in enumerate(a[1].notes())],
                                16)  # fmt: skip
    mixed = join([a[2], b[0], changed, b[3]])
    between = jnp.ones(4, bool)
    copied = [scores.copied(alone(mixed), alone(m), between) for m in (one, other)]
    np.testing.assert_allclose(copied, [[0.25], [0.5]])
    between = jnp.array([True, False, True, False])
    np.testing.assert_allclose(scores.copied(alone(mixed), alone(one), between), [0.5])


def test_key_stability_by_hand():
    c_major = Melody.from_notes([(60 + p, 4 * n, 4 * n + 4) for n, p in enumerate(
        [0, 4, 7, 12, 0, 4, 7, 0])], 32)  # fmt: skip
    d_major = c_major.transpose(2)
    # C major's; three of four quarters in it; nothing; D major's.
    between = join([
        Melody.from_notes([(65, 0, 16)], 16), Melody.from_notes([(61, 0, 4), (65, 4, 16)], 16),
        Melody.from_notes([], 16), Melody.from_notes([(61, 0, 16)], 16),
    ])  # fmt: skip
    stability = scores.key_stability(notes_of(between), notes_of(c_major), notes_of(d_major))
    np.testing.assert_allclose(stability, [(1 + 0.75 + 1 + 1) / 4])


@pytest.mark.parametrize("latent", ["per_bar", "global"])
def test_the_bound_is_the_training_loss_at_the_mean(latent):
    config = helpers.small_config(bars=2, latent=latent)
    model = create_model(config.model)
    params = helpers.random_params(config)
    melodies = [melody.window(0, 2) for melody in random_melodies(3, 4)]
    tokens = jnp.asarray(tokens_of(*melodies))
    bar_nll = jax.jit(lambda params, notes: scores.bar_nll(trained(model, params), notes))
    nll = bar_nll(params, notes_of(*melodies))
    model = helpers.Jitted(model)
    mu, sigma = model.apply({"params": params}, tokens, method="encode")
    path = model.apply({"params": params}, mu, method="path")
    logits = model.apply(
        {"params": params}, path, previous_tokens(tokens, model.vocab), method="teacher_forced"
    )
    bound = nll_nats(logits, tokens).sum(axis=1) + kl_nats(mu, sigma).reshape(3, -1).sum(axis=1)
    np.testing.assert_allclose(nll.mean(axis=1), bound / 32, rtol=1e-5)


def test_measures_of_whole_transitions():
    config = helpers.small_config(bars=2)
    model, params = create_model(config.model), helpers.random_params(config)
    one, two = random_melodies(3, 5), random_melodies(3, 6)
    t = jnp.linspace(0, 1, BARS)
    bars = [[*bars_of(a)[:1], *bars_of(b)[1:]] for a, b in zip(one, two, strict=True)]
    cases = {
        "cut": [join(b) for b in bars],
        "first": one,
        "back": [join([b[0], b[1], a2, b[3]]) for b, a in zip(bars, one, strict=True)
                 for a2 in bars_of(a)[2:3]],
    }  # fmt: skip
    measure = jax.jit(scores.measure)
    measured = {}
    for name, melodies in cases.items():
        pair = notes_of(*one), notes_of(*two)
        by_bar, whole = measure(trained(model, params), tokens_of(*melodies), pair, t)
        measured[name] = jax.tree.map(np.asarray, vars(by_bar) | vars(whole))
    np.testing.assert_allclose(measured["cut"]["progress"], [[0, 1, 1, 1]] * 3, atol=1e-5)
    np.testing.assert_allclose(measured["cut"]["largest_jump"], 1, atol=1e-5)
    np.testing.assert_allclose(measured["cut"]["monotonicity"], 1, atol=1e-5)
    np.testing.assert_allclose(measured["cut"]["score"], 0, atol=1e-2)
    np.testing.assert_allclose(measured["cut"]["tracking_error"], (2 / 3 + 1 / 3) / 4, atol=1e-5)
    # There, back and there again is three times the way.
    np.testing.assert_allclose(measured["back"]["monotonicity"], 1 / 3, atol=1e-5)
    np.testing.assert_allclose(
        measured["first"]["nll_excess"],
        measured["first"]["nll_1"] - (measured["first"]["nll_1"] + measured["first"]["nll_2"]) / 2,
        atol=1e-5,
    )
    assert all(value.shape in ((3,), (3, BARS)) for value in measured["cut"].values())
