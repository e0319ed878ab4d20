"""What the modes make, apart from files."""

import json
import pathlib

import numpy as np
import pytest

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.commands import compose
from musicvae_jax.inference.latent_prior import LatentPrior
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.attributes import ATTRIBUTES
from musicvae_jax.system.errors import UserError
from tests import helpers
from tests.inference import writing_test

BARS = 2


@pytest.fixture(scope="module")
def model():
    config = helpers.small_config(bars=BARS)
    params = helpers.random_params(config)
    return MelodyModel(Checkpoint(pathlib.Path("nowhere"), 0, config, params))


def test_another_prior_leaves_the_model_as_it_is(model):
    before = model.draw(2)
    mean = np.full(before[0].size, 100.0, np.float32)
    other = model.with_prior(LatentPrior(mean, np.zeros((mean.size, mean.size), np.float32)))
    assert (other.draw(2) == 100.0).all()
    assert model.prior is None
    assert (model.draw(2) == before).all()


def test_the_report_names_files_scores_and_attributes(model):
    made = compose.generate(model, num=20, temperature=1.0)
    assert list(made.melodies) == [f"generate_{number:02d}" for number in range(20)]
    assert len(made.shown) == 16
    report = json.loads(json.dumps(made.report()))
    assert list(report) == ["attribute", "outputs"]
    assert list(report["outputs"][3]) == ["output", "attributes"]
    assert report["outputs"][3]["output"] == "generate_03.mid"
    assert list(report["outputs"][3]["attributes"]) == list(ATTRIBUTES)


def test_originals_are_written_beside_reconstructions(model):
    names = ["one.mid", "two.mid"]
    melodies = [model.melody(row) for row in helpers.random_tokens(2, 16 * BARS)]
    made = compose.reconstruct(model, dict(zip(names, melodies, strict=True)))
    stems = ["reconstruct_00", "original_00", "reconstruct_01", "original_01"]
    assert list(made.melodies) == stems
    assert made.melodies["original_01"].notes() == melodies[1].notes()
    assert [title for title in made.shown if title in names] == names
    entry = made.report()["outputs"][1]
    assert list(entry) == [
        "input",
        "output",
        "sampled_accuracy",
        "teacher_forced_accuracy",
        "original_attributes",
        "attributes",
    ]
    assert (entry["input"], entry["output"]) == ("two.mid", "reconstruct_01.mid")


def test_bars_that_are_not_kept_are_written_anew():
    composing = writing_test.composing_model(**writing_test.SHARES)
    melody = helpers.random_melody(np.random.default_rng(0), 6)
    made = compose.vary(composing, "given.mid", melody, [0, 1, 2, 5], num=2)
    assert list(made.melodies) == ["vary_00", "vary_01"]
    for version in made.melodies.values():
        assert version.window(0, 3).notes() == melody.window(0, 3).notes()
        assert version.window(5, 1).notes() == melody.window(5, 1).notes()
    with pytest.raises(UserError, match=r"keep_bars=7: given\.mid has 6 bars"):
        compose.vary(composing, "given.mid", melody, [6])
    with pytest.raises(UserError, match="all bars are kept"):
        compose.vary(composing, "given.mid", melody, range(6))


def test_a_continuation_begins_with_what_was_given(model):
    [tokens] = helpers.random_tokens(1, 16 * BARS)
    given = model.melody(tokens)
    made = compose.complete(model, "given.mid", given, bars=1, num=2)
    assert list(made.melodies) == ["complete_00", "complete_01"]
    assert next(iter(made.shown)) == "given.mid"
    report = made.report()
    assert report["given_bars"] == BARS
    scores = [entry["log_prob_per_token"] for entry in report["outputs"]]
    assert scores == sorted(scores, reverse=True)
