import pathlib
from dataclasses import replace

import jax
import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference import batching
from musicvae_jax.inference.attribute_vectors import AttributeVectors
from musicvae_jax.inference.load import load_model
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.attributes import ATTRIBUTES
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.system.errors import UserError
from tests import helpers


@pytest.fixture(scope="module")
def model():
    config = helpers.small_config(bars=4)
    params = helpers.random_params(config, scale=3)
    return MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, params))


@pytest.fixture(scope="module")
def melodies():
    rng = np.random.default_rng(0)
    return [helpers.random_melody(rng, 4) for _ in range(6)]


def test_what_was_trained_on_a_tpu_is_used_anywhere(model):
    config = helpers.small_config(bars=4, lstm="pallas")
    elsewhere = MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, model.params))
    assert elsewhere.model == model.model


def test_generation_depends_on_the_seed_alone(model):
    one, two = (model.generate(num, seed=1, temperature=1.0) for num in (3, 5))
    assert one == two[:3]  # asking for more does not change the first
    assert model.generate(3, seed=2, temperature=1.0) != one
    assert all(melody.num_bars == 4 for melody in one)


def test_a_seed_may_be_a_key(model, melodies):
    for key in (jax.random.key(1), jax.random.PRNGKey(1)):
        assert model.generate(2, seed=key) == model.generate(2, seed=1)
        assert model.complete(melodies[0], seed=key) == model.complete(melodies[0], seed=1)
    with pytest.raises(ValueError, match="a single key"):
        model.generate(2, seed=jax.random.split(jax.random.key(1)))


def test_attributes_are_added_to_every_latent(model, melodies, monkeypatch):
    assert model.shift({}) == 0.0
    z = model.draw(3, seed=1)
    shift = np.linspace(-2, 2, z[0].size, dtype=np.float32).reshape(z[0].shape)
    count = len(ATTRIBUTES)
    vectors = np.zeros((count, shift.size), np.float32)
    vectors[0] = shift.ravel() / 2
    known = AttributeVectors(vectors, np.zeros(count), np.ones(count), np.ones(count))
    monkeypatch.setattr(model, "attributes", known)
    how = {"seed": 1, "temperature": 1.0}
    shifted = model.generate(3, **how, attributes={"density": 2.0})
    assert shifted == model.decode(z + shift, **how)
    assert shifted != model.generate(3, **how)
    made = model.reconstruct(melodies, attributes={"density": 2.0})
    expected = model.decode(model.encode(melodies).mu + shift)
    assert [one.melody.notes() for one in made] == [melody.notes() for melody in expected]
    assert [replace(one, melody=None) for one in made] != [
        replace(one, melody=None) for one in model.reconstruct(melodies)
    ]


def test_what_is_not_known_is_told(model):
    with pytest.raises(UserError, match=r"there is no attributes\.npz in here"):
        model.generate(1, attributes={"density": 1.0})


def test_more_than_one_part_is_decoded_as_one(model, monkeypatch):
    monkeypatch.setattr(batching, "MAX_BATCH", 4)
    many = model.generate(34, seed=0, temperature=1.0)
    assert len(many) == 34
    assert many[:2] != many[32:]  # the second part does not repeat the first
    assert many[30:] == model.generate(40, seed=0, temperature=1.0)[30:34]


@pytest.mark.parametrize("bars", [3, 5])
def test_melodies_of_another_length_are_refused(model, bars):
    melody = helpers.random_melody(np.random.default_rng(1), bars)
    for use in (model.encode, model.reconstruct):
        with pytest.raises(ValueError, match=f"melody 0 has {bars} bars; the model knows melodies"):
            use([melody])
        with pytest.raises(ValueError, match="at least one"):
            use([])


def test_latents_of_another_shape_are_refused(model):
    for shape in ((4,), (0, 4), (1, 5), (1, 4, 4)):
        with pytest.raises(ValueError, match=r"\[melodies, 4\] is needed"):
            model.decode(np.zeros(shape))


