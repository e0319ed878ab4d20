import dataclasses

import hypothesis
import numpy as np

from musicvae_jax.datasets import batch_notes
from musicvae_jax.music.tokens import CODECS
from tests import helpers

STEPS = 48


def windows(melodies):
    """Tokens [melodies, STEPS] uint8, and the melodies that they stand for."""
    whole = [dataclasses.replace(melody, num_steps=STEPS) for melody in melodies]
    return np.stack([CODECS["melody"].encode(melody) for melody in whole]).astype(np.uint8), whole


two_melodies = hypothesis.strategies.tuples(helpers.melodies(), helpers.melodies())


@hypothesis.given(two_melodies)
def test_the_table_has_the_notes_of_each_window(melodies):
    tokens, whole = windows(melodies)
    table = batch_notes.read(tokens)
    for number, melody in enumerate(whole):
        own = table.where(table.window == number)
        assert list(zip(own.start, own.end, strict=True)) == [(s, e) for _, s, e in melody.notes()]
    np.testing.assert_array_equal(batch_notes.write(table, tokens.shape), tokens)


@hypothesis.given(two_melodies)
def test_two_tables_together_begin_where_either_does(melodies):
    (first, second), _ = windows(melodies)
    one, other = batch_notes.read(first[None]), batch_notes.read(second[None])
    both = batch_notes.together(one, other, STEPS)
    assert both.start.tolist() == sorted({*one.start.tolist(), *other.start.tolist()})
    assert (both.end[:-1] <= both.start[1:]).all()
    pitches = dict(zip(other.start, other.token, strict=True))
    pitches |= dict(zip(one.start, one.token, strict=True))
    assert dict(zip(both.start, both.token, strict=True)) == pitches
