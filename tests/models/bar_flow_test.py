import jax
import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.inference import bar_prior
from musicvae_jax.models.bar_flow import PHASES, BarFlow, Layout, layout
from musicvae_jax.models.vae import create_model
from tests import helpers

SIZE, SOURCES = 3, 2


@pytest.fixture(scope="module")
def flow():
    return BarFlow(SIZE, SOURCES, features=16, layers=2, heads=2, max_lag=3)


@pytest.fixture(scope="module")
def params(flow):
    """Random ones: those that training begins with give 0 everywhere."""
    rng = np.random.default_rng(0)
    initial = bar_prior.init_params(flow, Layout(4, SIZE, (12,)), 0)
    return jax.tree.map(lambda leaf: 0.5 * rng.normal(size=leaf.shape), initial)


def inputs(batch, bars, seed=0):
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(batch, bars, SIZE)).astype(np.float32)
    level = rng.uniform(size=(batch, bars)).astype(np.float32)
    phase = np.full((batch, bars), PHASES)
    return codes, level, phase, rng.integers(0, SOURCES + 1, batch)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"bars": 4, "z": 8, "encoder_reads": "bars", "conductor_reads": "bars"}, (4, 2, (8,))),
        ({"bars": 4, "z": 8, "latent": "per_bar"}, (4, 8, (4, 8))),
        ({"bars": 4, "z": 8}, (1, 8, (8,))),
        ({"bars": 4, "z": 8, "decoder": "flat"}, (1, 8, (8,))),
    ],
)
def test_a_code_is_what_belongs_to_a_bar(model, expected):
    found = layout(create_model(helpers.small_config(**model).model))
    assert found == Layout(*expected)
    z = np.random.default_rng(0).normal(size=(5, *found.latent_shape))
    assert found.codes(z).shape == (5, found.bars, found.size)
    np.testing.assert_array_equal(found.latents(found.codes(z)), z)


def test_velocities_of_any_number_of_bars_and_in_any_order_of_the_batch(flow, params):
    apply = jax.jit(flow.apply)
    for bars in (1, 4, 9):
        arguments = inputs(5, bars)
        velocity = apply({"params": params}, *arguments)
        assert velocity.shape == (5, bars, SIZE)
        turned = apply({"params": params}, *(x[::-1] for x in arguments))
        np.testing.assert_allclose(turned[::-1], velocity, rtol=1e-4, atol=1e-5)


def test_bars_are_known_by_their_distances_and_no_further_than_the_lag(flow, params):
    codes, level, phase, source = inputs(1, 12)
    whole = flow.apply({"params": params}, codes, level, phase, source)
    # Two layers see bars at most 2 * 3 away: those 6 in the middle of 12 see no edge of 8.
    later = flow.apply({"params": params}, codes[:, 4:], level[:, 4:], phase[:, 4:], source)
    np.testing.assert_allclose(whole[:, 10:], later[:, 6:], rtol=1e-4, atol=1e-5)
    changed = jnp.asarray(codes).at[:, 0].add(1.0)
    moved = flow.apply({"params": params}, changed, level, phase, source)
    np.testing.assert_allclose(moved[:, 7:], whole[:, 7:], rtol=1e-4, atol=1e-5)
    assert np.abs(moved[:, :4] - whole[:, :4]).min(axis=-1).max() > 1e-3


def test_a_bar_is_told_its_level_its_phase_and_its_source(flow, params):
    codes, level, phase, source = inputs(1, 4)
    before = flow.apply({"params": params}, codes, level, phase, source)
    for changed in (
        (codes, level * 0.5, phase, source),
        (codes, level, phase * 0 + 3, source),
        (codes, level, phase, (source + 1) % (SOURCES + 1)),
    ):
        assert np.abs(flow.apply({"params": params}, *changed) - before).max() > 1e-3
