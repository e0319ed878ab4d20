import types

import pytest

from musicvae_jax.music.drum_examples import example_drums
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import places
from musicvae_jax.transitions.maker import Plan

ODE, REEL = example_melodies().values()
PLAN = Plan(8, is_spliced=True)


def maker(pairs, strategy, plan, **_):
    """Bridges that are better the more of both melodies is played."""
    bars = [first.num_bars + second.num_bars for first, second in pairs]
    return [[types.SimpleNamespace(score=count / 32)] for count in bars]


def propose(leave, enter):
    told = {"leave": leave, "enter": enter, "strategy": "latent"}
    return places.propose(maker, (ODE, REEL), PLAN, **told)


def test_places_are_ranked_by_their_bridges():
    found = propose("auto", "auto")
    assert len(found) == places.MAX_PLACES**2
    scores = [proposal.score for proposal in found]
    assert scores == sorted(scores, reverse=True)
    best = found[0].report()
    assert (best["from"], best["to"], best["score"]) == (16, 1, 1.0)
    assert "the end" in best["from_because_of"]


@pytest.mark.parametrize(
    ("leave", "enter", "expected"), [(7, 5, (7, 4)), (None, 16, (16, 15)), (1, None, (1, 0))]
)
def test_bars_that_are_told_are_taken(leave, enter, expected):
    [only] = propose(leave, enter)
    assert (only.leave.bar, only.enter.bar) == expected
    first, second = places.between((ODE, REEL), *expected)
    assert (first.num_bars, second.num_bars) == (expected[0], 16 - expected[1])


def test_one_place_can_be_told_and_the_other_chosen():
    found = propose(8, "auto")
    assert {proposal.leave.bar for proposal in found} == {8}
    assert len(found) == places.MAX_PLACES


@pytest.mark.parametrize(("leave", "enter", "name"), [(17, None, "from"), (None, 17, "to")])
def test_a_bar_that_is_not_there_is_told(leave, enter, name):
    with pytest.raises(UserError, match=f"{name}=17: there are bars 1 to 16"):
        propose(leave, enter)


def test_drums_are_left_and_entered_without_a_key():
    rock, bossa = example_drums().values()
    told = {"leave": "auto", "enter": 3, "strategy": "latent", "key_path": None}
    found = places.propose(maker, (rock, bossa), PLAN, **told)
    assert {proposal.enter.bar for proposal in found} == {2}
    by_bar = {proposal.leave.bar: proposal.leave.reasons for proposal in found}
    assert by_bar[8] == ("a crash", "a fill", "8 bars")
    assert "the end" in by_bar[16]
