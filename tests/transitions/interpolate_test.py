import pathlib

import jax
import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.assembly import splice
from musicvae_jax.music.melody import Melody
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import curves
from musicvae_jax.transitions.interpolate import interpolate
from musicvae_jax.transitions.maker import BridgeMaker, Plan
from musicvae_jax.transitions.settings import Settings
from tests import helpers


def model_of(**fields):
    config = helpers.small_config(bars=2, **fields)
    params = helpers.random_params(config, scale=3)
    return MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, params))


@pytest.fixture(scope="module")
def model():
    return model_of(latent="per_bar")


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    return helpers.random_melody(rng, 3), helpers.random_melody(rng, 5)


def test_bridges_are_those_of_the_maker(model, pair):
    plan = Plan(3, True, "smoothstep", "smoothstep", Settings(granularity="note"))
    [expected] = BridgeMaker(model)([pair], "combined", plan, num=3, seed=4, temperature=0.5)
    how = {"curve": "smoothstep", "granularity": "note", "num": 3}
    for seed in (4, jax.random.key(4)):
        made = interpolate(model, *pair, bars=3, strategy="combined", seed=seed, **how)
        assert [bridge.report() for bridge in made] == [bridge.report() for bridge in expected]
        assert [bridge.melody for bridge in made] == [bridge.melody for bridge in expected]


def test_several_strategies_are_ranked_together(model, pair):
    made = interpolate(model, *pair, bars=3, strategy=("crossfade", "cut"), num=2)
    assert {bridge.strategy for bridge in made} == {"crossfade", "cut"}
    assert [bridge.score for bridge in made] == sorted((b.score for b in made), reverse=True)


def test_a_bridge_is_spliced_with_the_melodies_as_they_are(model, pair):
    [bridge] = interpolate(model, *pair, strategy="crossfade", key_path="glide")
    np.testing.assert_array_equal(bridge.curve, curves.sample("linear", 2, True))
    piece = splice(pair[0], bridge, pair[1], key_path="glide")
    assert piece.num_bars == 3 + 2 + 5
    assert [s.melody.notes() for s in piece.sections][::2] == [m.notes() for m in pair]
    plain = splice(pair[0], bridge.melody, pair[1])
    assert plain.sections[1].melody.notes() == bridge.melody.notes()


def test_a_transition_alone_has_both_ends(model, pair):
    [made] = interpolate(model, *pair, bars=3, strategy="crossfade", alone=True)
    assert made.melody.window(0, 1).notes() == pair[0].window(0, 1).notes()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strategy": "magic"}, "strategy=magic: unknown; valid are latent, "),
        ({"strategy": ()}, "strategy: at least one"),
        ({"bars": 0}, "bars=0: 1 to 64"),
        ({"num": 0}, "num=0: at least 1"),
        ({"curve": "steep"}, "curve=steep: not a curve; valid are linear, "),
        ({"curve": (0, 2)}, "curve=0,2: not a curve; .*numbers from 0 to 1"),
        ({"control_curve": ()}, "control_curve=: not a curve; .*numbers"),
        ({"path": "round"}, "path=round: unknown; valid are linear, spherical"),
        ({"scale": "H_major"}, "scale=H_major: unknown"),
        ({"pitch_range": (60, 62)}, "pitch_range=60,62: .*at least 11 above"),
        ({"pitch_range": (60, 72, 84)}, "pitch_range=60,72,84: two MIDI notes"),
        ({"rhythm": 3}, "rhythm=3"),
        ({"ends": "none"}, "ends=none"),
    ],
)
def test_what_cannot_be_used_is_told(model, pair, wrong, message):
    with pytest.raises(UserError, match=message) as caught:
        interpolate(model, *pair, **wrong)
    assert caught.value.arguments == tuple(wrong)


def test_an_unknown_key_path_is_refused(model, pair):
    with pytest.raises(ValueError, match="unknown key path 'up'"):
        interpolate(model, *pair, key_path="up")


def test_a_melody_without_bars_is_refused(model, pair):
    with pytest.raises(ValueError, match="without bars"):
        interpolate(model, pair[0], Melody.from_notes([], 0))


def test_a_roll_keeps_no_rhythm(pair):
    with pytest.raises(UserError, match="tokens have onsets"):
        interpolate(model_of(codec="roll"), *pair, rhythm=1)
