"""An n-gram model of tokens: a judge of melodies that is not the model being judged.

It counts keys as they are: folk tunes are written in few of them, and the same tune costs it
a nat a token more in another key. What was made in any key is therefore also asked about in
the key in which it costs least.
"""

from collections.abc import Iterator

import numpy as np

from musicvae_jax.music.tokens import MelodyCodec, transpose_tokens

ORDER = 9  # half a bar of context


class NGram:
    """Interpolated n-grams with the smoothing of Witten & Bell 1991.

    p(w | h) = (c(hw) + T(h) p(w | shorter h)) / (c(h) + T(h)), where c counts and T(h) is
    the number of different tokens seen after h; the shortest is uniform. Melodies begin
    after a context of the token `vocab`, which stands for none.
    """

    def __init__(self, tokens: np.ndarray, vocab: int, order: int):
        """Counts tokens: [melodies, steps] int; an order of up to 9 fits 64 bits."""
        self._vocab, self._order = vocab, order
        self._tables = []
        for _, grams in self._codes(tokens):
            grams, counts = np.unique(grams, return_counts=True)
            # A gram's code is its context's times the base, plus its token's.
            heads, index = np.unique(grams // self._base, return_inverse=True)
            totals = np.bincount(index, weights=counts)
            self._tables.append((grams, counts, heads, totals, np.bincount(index)))

    @property
    def _base(self) -> int:
        return self._vocab + 1

    def _codes(self, tokens: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each order the codes of contexts and of grams, [melodies * steps] int64 each."""
        steps = tokens.shape[1]
        longest = self._order - 1
        padded = np.pad(
            tokens.astype(np.int64), ((0, 0), (longest, 0)), constant_values=self._vocab
        )
        context = np.zeros(tokens.shape, np.int64)
        for length in range(self._order):
            if length:
                earlier = padded[:, longest - length : longest - length + steps]
                context = context + earlier * self._base ** (length - 1)
            yield context.ravel(), (context * self._base + tokens).ravel()

    def nll(self, tokens: np.ndarray) -> np.ndarray:
        """Mean negative log probability of melodies [melodies, steps]: [melodies], nats a token."""
        probability = np.full(tokens.size, 1 / self._vocab)
        for table, (contexts, codes) in zip(self._tables, self._codes(tokens), strict=True):
            grams, counts, heads, totals, kinds = table
            count = _look_up(grams, counts, codes)
            total, kind = _look_up(heads, totals, contexts), _look_up(heads, kinds, contexts)
            mixed = (count + kind * probability) / np.maximum(total + kind, 1)
            probability = np.where(total > 0, mixed, probability)
        return -np.log(probability).reshape(tokens.shape).mean(axis=1)

    def nll_in_best_key(self, tokens: np.ndarray) -> np.ndarray:
        """The least of `nll` over all transpositions by -6 to 5 semitones: [melodies].

        Args:
          tokens: [melodies, steps] int, of `MelodyCodec`.
        """
        shifts = np.arange(-6, 6)
        return np.min(
            [self.nll(transpose_tokens(tokens, np.full(len(tokens), s))) for s in shifts], axis=0
        )


def of_melodies(tokens: np.ndarray) -> NGram:
    """Counts training windows [windows, steps] int of `MelodyCodec`."""
    return NGram(tokens, MelodyCodec().vocab, ORDER)


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The values of sorted keys, 0 for what is not there."""
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