def test_tokens_of_any_integers_are_encoded_alike(model, melodies):
    tokens = model.tokens([melody.window(0, model.bars) for melody in melodies])
    expected = model.encode(melodies).mu
    for kind in (np.uint8, np.int64, list):
        given = tokens.tolist() if kind is list else tokens.astype(kind)
        np.testing.assert_array_equal(model.encode_tokens(given).mu, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tokens: tokens[0], r"of shape \(\d+,\); \[melodies, \d+\] is needed"),
        (lambda tokens: tokens[:, :-1], "is needed"),
        (lambda tokens: tokens[:0], "at least one"),
        (lambda tokens: tokens.astype(float), "of type float64; integers are needed"),
        (lambda tokens: tokens + 1000, r"must lie in 0\.\.89, got 10"),
        (lambda tokens: tokens - 1000, r"must lie in 0\.\.89, got -"),
    ],
)
def test_tokens_that_are_none_are_refused(change, message, model, melodies):
    tokens = model.tokens([melody.window(0, model.bars) for melody in melodies])
    with pytest.raises(ValueError, match=message):
        model.encode_tokens(change(tokens))


def test_nothing_is_not_a_number_of_melodies(model, melodies):
    with pytest.raises(ValueError, match="num=0"):
        model.generate(0)
    for wrong in ({"num": 0}, {"bars": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            model.complete(melodies[0], **wrong)


def test_encoded_latents_decode_to_the_reconstruction(model, melodies):
    posterior = model.encode(melodies)
    assert posterior.mu.shape == posterior.sigma.shape == (6, 4)
    decoded = [melody.notes() for melody in model.decode(posterior.mu)]
    assert decoded == [made.melody.notes() for made in model.reconstruct(melodies)]


def test_the_model_of_a_folder_is_loaded(tmp_path):
    assert load_model().bars == 16
    with pytest.raises(UserError, match=f"path={tmp_path}: no checkpoint"):
        load_model(tmp_path)


def test_reconstruction_keeps_tempo_and_program_and_scores_itself(model, melodies):
    made = model.reconstruct(melodies, seed=0, temperature=0.0)
    decoded = [one.melody for one in made]
    tokens, original = model.tokens(decoded), model.tokens(melodies)
    for melody, source in zip(decoded, melodies, strict=True):
        assert (melody.tempo_bpm, melody.program) == (source.tempo_bpm, source.program)
    assert tokens.shape == original.shape
    assert all(0 <= one.sampled_accuracy <= 1 for one in made)
    assert all(0 <= one.teacher_forced_accuracy <= 1 for one in made)


@pytest.mark.parametrize("bars", [1, 2, 3, 7])
def test_completion_keeps_what_was_given(model, bars):
    given = helpers.random_melody(np.random.default_rng(1), bars)
    continued = model.complete(given, num=3, seed=0, temperature=1.0)
    new_bars = 4 - min(bars, 2)
    for melody in [made.melody for made in continued]:
        assert melody.num_bars == bars + new_bars
        assert melody.window(0, bars).notes() == given.notes()
        assert (melody.tempo_bpm, melody.program) == (given.tempo_bpm, given.program)
    scores = [made.log_prob_per_token for made in continued]
    assert scores == sorted(scores, reverse=True)
    assert len({tuple(made.melody.notes()) for made in continued}) == 3


@pytest.mark.parametrize("bars", [1, 2, 9])
def test_completion_of_any_length(model, bars):
    given = helpers.random_melody(np.random.default_rng(1), 3)
    continued = model.complete(given, bars=bars, num=3, seed=0, temperature=1.0)
    for melody in [made.melody for made in continued]:
        assert melody.num_bars == 3 + bars
        assert melody.window(0, 3).notes() == given.notes()
    assert len({tuple(made.melody.notes()) for made in continued}) == 3
    longer = model.complete(given, bars=bars + 1, num=3, seed=0, temperature=1.0)
    beginnings = [tuple(made.melody.window(0, 3 + bars).notes()) for made in longer]
    assert {tuple(made.melody.notes()) for made in continued} == set(beginnings)


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
