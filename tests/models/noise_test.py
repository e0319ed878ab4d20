import jax
import jax.numpy as jnp
import numpy as np

from musicvae_jax.models import noise


def keys(batch, first=0):
    return noise.example_keys(jax.random.key(3), first, batch)


def test_an_example_draws_the_same_in_any_batch():
    drawn = noise.scaled_gumbel(keys(5), 4, 6, 1.0)
    assert drawn.shape == (4, 5, 6)
    np.testing.assert_array_equal(drawn[:, 3:], noise.scaled_gumbel(keys(2, first=3), 4, 6, 1.0))
    # More steps leave the first as they are.
    np.testing.assert_array_equal(drawn, noise.scaled_gumbel(keys(5), 7, 6, 1.0)[:4])


def test_temperature_scales_and_zero_draws_nothing():
    one, half, none = (
        jax.jit(noise.scaled_gumbel, static_argnums=(1, 2))(keys(3), 4, 6, temperature)
        for temperature in (1.0, 0.5, 0.0)
    )
    np.testing.assert_allclose(half, one / 2, rtol=1e-6)
    assert not none.any()


def test_argmax_is_a_sample_at_the_temperature():
    logits = jnp.log(jnp.array([0.5, 0.3, 0.2]))
    for temperature in (1.0, 0.5):
        drawn = noise.scaled_gumbel(keys(2), 20_000, 3, temperature)
        counts = np.bincount(jnp.argmax(logits + drawn, axis=-1).ravel(), minlength=3)
        weights = np.array([0.5, 0.3, 0.2]) ** (1 / temperature)
        np.testing.assert_allclose(counts / counts.sum(), weights / weights.sum(), atol=0.01)
