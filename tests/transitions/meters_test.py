import pathlib

import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.assembly import splice
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.rebar import rebar
from musicvae_jax.plots.bar_values import values_of_bridges
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.interpolate import interpolate
from musicvae_jax.transitions.maker import BridgeMaker, Plan
from musicvae_jax.transitions.meters import MeterBridgeMaker
from tests import helpers

ODE, REEL = example_melodies().values()
WALTZ, JIG = example_melodies(12).values()


def model(steps_per_bar):
    config = helpers.small_config(bars=2, latent="per_bar")
    config.model.steps_per_bar = steps_per_bar
    params = helpers.random_params(config, scale=3)
    return MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, params))


@pytest.fixture(scope="module")
def models():
    return {steps: model(steps) for steps in (16, 12)}


@pytest.fixture(scope="module")
def maker(models):
    return MeterBridgeMaker({steps: BridgeMaker(one) for steps, one in models.items()})


def test_each_part_is_that_of_a_bridge_in_one_meter(maker, models):
    plan = Plan(bars=5, is_spliced=True)
    [[bridge]] = maker([(JIG, REEL)], "latent", plan)
    [[first]] = BridgeMaker(models[12])([(JIG, rebar(REEL, JIG.grid))], "latent", plan)
    [[second]] = BridgeMaker(models[16])([(rebar(JIG, REEL.grid), REEL)], "latent", plan)
    assert bridge.parts == (first.melody.window(0, 2), second.melody.window(2, 3))
    assert [part.grid for part in bridge.parts] == [JIG.grid, REEL.grid]
    np.testing.assert_array_equal(bridge.by_bar.nll[:2], first.by_bar.nll[:2])
    np.testing.assert_array_equal(bridge.by_bar.nll[2:], second.by_bar.nll[2:])
    assert bridge.score == pytest.approx(0.4 * first.score + 0.6 * second.score)
    assert bridge.parts[1].tempo_bpm == pytest.approx(180 * 2 / 1.5)  # the pulse stays


def test_a_cut_plays_the_melodies_themselves(maker):
    [[bridge]] = maker([(WALTZ, REEL)], "cut", Plan(bars=4, is_spliced=True))
    assert bridge.melody.notes() == WALTZ.window(12, 2).notes()
    assert bridge.rest.notes() == REEL.window(2, 2).notes()


@pytest.mark.parametrize(("meter_at", "grid"), [("first", REEL.grid), ("last", JIG.grid)])
def test_the_meter_changes_with_the_bridge_or_after_it(maker, meter_at, grid):
    [[bridge]] = maker([(JIG, REEL)], "latent", Plan(bars=4, meter_at=meter_at))
    [part] = bridge.parts
    assert (part.grid, part.num_bars) == (grid, 4)


def test_pairs_of_all_kinds_are_made_together_and_as_alone(maker):
    pairs = [(JIG, REEL), (ODE, REEL), (JIG, WALTZ), (REEL, WALTZ), (WALTZ, REEL), (ODE, ODE)]
    plan = Plan(bars=2)
    together = maker(pairs, "latent", plan, num=2, temperature=1.0)
    for number in (0, 1, 4):
        [alone] = maker(
            [pairs[number]], "latent", plan, num=2, temperature=1.0, pair_numbers=[number]
        )
        assert [b.parts for b in alone] == [b.parts for b in together[number]]
    assert [best.melody.grid for best, *_ in together] == [pair[0].grid for pair in pairs]


def test_from_python(models):
    [bridge] = interpolate(models[12], JIG, REEL, bars=4, second_model=models[16])
    piece = splice(JIG, bridge, REEL)
    assert [grid.meter for _, grid in piece.meters()] == ["6/8", "4/4"]
    values = values_of_bridges(piece, [bridge])
    assert [None if v is None else len(v.nll) for v in values] == [None, 2, 2, None]
    with pytest.raises(UserError, match="4/4 in sixteenths, 16 steps a bar, and no model of such"):
        interpolate(models[12], JIG, REEL, bars=4)
    with pytest.raises(UserError, match="meter_at=never: unknown; valid are first, middle, last"):
        interpolate(models[12], JIG, REEL, meter_at="never")


def test_a_model_refuses_bars_of_another_number_of_steps(models):
    with pytest.raises(ValueError, match="6/8 in sixteenths has 12 steps a bar; the model knows"):
        models[16].encode([JIG.window(0, 2)])
