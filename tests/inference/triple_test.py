"""The shipped model of bars of twelve steps."""

import pytest

from musicvae_jax.inference.load import load_model
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import GRIDS


@pytest.fixture(scope="module")
def model():
    return load_model("triple")


def test_the_examples_come_back_in_their_meters(model):
    waltz, jig = example_melodies(12).values()
    made = model.reconstruct([waltz, jig])
    assert [one.melody.grid for one in made] == [waltz.grid, jig.grid]
    assert min(one.sampled_accuracy for one in made) > 0.99


def test_new_melodies_are_in_triple_meters(model):
    melodies = model.generate(4, seed=1)
    known = {GRIDS[name] for name in ("3/4", "6/8", "9/8", "12/8")}
    assert {melody.grid for melody in melodies} <= known
    assert all(melody.pitch.size > 16 for melody in melodies)
