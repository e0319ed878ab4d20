import numpy as np
import pytest

from musicvae_jax.inference import latent_prior
from musicvae_jax.system.errors import UserError


def correlated(rng, count):
    """[count, 2, 2]: the second bar repeats the first, but for a little."""
    first = 0.5 + 2.0 * rng.normal(size=(count, 2))
    return np.stack([first, first + 0.1 * rng.normal(size=(count, 2))], axis=1)


def test_draws_have_the_moments_of_the_posteriors():
    rng = np.random.default_rng(0)
    mu, sigma = correlated(rng, 5000), np.full((5000, 2, 2), 0.3)
    held_out = correlated(rng, 1000) + 0.3 * rng.normal(size=(1000, 2, 2))
    prior, figures = latent_prior.fit(mu, sigma, held_out)
    draws = prior.transform(rng.normal(size=(20000, 2, 2)))
    assert draws.shape == (20000, 2, 2)
    np.testing.assert_allclose(draws.mean(axis=0), 0.5, atol=0.1)
    np.testing.assert_allclose(draws.var(axis=0), 4.0 + 0.09, rtol=0.05)
    between = np.corrcoef(draws[:, 0, 0], draws[:, 1, 0])[0, 1]
    assert between == pytest.approx(4 / 4.09, abs=0.01)
    assert figures["prior_nats"] < figures["standard_normal_nats"]
    # Enough data: hardly anything is gained by shrinking.
    assert figures["shrinkage"] < 0.1


def test_density_is_the_normal_one():
    rng = np.random.default_rng(1)
    prior, _ = latent_prior.fit(*(rng.normal(size=(50, 3)) for _ in range(3)))
    z = rng.normal(size=(7, 3))
    covariance = prior.factor @ prior.factor.T
    difference = z - prior.mean
    mahalanobis = np.einsum("bi,ij,bj->b", difference, np.linalg.inv(covariance), difference)
    expected = 0.5 * (mahalanobis + np.log(np.linalg.det(covariance)) + 3 * np.log(2 * np.pi))
    np.testing.assert_allclose(prior.log_density(z), -expected, rtol=1e-5)


def test_few_melodies_are_shrunk_towards_independence():
    rng = np.random.default_rng(2)
    mu, held_out = rng.normal(size=(20, 30)), rng.normal(size=(200, 30))
    _, figures = latent_prior.fit(mu, np.full((20, 30), 0.1), held_out)
    assert figures["shrinkage"] == 1.0


def test_round_trip_and_refusals(tmp_path):
    rng = np.random.default_rng(3)
    prior, _ = latent_prior.fit(*(rng.normal(size=(50, 4)) for _ in range(3)))
    assert latent_prior.load(tmp_path, 4) is None
    latent_prior.save(tmp_path, prior)
    read = latent_prior.load(tmp_path, 4)
    np.testing.assert_array_equal(read.factor, prior.factor)
    with pytest.raises(UserError, match="of 4 numbers; the model's latents have 6"):
        latent_prior.load(tmp_path, 6)
    (tmp_path / latent_prior.FILE).write_bytes(b"not a zip file")
    with pytest.raises(UserError, match="cannot be read"):
        latent_prior.load(tmp_path, 4)
