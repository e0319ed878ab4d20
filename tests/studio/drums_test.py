"""The studio with a model of drums, asked without a browser."""

import dataclasses
import io
import json
import pathlib
import wave

import jax
import matplotlib.image
import numpy as np
import pytest
from absl import flags
from starlette.testclient import TestClient

from musicvae_jax import modes
from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.commands import files as commands_files
from musicvae_jax.commands import flags as mode_flags
from musicvae_jax.commands import interpolate, melodies, options
from musicvae_jax.inference import humaniser
from musicvae_jax.inference.composer import Composer, Sampling
from musicvae_jax.inference.humaniser import Humaniser
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi import encode
from musicvae_jax.midi.write import write
from musicvae_jax.models import bar_flow
from musicvae_jax.models.groove_head import GrooveHead
from musicvae_jax.music.drum_examples import example_drums
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drum_piece import drum_single
from musicvae_jax.music.drums import Drums
from musicvae_jax.notation.read import read_drums
from musicvae_jax.studio import drum_views
from musicvae_jax.studio.engine import Engine
from musicvae_jax.studio.server import create_app
from musicvae_jax.system.errors import UserError
from tests import helpers
from tests.inference.writing_test import SHARES, random_prior
from tests.studio.server_test import LOCAL, events, make, read

BARS = 2


