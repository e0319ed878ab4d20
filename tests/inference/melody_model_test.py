import pathlib

import jax
import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference.melody_model import MAX_BATCH, MelodyModel
from musicvae_jax.models import vae
from musicvae_jax.models.vae import create_model
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from tests import helpers


@pytest.fixture(scope="module")
def model():
    config = helpers.small_config(bars=4)
    params = jax.tree.map(
        lambda x: np.asarray(3 * x), vae.init_params(create_model(config.model), 0)
    )
    return MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, params))


@pytest.fixture(scope="module")
def melodies():
    rng = np.random.default_rng(0)
    return [helpers.random_melody(rng, 4) for _ in range(6)]


def test_generation_depends_on_the_seed_alone(model):
    one, two = model.generate(3, seed=1, temperature=1.0), model.generate(5, 1, 1.0)
    assert one == two[:3]  # asking for more does not change the first
    assert model.generate(3, seed=2, temperature=1.0) != one
    assert all(melody.num_bars == 4 for melody in one)


def test_a_shift_is_added_to_every_latent(model):
    assert model.shift({}) == 0.0
    z = model.draw(3, seed=1)
    shift = np.linspace(-2, 2, z[0].size, dtype=np.float32).reshape(z[0].shape)
    shifted = model.generate(3, 1, 1.0, shift)
    assert shifted == model.decode(z + shift, 1, 1.0)
    assert shifted != model.generate(3, 1, 1.0)
    melodies = [helpers.random_melody(np.random.default_rng(seed), 4) for seed in range(3)]
    decoded, scores = model.reconstruct(melodies, 0, 0.0, shift)
    mu, _ = model.posteriors(model.tokens(melodies))
    assert model.tokens(decoded).tolist() == model.tokens(model.decode(mu + shift, 0, 0)).tolist()
    assert scores != model.reconstruct(melodies, 0, 0.0)[1]


def test_more_than_one_part_is_decoded_as_one(model):
    many = model.generate(MAX_BATCH + 2, seed=0, temperature=1.0)
    assert len(many) == MAX_BATCH + 2
    assert many[:2] != many[MAX_BATCH:]  # the second part does not repeat the first


def test_reconstruction_keeps_tempo_and_program_and_scores_itself(model, melodies):
    decoded, scores = model.reconstruct(melodies, seed=0, temperature=0.0)
    tokens, original = model.tokens(decoded), model.tokens(melodies)
    for melody, source in zip(decoded, melodies, strict=True):
        assert (melody.tempo_bpm, melody.program) == (source.tempo_bpm, source.program)
    assert tokens.shape == original.shape
    assert all(0 <= score["sampled_accuracy"] <= 1 for score in scores)


@pytest.mark.parametrize("bars", [1, 2, 3, 7])
def test_completion_keeps_what_was_given(model, bars):
    given = helpers.random_melody(np.random.default_rng(1), bars)
    continued = model.complete(given, None, num=3, seed=0, temperature=1.0)
    new_bars = 4 - min(bars, 2)
    for melody, _ in continued:
        assert melody.num_bars == bars + new_bars
        assert melody.window(0, bars).notes() == given.notes()
        assert (melody.tempo_bpm, melody.program) == (given.tempo_bpm, given.program)
    scores = [score for _, score in continued]
    assert scores == sorted(scores, reverse=True)
    assert len({tuple(melody.notes()) for melody, _ in continued}) == 3


@pytest.mark.parametrize("bars", [1, 2, 9])
def test_completion_of_any_length(model, bars):
    given = helpers.random_melody(np.random.default_rng(1), 3)
    continued = model.complete(given, bars, num=3, seed=0, temperature=1.0)
    for melody, _ in continued:
        assert melody.num_bars == 3 + bars
        assert melody.window(0, 3).notes() == given.notes()
    assert len({tuple(melody.notes()) for melody, _ in continued}) == 3
    longer = model.complete(given, bars + 1, num=3, seed=0, temperature=1.0)
    beginnings = [tuple(m.window(0, 3 + bars).notes()) for m, _ in longer]
    assert {tuple(m.notes()) for m, _ in continued} == set(beginnings)


def test_the_hash_knows_every_parameter(model):
    checkpoint = model.checkpoint
    changed = jax.tree.map(np.copy, checkpoint.params)
    leaf = jax.tree.leaves(changed)[-1]
    leaf.ravel()[-1] += 1e-3
    other = Checkpoint(checkpoint.path, 0, checkpoint.config, changed)
    assert checkpoint.sha256() == checkpoint.sha256() != other.sha256()


def test_examples_are_two_different_melodies_of_sixteen_bars():
    ode, reel = example_melodies().values()
    assert ode.num_bars == reel.num_bars == 16
    assert [p for p, _, _ in ode.notes()][:8] == [64, 64, 65, 67, 67, 65, 64, 62]
    assert ode.notes()[12:15] == [(64, 48, 54), (62, 54, 56), (62, 56, 62)]
    assert isinstance(reel, Melody)
    assert set(np.unique(reel.pitch % 12)) <= {2, 4, 6, 7, 9, 11, 1}  # D major
