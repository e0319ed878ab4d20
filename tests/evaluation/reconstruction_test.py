import numpy as np
import pytest

from musicvae_jax.checkpoints import load
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.evaluation import accuracy, reconstruction
from musicvae_jax.inference import batching
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.tokens import MelodyCodec
from musicvae_jax.system import devices
from musicvae_jax.training import validation
from tests import helpers


def model_of(tmp_path, **fields) -> MelodyModel:
    """An untrained model."""
    config = helpers.small_config(**fields)
    return MelodyModel(load.Checkpoint(tmp_path, 1, config, helpers.random_params(config)))


@pytest.mark.parametrize("fields", [{}, {"codec": "roll"}, {"latent": "per_bar"}])
def test_the_figures_are_those_of_the_evaluator(tmp_path, monkeypatch, fields):
    """What does not depend on noise; 21 windows in three parts of eight, one for each device."""
    monkeypatch.setattr(batching, "MAX_BATCH", 1)
    model = model_of(tmp_path, **fields)
    rng = np.random.default_rng(0)
    melodies = [helpers.random_melody(rng, 2) for _ in range(21)]
    truth = np.stack([MelodyCodec().encode(m) for m in melodies])
    truth = truth.astype(np.uint8)
    made = reconstruction.reconstruct(model, truth, np.arange(21), seed=0)
    config = model.checkpoint.config
    evaluator = validation.Evaluator(model.model, config)
    expected = evaluator(devices.replicate(model.params), Split(truth))
    values = accuracy.headline(made.tokens)
    assert values["sampled_accuracy"] == pytest.approx(expected["sampled_accuracy"], abs=1e-6)
    assert made.kl_bits.mean() == pytest.approx(expected["kl_bits"], rel=1e-5)
    assert validation.active_units(made.mu) == expected["active_units"]
    # Over other draws of the latent.
    assert values["nll_per_token"] == pytest.approx(expected["nll_per_token"], rel=5e-2)
    codes = [model.melody(row) for row in made.tokens.target]
    alone = model.reconstruct(codes)
    forced = (made.forced_from_mean == made.tokens.target).mean(axis=1)
    assert forced == pytest.approx([one.teacher_forced_accuracy for one in alone])


def test_parts_change_nothing(tmp_path, monkeypatch):
    model = model_of(tmp_path)
    truth = helpers.random_tokens(20, 32).astype(np.uint8)
    results = []
    for size in (3, 1):
        monkeypatch.setattr(batching, "MAX_BATCH", size)
        results.append(reconstruction.reconstruct(model, truth, np.arange(20), seed=3))
    np.testing.assert_allclose(results[0].tokens.nll, results[1].tokens.nll, rtol=1e-4)
    np.testing.assert_array_equal(results[0].tokens.sampled, results[1].tokens.sampled)
