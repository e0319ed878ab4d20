import numpy as np
import pytest

from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import composing, strategies
from musicvae_jax.transitions.interpolate import interpolate
from musicvae_jax.transitions.maker import Plan, maker_of
from tests import helpers
from tests.inference import writing_test


@pytest.fixture(scope="module")
def model():
    return writing_test.composing_model(**writing_test.SHARES)


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    return [(helpers.random_melody(rng, 3), helpers.random_melody(rng, 5)) for _ in range(5)]


def made(model, pairs, plan, strategy="composed", **more):
    return [best.melody.notes() for best, *_ in maker_of(model)(pairs, strategy, plan, **more)]


def test_freely_composed_bridges_depend_on_both_melodies_and_on_the_seed(model, pairs):
    plan = Plan(bars=6, is_spliced=True, adherence=0.0)
    usual = made(model, pairs[:1], plan, seed=2)
    assert usual != made(model, pairs[:1], plan, seed=1)
    (a, b), (c, d) = pairs[:2]
    assert usual != made(model, [(c, b)], plan, seed=2)
    assert usual != made(model, [(a, d)], plan, seed=2)


@pytest.mark.parametrize("plan", [Plan(4, True, adherence=1.0), Plan(4, adherence=1.0)])
def test_closest_to_the_curve_is_what_the_model_makes_of_the_draft(pairs, plan):
    """Exactly so where each bar has a latent of its own."""
    model = writing_test.composing_model(z=8, latent="per_bar")
    drafts = [best.melody for best, *_ in maker_of(model)(pairs, composing.DRAFT, plan)]
    as_they_are = made(model, [(draft, draft) for draft in drafts], plan, "latent")
    assert made(model, pairs, plan) == as_they_are


def test_the_scale_of_adherence_goes_from_noise_to_the_draft():
    levels = [composing._first_level(adherence) for adherence in (0.0, 0.3, 0.5, 1.0)]
    assert levels == pytest.approx([0.0, 0.657, 0.875, 1.0])


@pytest.mark.parametrize("bars", [3, 9])
def test_a_bridge_that_stands_alone_begins_and_ends_with_the_melodies(model, pairs, bars):
    plan = Plan(bars, adherence=0.3)
    bridges = maker_of(model)(pairs, "composed", plan, num=2)
    for pair, candidates in zip(pairs, bridges, strict=True):
        first, second = bridge_ends(*pair, bars, False)
        for bridge in candidates:
            assert bridge.melody.num_bars == bars
            assert bridge.melody.window(0, 1).notes() == first.window(0, 1).notes()
            last = bars - 1
            assert bridge.melody.window(last, 1).notes() == second.window(last, 1).notes()


def test_a_pair_alone_is_as_among_others(model, pairs):
    plan = Plan(6, is_spliced=True)  # for which the first test has compiled
    whole = made(model, pairs, plan)
    assert made(model, pairs[3:4], plan, pair_numbers=[3]) == whole[3:4]


def test_a_short_melody_is_not_heard_twice(model, pairs):
    window = model.bars
    _, (before, after) = composing._around(model, [*pairs, (pairs[0][1], pairs[0][0])], window)
    assert before.sum(axis=1).tolist() == [3] * 5 + [window]
    assert after.sum(axis=1).tolist() == [window] * 5 + [3]
    assert before[0].tolist() == [False, True, True, True]
    assert after[-1].tolist() == [True, True, True, False]


def test_a_model_without_a_composer_has_the_other_strategies(model, pairs):
    plain = model.with_composer(None)
    names = tuple(strategies.STRATEGIES)
    able = strategies.possible(names, composing.can_compose(plain))
    assert set(names) - set(able) == {"composed"}
    assert strategies.possible(names, composing.can_compose(model)) == names
    with pytest.raises(UserError, match=r"strategy=composed: needs a bar_prior\.npz"):
        interpolate(plain, *pairs[0], bars=2, strategy="composed")
    with pytest.raises(UserError, match=r"adherence=2: must lie in 0\.\.1"):
        interpolate(model, *pairs[0], bars=2, strategy="composed", adherence=2.0)
