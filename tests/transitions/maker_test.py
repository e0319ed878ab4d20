import pathlib

import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.inference import batching
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.keys import scale_mask
from musicvae_jax.transitions import curves
from musicvae_jax.transitions.maker import BridgeMaker, Plan
from musicvae_jax.transitions.settings import Settings
from tests import helpers


@pytest.fixture(scope="module")
def maker():
    config = helpers.small_config(bars=2, latent="per_bar")
    params = helpers.random_params(config, scale=3)
    return BridgeMaker(MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, params)))


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    return [(helpers.random_melody(rng, 3), helpers.random_melody(rng, 5)) for _ in range(11)]


@pytest.mark.parametrize("strategy", ["combined", "crossfade"])
def test_many_pairs_at_once_over_the_devices_are_each_as_alone(maker, pairs, strategy, monkeypatch):
    """In parts, padded to eight devices, with candidates: as one pair and candidate alone."""
    plan = Plan(bars=3, settings=Settings(ends="model"))
    whole = maker(pairs, strategy, plan, num=2, temperature=1.0)
    monkeypatch.setattr(batching, "MAX_BATCH", 1)
    parts = maker(pairs, strategy, plan, num=2, temperature=1.0)
    for n in (0, 7, 10):
        [alone] = maker(pairs[n : n + 1], strategy, plan, temperature=1.0, pair_numbers=[n])
        [first] = [b for b in whole[n] if b.number == 0]
        assert first.melody == alone[0].melody
        assert [b.melody for b in whole[n]] == [b.melody for b in parts[n]]


def test_candidates_differ_and_stand_in_the_order_of_their_scores(maker, pairs):
    [candidates] = maker(pairs[:1], "latent", Plan(bars=3), num=5, temperature=1.0)
    scores = [bridge.scores.score for bridge in candidates]
    assert scores == sorted(scores, reverse=True)
    assert len({tuple(b.melody.notes()) for b in candidates}) == len(candidates) > 1
    [same] = maker(pairs[:1], "latent", Plan(bars=3), num=5, temperature=0.0)
    assert len(same) == 1


@pytest.mark.parametrize(("bars", "is_spliced"), [(1, True), (7, False)])
def test_bridges_of_any_length_report_each_bar(maker, pairs, bars, is_spliced):
    plan = Plan(bars, is_spliced, curve="smoothstep")
    [[bridge]] = maker(pairs[:1], "combined", plan)
    assert bridge.melody.num_steps == 16 * bars
    assert bridge.melody.tempo_bpm == pairs[0][0].tempo_bpm
    report = bridge.report()
    assert report["t_latent"] == pytest.approx(
        curves.sample("smoothstep", bars, is_spliced).tolist(), abs=1e-4
    )
    assert report["t_control"] == pytest.approx(
        curves.sample("linear", bars, is_spliced).tolist(), abs=1e-4
    )
    assert len(report["nll"]) == len(report["similarity_1"]) == bars
    assert 0 <= report["score"] <= 1


def test_a_transition_alone_begins_in_one_melody_and_ends_in_the_other(maker, pairs):
    first, second = pairs[0]
    for strategy in ("combined", "cut"):
        [[bridge]] = maker(pairs[:1], strategy, Plan(bars=3))
        assert bridge.melody.window(0, 1).notes() == first.window(0, 1).notes()
        # Of five bars three are used, and the third of those is the last.
        assert bridge.melody.window(2, 1).notes() == second.window(2, 1).notes()


@pytest.mark.parametrize("strategy", ["latent", "combined", "crossfade"])
def test_constraints_are_kept(maker, pairs, strategy):
    how = Settings(scale="D_major", pitch_range=(60, 72))
    [[bridge]] = maker(pairs[:1], strategy, Plan(4, True, settings=how), temperature=2.0)
    pitch = bridge.melody.pitch
    assert scale_mask(2, "major")[pitch % 12].all()
    assert pitch.min() >= 60
    assert pitch.max() <= 72


@pytest.mark.parametrize("strategy", ["latent", "combined"])
def test_the_rhythm_of_melody_1_is_kept(maker, pairs, strategy):
    plan = Plan(3, True, settings=Settings(rhythm=1))
    [[bridge]] = maker(pairs[:1], strategy, plan, temperature=2.0)
    rhythm = [note[1:] for note in pairs[0][0].notes()]
    assert [note[1:] for note in bridge.melody.notes()] == rhythm
    assert bridge.melody.pitch.tolist() != pairs[0][0].pitch.tolist()
