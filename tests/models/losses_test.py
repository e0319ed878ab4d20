import jax
import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.configs import default
from musicvae_jax.models import losses
from musicvae_jax.training import schedules

LN_2 = np.log(2)


def test_kl_against_numerical_integration():
    x = np.linspace(-30, 30, 200_001)
    for mu, sigma in ((0.0, 1.0), (1.5, 0.3), (-0.7, 2.0)):
        q = np.exp(-0.5 * ((x - mu) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
        log_p = -0.5 * x**2 - 0.5 * np.log(2 * np.pi)
        log_q = -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))
        expected = np.sum(q * (log_q - log_p)) * (x[1] - x[0])
        kl = losses.kl_nats(jnp.array([mu]), jnp.array([sigma]))
        assert float(kl[0]) == pytest.approx(expected, abs=1e-4)


def test_loss_golden():
    logits = jnp.log(jnp.array([[[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]]]))
    tokens = jnp.array([[1, 1]])
    mu, sigma = jnp.array([[2.0, 0.0]]), jnp.ones((1, 2))  # 2 nats of KL
    loss, metrics = losses.loss_and_metrics(logits, tokens, mu, sigma, 0.5, free_bits=1.0)
    nll = -np.log(0.25) - np.log(0.8)
    assert float(loss[0]) == pytest.approx(nll + 0.5 * (2 - LN_2), rel=1e-5)
    assert float(metrics["nll_per_token"][0]) == pytest.approx(nll / 2, rel=1e-5)
    assert float(metrics["kl_bits"][0]) == pytest.approx(2 / LN_2, rel=1e-5)
    assert float(metrics["accuracy"][0]) == 0.5


def test_free_bits_are_of_the_whole_melody_and_cost_nothing():
    logits, tokens = jnp.zeros((1, 2, 3)), jnp.zeros((1, 2), jnp.int32)
    mu, sigma = jnp.full((1, 4, 2), 0.5), jnp.ones((1, 4, 2))  # 1 nat in eight dimensions
    free = losses.loss_and_metrics(logits, tokens, mu, sigma, 1.0, free_bits=2.0)[0]
    charged = losses.loss_and_metrics(logits, tokens, mu, sigma, 1.0, free_bits=1.0)[0]
    assert float(free[0]) == pytest.approx(2 * np.log(3), rel=1e-5)
    assert float(charged[0]) == pytest.approx(2 * np.log(3) + 1 - LN_2, rel=1e-5)


@pytest.fixture
def config():
    return default.get_config().train


def test_the_learning_rate_rises_before_it_decays(config):
    config.learning_rate, config.final_learning_rate = 1.0, 0.0
    config.learning_rate_decay, config.learning_rate_warmup = 0.5, 4
    rates = [float(schedules.learning_rate(config)(step)) for step in range(5)]
    np.testing.assert_allclose(rates, [1 / 4, 1 / 4, 3 / 16, 1 / 8, 1 / 16])
    config.learning_rate_decay = 1.0
    rates = [float(schedules.learning_rate(config)(step)) for step in (0, 3, 100)]
    np.testing.assert_allclose(rates, [1 / 4, 1, 1])


def test_learning_rate(config):
    config.learning_rate, config.final_learning_rate = 1e-3, 1e-5
    config.learning_rate_decay = 0.5
    rates = [float(schedules.learning_rate(config)(step)) for step in (0, 1, 2, 50)]
    np.testing.assert_allclose(rates, [1e-3, 5.05e-4, 2.575e-4, 1e-5], rtol=1e-4)
    config.learning_rate_decay = 1.0
    assert float(schedules.learning_rate(config)(1000)) == pytest.approx(1e-3)


def test_beta(config):
    config.beta, config.beta_start_step, config.beta_end_step = 0.5, 10, 20
    beta = jax.jit(lambda step: schedules.beta(config, step))
    values = [float(beta(step)) for step in (0, 10, 12, 20, 99)]
    np.testing.assert_allclose(values, [0, 0, 0.1, 0.5, 0.5], atol=1e-6)
    config.beta_start_step = config.beta_end_step = 0
    assert float(schedules.beta(config, jnp.asarray(0))) == 0.5


def test_sampling_probability(config):
    assert schedules.sampling_probability(config, jnp.asarray(5)) is None
    config.sampling, config.sampling_rate = "constant", 0.3
    assert float(schedules.sampling_probability(config, jnp.asarray(5))) == pytest.approx(0.3)
    config.sampling, config.sampling_rate = "inverse_sigmoid", 100.0
    steps = np.array([0, 200, 500, 100_000])
    probability = schedules.sampling_probability(config, jnp.asarray(steps))
    with np.errstate(over="ignore"):
        expected = 1 - 100 / (100 + np.exp(steps / 100))
    np.testing.assert_allclose(probability, expected, atol=1e-5)
