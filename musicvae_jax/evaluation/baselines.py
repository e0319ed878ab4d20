"""Baselines that a model should beat: counts of tokens, and of pairs of tokens."""

import ml_collections
import numpy as np

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.music.tokens import CODECS


def ngram_nll_nats(train: np.ndarray, test: np.ndarray, vocab: int) -> dict[str, float]:
    """Cross entropies of held-out tokens as predicted by counting, in nats a token.

    Counts of the training tokens, plus one each, give the probabilities. A model
    that learns nothing of a melody but its bigrams reaches `bigram`.

    Args:
      train, test: [windows, steps] int.
      vocab: number of tokens.
    """
    unigram = np.bincount(train.ravel(), minlength=vocab) + 1.0
    pairs = train[:, :-1].astype(np.int64) * vocab + train[:, 1:]
    bigram = np.bincount(pairs.ravel(), minlength=vocab * vocab).reshape(vocab, vocab) + 1.0
    log_unigram = np.log(unigram / unigram.sum())
    log_bigram = np.log(bigram / bigram.sum(axis=1, keepdims=True))
    first = log_unigram[test[:, 0]].sum()
    rest = log_bigram[test[:, :-1], test[:, 1:]].sum()
    return {
        "unigram": float(-log_unigram[test].mean()),
        "bigram": float(-(first + rest) / test.size),
    }


def baselines(config: ml_collections.ConfigDict, train: Split, test: Split) -> dict[str, float]:
    """`ngram_nll_nats` of splits in the model's codec."""
    codec = config.model.codec
    return ngram_nll_nats(
        input_pipeline.convert(train.tokens, codec),
        input_pipeline.convert(test.tokens, codec),
        CODECS[codec].vocab,
    )
