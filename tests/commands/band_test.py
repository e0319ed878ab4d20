"""`--drums=bridge`, with a model of drums whose parameters are random."""

import json
import pathlib
import types

import numpy as np
import pytest
from absl import flags as absl_flags
from absl.testing import flagsaver

from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.commands import band, interpolate, run_flags
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi.whole.drum_part import drums_of_source
from musicvae_jax.midi.write import write
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import Bridge, maker_of
from tests import helpers, songs

ODE, REEL = example_melodies().values()


def small_model(**told):
    config = helpers.small_config(**told)
    return MelodyModel(Checkpoint(pathlib.Path("here"), 0, config, helpers.random_params(config)))


@pytest.fixture(scope="module")
def drums():
    return small_model(codec="drums")


def cut(pairs, strategy, plan, **_):
    """Bridges of melodies, which other tests are about: none of a model's, and not measured."""
    whole, zero = types.SimpleNamespace(score=0.5), np.zeros(plan.bars)
    by_bar = types.SimpleNamespace(likeness_1=zero, likeness_2=zero, nll=zero)
    ends = [bridge_ends(*pair, plan.bars, True)[0] for pair in pairs]
    return [[Bridge(end, strategy, 0, whole, by_bar, plan.t("t_latent"))] for end in ends]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("band")
    songs.write_song(folder / "ode.mid", ODE)
    songs.write_song(folder / "reel.mid", REEL, seed=1, bpm=140.0)
    write(folder / "alone.mid", ODE)
    return folder


@pytest.fixture
def interpolated(drums, monkeypatch, tmp_path):
    """Runs the mode with flags; returns what it wrote."""
    melodies = small_model()
    monkeypatch.setattr(interpolate, "maker_of", lambda _: cut)
    absl_flags.FLAGS.mark_as_parsed()
    monkeypatch.setattr(interpolate, "models_for", lambda *_: {16: melodies})
    monkeypatch.setattr(band, "load_model", lambda *_: drums)

    def run(**flags):
        told = {"splice": True, "drums": "bridge", "strategy": ["crossfade"], "bars": 2} | flags
        with flagsaver.flagsaver(**told):
            interpolate.interpolate(None, run_flags.read(tmp_path / "none", tmp_path))
        return tmp_path

    return run


def test_both_tracks_are_bridged_on_the_same_bars(interpolated, drums, folder):
    pair = [str(folder / "ode.mid"), str(folder / "reel.mid")]
    output = interpolated(input=[pair], strength=0.0, scale="C_major", curve=["0.2", "0.8"])
    report = json.loads((output / "interpolate.json").read_text())
    [entry] = report["outputs"]["crossfade"]
    [melody], [struck] = entry["bridges"], entry["drums"]
    assert struck["t_control"] == melody["t_latent"] == [0.2, 0.8]
    assert report["plan"]["drums"] == "bridge" and report["drum_checkpoint"]["path"] == "here"
    assert (output / "transition_crossfade_drums.png").is_file()

    sources = [read.read_whole(path) for path in pair]
    patterns = tuple(map(drums_of_source, sources))
    options = {"strategy": ["crossfade"], "curve": ["0.2", "0.8"], "splice": True, "bars": 2}
    with flagsaver.flagsaver(**options):
        plan = interpolate.make_plan(drums, 2, run_flags.read(output, output))
    [[wanted]] = maker_of(drums)([patterns], "crossfade", plan)
    written = read.read_whole(output / "transition_crossfade.mid")
    line = sources[0].start + 16 * 4 * written.arrangement.ticks_per_quarter
    steps = [
        (note.start - line) * 4 / written.arrangement.ticks_per_quarter
        for note in written.arrangement.notes
        if note.channel == 9
    ]
    heard = sorted(step for step in steps if 0 <= step < 31.5)
    assert heard == wanted.melody.step.tolist()


def test_the_examples_are_played_with_drums(interpolated):
    output = interpolated(loop=True, bars=None, bridge_bars=["2", "3"])
    report = json.loads((output / "interpolate.json").read_text())
    assert report["inputs"] == ["ode_to_joy", "reel"]
    [entry] = report["outputs"]["crossfade"]
    assert [len(bridge["density"]) for bridge in entry["drums"]] == [2, 3]
    whole = read.read_drums(output / "transition_crossfade.mid")
    assert np.isin(range(16 + 2 + 16), whole.step // 16).all()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"splice": False}, "needs --splice"),
        ({"melody_only": True}, "cannot be used with --melody_only"),
        ({"pairs": "pairs.csv", "splice": False}, "needs --splice"),
        ({"input": [["ode.mid", "alone.mid"]]}, "alone.mid has no drums in the first 2 bars"),
        (
            {"input": [["ode.mid", "augustin"]]},
            "augustin is in 3/4 in sixteenths; drums",
        ),
    ],
)
def test_what_cannot_be_bridged_is_told_in_a_line(interpolated, folder, monkeypatch, flags, said):
    monkeypatch.chdir(folder)
    with pytest.raises(UserError, match=said) as error:
        interpolated(**flags)
    assert "\n" not in str(error.value)
