"""Transitions between drum patterns, with a model of random parameters."""

import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.drum_codec import DrumCodec
from musicvae_jax.music.drums import Drums
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import drum_scores
from musicvae_jax.transitions import notes as notes_lib
from musicvae_jax.transitions.interpolate import interpolate
from musicvae_jax.transitions.maker import BridgeMaker, Plan
from musicvae_jax.transitions.settings import Settings
from tests import helpers

CODEC = DrumCodec()
ROCK = Drums.from_hits([(2, s) for s in range(0, 48, 2)] + [(0, 0), (1, 4), (0, 40)], 48)
BOSSA = Drums.from_hits([(8, s) for s in range(48)] + [(0, 0), (1, 3), (1, 22)], 48, tempo_bpm=140)


@pytest.fixture(scope="module")
def model():
    config = helpers.small_config(bars=2, codec="drums")
    config.dataset.update(extraction="drums")
    params = helpers.random_params(config, scale=3)
    return MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, params))


def notes_of(*patterns):
    return notes_lib.from_tokens(jnp.asarray(np.stack([CODEC.encode(p) for p in patterns])), CODEC)


def test_tokens_are_heard_as_they_are_and_every_set_is_struck():
    tokens = jnp.asarray(np.arange(512).reshape(32, 16))
    notes = notes_lib.from_tokens(tokens, CODEC)
    np.testing.assert_array_equal(notes.onset, tokens != 0)
    np.testing.assert_array_equal(notes_lib.to_tokens(notes, CODEC), tokens)
    same = notes_of(Drums.from_hits([(2, 0), (2, 1), (2, 2)], 16))
    assert same.onset[0, :4].tolist() == [True, True, True, False]


@pytest.mark.parametrize("strategy", ["dual_combined", "crossfade"])
def test_ends_are_exact_and_the_bridge_is_played_like_the_first(model, strategy):
    plan = Plan(bars=3, curve=(0.0, 0.5, 1.0), control_curve=(0.0, 0.5, 1.0))
    [[bridge]] = BridgeMaker(model)([(ROCK, BOSSA)], strategy, plan)
    assert isinstance(bridge.melody, Drums)
    assert bridge.melody.window(0, 1).hits() == ROCK.window(0, 1).hits()
    assert bridge.melody.window(2, 1).hits() == BOSSA.window(2, 1).hits()
    assert bridge.melody.tempo_bpm == ROCK.tempo_bpm
    assert 0 <= bridge.score <= 1
    report = bridge.report()
    assert report["hit_overlap_1"][0] == report["hit_overlap_2"][2] == 1
    assert report["progress"][0] == pytest.approx(0, abs=1e-6)


def test_from_python(model):
    best, *_ = interpolate(model, ROCK, BOSSA, bars=2, strategy="crossfade", num=2)
    assert isinstance(best.melody, Drums)
    assert ROCK.then(best.melody, BOSSA).num_bars == 8


def test_scores_by_hand():
    one = notes_of(Drums.from_hits([(0, 0), (2, 0), (2, 4), (1, 8)], 16))
    two = notes_of(Drums.from_hits([(0, 0), (2, 4), (1, 9)], 16))
    silent = notes_of(Drums.from_hits([], 16))
    assert drum_scores.hit_overlap(one, two).item() == pytest.approx(4 / 7)
    assert drum_scores.hit_overlap(silent, silent).item() == 1
    assert drum_scores.groove_similarity(one, two).item() == pytest.approx(14 / 16)
    assert drum_scores.density(one).item() == 4
    t = jnp.array([0.5])
    stability = drum_scores.density_stability(one, (one, two), t)
    assert stability.item() == pytest.approx((3.5 + 1) / (4 + 1))


@pytest.mark.parametrize(
    "settings", [Settings(scale="C_major"), Settings(pitch_range=(40, 60)), Settings(rhythm=1)]
)
def test_what_needs_pitches_is_refused(model, settings):
    with pytest.raises(UserError, match="pitches"):
        BridgeMaker(model)([(ROCK, BOSSA)], "latent", Plan(bars=2, settings=settings))


def test_a_model_of_drums_makes_drums_and_takes_nothing_else(model):
    [made] = model.reconstruct([ROCK.window(0, 2)])
    assert isinstance(made.melody, Drums)
    assert made.melody.tempo_bpm == ROCK.tempo_bpm
    assert [drums.num_bars for drums in model.generate(2, temperature=1.0)] == [2, 2]
    [longer] = model.complete(ROCK, bars=3, temperature=1.0)
    assert longer.melody.window(0, 3) == ROCK
    assert longer.melody.num_bars == 6
    with pytest.raises(ValueError, match="knows Drums, not Melody"):
        model.encode([helpers.random_melody(np.random.default_rng(0), 2)])
