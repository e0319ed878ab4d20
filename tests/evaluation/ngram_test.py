import collections

import numpy as np

from musicvae_jax.evaluation.ngram import NGram, of_melodies
from musicvae_jax.music.tokens import MelodyCodec, transpose_tokens
from tests import helpers


def by_hand(train, test, vocab, order):
    """The recursion of Witten & Bell with dictionaries."""
    counts = collections.Counter()
    for row in train.tolist():
        row = [vocab] * (order - 1) + row
        for end in range(order - 1, len(row)):
            for length in range(order):
                counts[tuple(row[end - length : end + 1])] += 1

    def probability(context, token):
        shorter = probability(context[1:], token) if context else 1 / vocab
        after = {w: counts[(*context, w)] for w in range(vocab) if counts[(*context, w)]}
        total, kinds = sum(after.values()), len(after)
        return (after.get(token, 0) + kinds * shorter) / (total + kinds) if total else shorter

    result = []
    for row in test.tolist():
        row = [vocab] * (order - 1) + row
        steps = range(order - 1, len(row))
        result.append(-np.mean([
            np.log(probability(tuple(row[end - order + 1 : end]), row[end])) for end in steps
        ]))  # fmt: skip
    return result


def test_the_recursion_of_witten_and_bell():
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 4, (rows, 12)) for rows in (20, 5))
    for order in (1, 2, 4):
        expected = by_hand(train, test, 4, order)
        np.testing.assert_allclose(NGram(train, 4, order).nll(test), expected)


def test_what_was_heard_is_likelier():
    train = np.tile([0, 1, 2, 3], (3, 5))
    judge = NGram(train, 4, 9)
    assert judge.nll(train[:1]) < judge.nll(train[:1, ::-1])


def test_the_best_key_does_not_depend_on_the_key():
    rng = np.random.default_rng(0)
    codec = MelodyCodec()
    tokens = np.stack([codec.encode(helpers.random_melody(rng, 2)) for _ in range(40)])
    judge = of_melodies(tokens[:30])
    moved = transpose_tokens(tokens, rng.integers(-5, 6, len(tokens)))
    expected = judge.nll_in_best_key(tokens)
    assert (expected <= judge.nll(tokens)).all()
    np.testing.assert_allclose(judge.nll_in_best_key(moved[:30]), judge.nll(tokens[:30]))
    assert (judge.nll(moved) >= judge.nll_in_best_key(moved)).all()