@pytest.fixture(scope="module", autouse=True)
def command_line():
    """The flags as they are without any on the command line."""
    flags.FLAGS(["studio"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two files of drums that somebody played, and a humaniser for what the model writes."""
    folder = tmp_path_factory.mktemp("drums")
    rng = np.random.default_rng(0)
    parts = {name: drums.window(0, 3) for name, drums in example_drums().items()}
    for name, part in (parts | {"third": parts["bossa"].window(1, 1)}).items():
        offset = rng.uniform(-0.4, 0.4, part.piece.size)
        write(folder / f"{name}.mid", dataclasses.replace(part, offset=offset))
    # Nobody played this one: all hits are alike.
    write(folder / "plain.mid", Drums.from_hits(parts["rock"].hits(), 48))
    fields = {"features": 16, "layers": 1, "dropout": 0.0}
    hits = np.zeros((1, 16, 9), np.float32)
    shapes = jax.eval_shape(GrooveHead(**fields).init, jax.random.key(0), hits, np.ones(1))
    params = jax.tree.map(lambda leaf: 0.3 * rng.normal(size=leaf.shape), shapes["params"])
    humaniser.save(folder, Humaniser(fields, params))
    return folder


@pytest.fixture(scope="module")
def model(folder):
    config = helpers.small_config(codec="drums", bars=BARS, **SHARES)
    made = MelodyModel(Checkpoint(folder, 1, config, helpers.random_params(config, scale=3)))
    layout = bar_flow.layout(made.model)
    return made.with_composer(Composer(random_prior(layout), layout, Sampling(steps=3)))


@pytest.fixture(scope="module")
def base(folder):
    return options.Options(
        workdir=pathlib.Path("runs/default"),
        output=folder,
        checkpoint="drums",
        inputs=(),
        transition=mode_flags.read_transition(),
    )


@pytest.fixture(scope="module")
def client(model, base):
    engine = Engine(model, base)
    engine.warm_up = lambda tell: None  # nothing here needs all of it
    with TestClient(create_app(engine, options.StudioOptions()), **LOCAL) as client:
        yield client


@pytest.fixture
def written(model, base, folder, tmp_path, monkeypatch):
    """What the command line writes with flags, without loading a model."""
    for module in (melodies, interpolate, commands_files):
        for name in ("load_model", "named_model"):
            monkeypatch.setattr(module, name, lambda config, options: model, raising=False)
    monkeypatch.chdir(folder)

    def write_all(mode, texts, inputs, **more):
        numbers = ("bars", "num", "seed", "temperature", "strength")
        told = {name: mode_flags.value_of(name, texts) for name in numbers}
        transition = mode_flags.read_transition(texts)
        told |= {"inputs": inputs, "output": tmp_path, "transition": transition}
        modes.MODES[mode].run(None, dataclasses.replace(base, **told, **more))
        return tmp_path

    return write_all


@pytest.mark.parametrize(
    "told",
    [
        {"splice": "true", "strategy": "crossfade", "strength": "0.5", "from": "2", "to": "auto"},
        {"strategy": "latent", "num": "2", "keep": "all", "temperature": "1", "strength": "0"},
        {"splice": "true", "strategy": "cut", "loop": "true", "bridge_bars": "2,1,2"},
    ],
)
def test_a_transition_is_what_the_command_line_writes(client, folder, written, told):
    is_chain = "bridge_bars" in told
    names = ("rock.mid", "bossa.mid", "third.mid")[: 3 if is_chain else 2]
    output = written("interpolate", told, names, audio=is_chain)
    result = make(client, "interpolate", told, [read(client, folder / name) for name in names])
    address = f"/api/result/{result['id']}"
    report = client.get(f"{address}/report.json")
    assert report.content == (output / "interpolate.json").read_bytes()
    assert [item["name"] for item in result["items"]] == [
        entry["output"] for entry in report.json()["ranking"]
    ]
    for number, item in enumerate(result["items"]):
        file = client.get(f"{address}/{number}.mid").content
        assert file == (output / item["name"]).read_bytes()
        assert item["rows"] == list(PIECES) and item["unit"] == "hits"
        again = client.post("/api/read?name=again.mid", content=file).json()
        assert len(again["melody"]["hits"]) == len(item["notes"])
        assert set(item["scores"]) == {"smooth", "as_busy", "drummed"}
        assert item["loops"] == is_chain
    first = (output / result["items"][0]["name"]).with_suffix(".png")
    picture = matplotlib.image.imread(io.BytesIO(client.get(f"{address}/0.png").content))
    assert (picture == matplotlib.image.imread(first)).all()
    if is_chain:
        sound = client.get(f"{address}/0.wav").content
        assert sound == first.with_suffix(".wav").read_bytes()
        with wave.open(io.BytesIO(sound)) as file:  # no longer than what is repeated
            seconds = file.getnframes() / file.getframerate()
        assert seconds == pytest.approx(result["items"][0]["duration_sec"], abs=0.01)
    assert client.get(f"{address}/0.musicxml").status_code == 404
    assert "--melody_only" not in result["command"]


@pytest.mark.parametrize(
    ("mode", "told", "kept"),
    [("generate", {"bars": "1"}, ()), ("vary", {}, (0, 2))],
)
def test_other_modes_are_what_the_command_line_writes(client, folder, written, mode, told, kept):
    told = told | {"num": "2", "strength": "1.5", "seed": "3"}
    names = ("plain.mid",)[: mode != "generate"]
    output = written(mode, told, names, kept_bars=kept)
    told |= {"keep_bars": "1,3"} if kept else {}
    result = make(client, mode, told, [read(client, folder / name) for name in names])
    report = client.get(f"/api/result/{result['id']}/report.json").content
    assert report == (output / f"{mode}.json").read_bytes()
    for number, item in enumerate(result["items"]):
        made = client.get(f"/api/result/{result['id']}/{number}.mid").content
        assert made == (output / item["name"]).read_bytes()
        version = read_drums(output / item["name"])
        for bar in kept:
            assert version.window(bar, 1) == read_drums(folder / names[0]).window(bar, 1)


def test_a_file_comes_back_as_it_was_played_and_is_heard_on_channel_ten(client, folder):
    told = read(client, folder / "rock.mid")
    drums = drum_views.read_drums("rock.mid", told["melody"])
    assert drums == read_drums(folder / "rock.mid")
    assert np.unique(drums.velocity).size > 1 and np.abs(drums.offset).max() > 0.2
    assert any("hits of the kit" in line for line in told["explanation"])
    sent = {"inputs": [{"name": "rock.mid", "melody": told["melody"]}]}
    alone = encode.drums_bytes(drum_single(drums, "pattern"), "rock.mid")
    assert client.post("/api/melody", json=sent).content == alone
    for name, drums in example_drums().items():
        example = client.get(f"/api/example/{name}").json()
        assert drum_views.read_drums(name, example["melody"]) == drums


def test_the_page_shows_what_drums_have(client):
    page = client.get("/").text
    for part in ("Pattern A", "--strength", "rock", ">WAV<"):
        assert part in page
    for name in ("key_path", "scale", "pitch_range", "rhythm", "accompaniment", "melody_only"):
        assert f"--{name}" not in page
        asked = {"mode": "interpolate", "options": {name: "auto"}, "inputs": []}
        answer = client.post("/api/make", json=asked)
        assert f"--{name}: not an option" in answer.json()["error"]
    for part in ("get-musicxml", 'class="record"', "Edit notes", "melody A", ".abc"):
        assert part not in page


@pytest.mark.parametrize(
    "change",
    [
        {"hits": [[9, 0, 80, 0]]},
        {"hits": [[0, 0, 80, 0.9]]},
        {"hits": [[0, 0, 80, float("nan")]]},
        {"hits": [[0, 0, 80, 0], [0, 0, 90, 0]]},
        {"hits": [[0, 0, 80]]},
        {"hits": []},
        {"num_steps": 10**9},
        {"tempo_bpm": 0},
        {"program": 128},
    ],
)
def test_drums_that_no_reader_gave_are_refused(change):
    good = drum_views.view_drums("a", Drums.from_hits([(0, 0), (1, 4)], 16), [])["melody"]
    assert json.loads(json.dumps(good)) == good | {"hits": [list(hit) for hit in good["hits"]]}
    with pytest.raises(UserError, match="a: "):
        drum_views.read_drums("a", good | change)


def test_what_is_no_drums_is_told_in_one_line(client, tmp_path):
    write(tmp_path / "tune.mid", helpers.random_melody(np.random.default_rng(0), 4))
    answer = client.post("/api/read?name=tune.mid", content=(tmp_path / "tune.mid").read_bytes())
    assert answer.status_code == 400
    assert answer.json()["error"] == "tune.mid: no usable drums: the file has no drum track"
    line = {"notes": [], "num_steps": 32, "grid": "4/4"}
    asked = {"mode": "generate", "options": {}, "edits": {"generate_00": line}}
    assert "melodies alone" in events(client, "/api/make", asked)[-1]["error"]
