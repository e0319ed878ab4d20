"""The modes with a model of drums, whose parameters are random."""

import json

import jax
import numpy as np
import pytest

from musicvae_jax.checkpoints import store
from musicvae_jax.inference import humaniser
from musicvae_jax.inference.humaniser import Humaniser
from musicvae_jax.midi.write import write
from musicvae_jax.models.groove_head import GrooveHead
from musicvae_jax.music.drum_examples import example_drums
from musicvae_jax.notation.read import read_drums
from tests import helpers
from tests.command_line import run

ROCK, BOSSA = (drums.window(0, 3) for drums in example_drums().values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint with a humaniser, and two files."""
    folder = tmp_path_factory.mktemp("drums")
    config = helpers.small_config(codec="drums")
    config.dataset.update(extraction="drums", transpose_semitones=0)
    config.dataset.sources = (("groove", 1.0),)
    with store.open_manager(folder) as manager:
        params = helpers.random_params(config)
        store.save(manager, 1, params, None, config, {"nll_per_token": 1.0})
        store.wait(manager, 1)
    fields = {"features": 16, "layers": 1, "dropout": 0.0}
    hits = np.zeros((1, 16, 9), np.float32)
    shapes = jax.eval_shape(GrooveHead(**fields).init, jax.random.key(0), hits, np.ones(1))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: 0.3 * rng.normal(size=leaf.shape), shapes["params"])
    humaniser.save(folder, Humaniser(fields, params))
    write(folder / "rock.mid", ROCK)
    write(folder / "bossa.mid", BOSSA)
    return folder


def test_a_bridge_between_two_files_as_a_piece(folder, tmp_path):
    inputs = f"{folder}/rock.mid,{folder}/bossa.mid"
    made = run(
        *("--mode=interpolate", "--splice", "--bridge_bars=2,1", "--strategy=latent,crossfade"),
        *("--loop", "--from=2", "--to=2"),
        *(f"--checkpoint={folder}", f"--input={inputs}", f"--output={tmp_path}"),
    )
    assert made.returncode == 0, made.stderr
    report = json.loads((tmp_path / "interpolate.json").read_text())
    assert list(report["outputs"]) == ["latent", "crossfade"]
    assert report["places"] == {"from": 2, "to": 2}
    [entry] = report["outputs"]["crossfade"]
    assert {"hit_overlap_1", "groove_similarity_2", "density"} <= set(entry["bridges"][0])
    for name in ("latent", "crossfade"):
        whole = read_drums(tmp_path / f"transition_{name}.mid")
        assert whole.window(0, 2) == ROCK.window(0, 2)
        assert whole.window(4, 2).hits() == BOSSA.window(1, 2).hits()
        # The bridges are played, as the drums around them are.
        assert np.unique(whole.window(2, 2).velocity).size > 1
        assert 6 <= whole.num_bars <= 7
        assert (tmp_path / f"transition_{name}.png").is_file()


def test_drums_are_humanised_as_far_as_asked(folder, tmp_path):
    made = run(
        *("--mode=humanise", "--strength=0.5", f"--input={folder}/rock.mid"),
        *(f"--checkpoint={folder}", f"--output={tmp_path}"),
    )
    assert made.returncode == 0, made.stderr
    played = read_drums(tmp_path / "humanise_00.mid")
    wanted = humaniser.load(folder).humanise(ROCK, strength=0.5)
    assert played.hits() == ROCK.hits()
    np.testing.assert_array_equal(played.velocity, wanted.velocity)
    later = played.step > 0  # a file cannot begin before its beginning
    np.testing.assert_allclose(played.offset[later], wanted.offset[later], atol=1 / 240 + 1e-6)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--scale=C_major", "the model's music has no pitches to limit"),
        ("--key_path=glide", "error: --key_path=glide: is for melodies"),
        ("--input=ode.mid,ode.mid", "no usable drums: the file has no drum track"),
    ],
)
def test_what_is_for_melodies_is_refused_in_a_line(folder, tmp_path, flag, said):
    write(tmp_path / "ode.mid", helpers.random_melody(np.random.default_rng(0), 4))
    options = ("--mode=interpolate", "--bars=2", "--strategy=latent", f"--checkpoint={folder}")
    made = run(*options, flag, f"--output={tmp_path}/out", folder=tmp_path)
    assert made.returncode == 2
    assert said in made.stderr
