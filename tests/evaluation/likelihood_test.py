import numpy as np
import pytest

from musicvae_jax.checkpoints import load
from musicvae_jax.evaluation import accuracy, likelihood, reconstruction
from musicvae_jax.inference import latent_prior
from musicvae_jax.inference.melody_model import MelodyModel
from tests import helpers


def log_normal(x, mean, scale):
    return -0.5 * ((x - mean) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)


def linear_gaussian(samples, rng):
    """z ~ N(0, 1), x | z ~ N(a z, s), at x, with a posterior that is a little wrong.

    Returns log weights, the negative log likelihood and the negative evidence lower
    bound, of which the latter two are known in closed form.
    """
    a, s, x = 1.5, 0.6, 1.2
    precision = 1 + (a / s) ** 2
    mean, scale = a * x / s**2 / precision + 0.1, 1.5 / np.sqrt(precision)
    z = mean + scale * rng.normal(size=samples)
    weights = log_normal(x, a * z, s) + log_normal(z, 0, 1) - log_normal(z, mean, scale)
    nll = -log_normal(x, 0, np.hypot(a, s))
    expected_log = -0.5 * (((x - a * mean) ** 2 + (a * scale) ** 2) / s**2) - np.log(s)
    expected_log -= 0.5 * np.log(2 * np.pi)
    divergence = 0.5 * (mean**2 + scale**2 - 1) - np.log(scale)
    return weights, nll, divergence - expected_log


def test_the_bound_goes_from_the_elbo_to_the_likelihood():
    weights, nll, negative_elbo = linear_gaussian((200, 1000), np.random.default_rng(0))
    bounds = {k: likelihood.nll_bound(weights, k).mean() for k in (1, 2, 10, 100, 1000)}
    assert bounds[1] == pytest.approx(negative_elbo, abs=0.005)
    values = list(bounds.values())
    assert values == sorted(values, reverse=True)
    assert bounds[2] > nll + 0.01
    assert bounds[1000] == pytest.approx(nll, abs=0.002)


def test_the_bound_by_hand():
    weights = np.log([[1.0, 3.0, 2.0, 2.0, 100.0]])
    bound = likelihood.nll_bound(weights, 2)
    np.testing.assert_allclose(bound, [-(np.log(2) + np.log(2)) / 2])
    huge = likelihood.nll_bound(weights - 5000.0, 4)  # nothing underflows
    np.testing.assert_allclose(huge, [5000 - np.log(2)])


@pytest.fixture(params=[{}, {"latent": "per_bar", "codec": "roll"}], ids=["global", "per_bar"])
def model(request, tmp_path):
    config = helpers.small_config(**request.param)
    return MelodyModel(load.Checkpoint(tmp_path, 1, config, helpers.random_params(config)))


def test_one_sample_is_the_loss_that_evaluation_reports(model):
    """With another way to it: nats of tokens, and the divergence in closed form."""
    truth = helpers.random_tokens(6, 32).astype(np.uint8)
    logs = likelihood.log_weights(model, truth, 100, 1, likelihood.priors_of(model))
    assert list(logs) == [likelihood.STANDARD]
    weights = logs[likelihood.STANDARD]
    assert weights.shape == (6, 100)
    again = np.repeat(truth, 40, axis=0)  # so many draws
    made = reconstruction.reconstruct(model, again, np.arange(len(again)), seed=0)
    nats = accuracy.ratios(made.tokens)["nll_per_token"].part.reshape(6, 40)
    loss = nats.mean(axis=1) + made.kl_bits[::40] * np.log(2)
    bounds = [likelihood.nll_bound(weights, k) for k in (1, 10, 100)]
    error = weights.std(axis=1).max() / 10 + nats.std(axis=1).max() / 40**0.5
    np.testing.assert_allclose(bounds[0], loss, atol=4 * error)
    assert (bounds[0] > bounds[1]).all()
    assert bounds[1].mean() > bounds[2].mean()


def test_a_fitted_prior_replaces_the_standard_normal(model):
    truth = helpers.random_tokens(3, 32).astype(np.uint8)
    size = int(np.prod(model.model.latent_shape))
    model.prior = latent_prior.LatentPrior(np.zeros(size), np.eye(size))
    logs = likelihood.log_weights(model, truth, 5, 0, likelihood.priors_of(model))
    np.testing.assert_allclose(logs[likelihood.FITTED], logs[likelihood.STANDARD], rtol=1e-6)
    model.prior = latent_prior.LatentPrior(np.full(size, 3.0), np.eye(size))
    farther = likelihood.log_weights(model, truth, 5, 0, likelihood.priors_of(model))
    assert (farther[likelihood.FITTED] < logs[likelihood.STANDARD]).all()


def test_any_function_of_latents_is_a_prior(model):
    """One that is lower by a nat everywhere costs a nat."""
    truth = helpers.random_tokens(3, 32).astype(np.uint8)
    priors = likelihood.priors_of(model)
    priors["lower"] = lambda z: latent_prior.standard_log_density(z) - 1
    logs = likelihood.log_weights(model, truth, 5, 0, priors)
    np.testing.assert_allclose(logs["lower"], logs[likelihood.STANDARD] - 1, rtol=1e-6)
