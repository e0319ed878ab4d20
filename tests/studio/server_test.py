"""The studio's server, asked without a browser."""

import asyncio
import base64
import collections
import concurrent.futures
import functools
import io
import json
import pathlib
import re
import threading
import time
import types
import wave
import zipfile

import matplotlib.image
import mido
import numpy as np
import pytest
from absl import flags
from starlette.testclient import TestClient

from musicvae_jax import main, modes
from musicvae_jax.checkpoints.load import Checkpoint
from musicvae_jax.commands import band, interpolate, melodies, options
from musicvae_jax.commands import files as commands_files
from musicvae_jax.commands import flags as mode_flags
from musicvae_jax.commands.instruments import MELODY
from musicvae_jax.inference import attribute_vectors
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi import encode, musicxml
from musicvae_jax.music import attributes
from musicvae_jax.music.assembly import single
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.grid import GRIDS
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.notation import read as music_files
from musicvae_jax.studio import fields, guard, requests, results, views, ways
from musicvae_jax.studio.engine import Engine
from musicvae_jax.studio.guard import is_loopback
from musicvae_jax.studio.jobs import BusyError, Jobs
from musicvae_jax.studio.kinds import MELODY as MELODIES
from musicvae_jax.studio.requests import MAX_MAKE_BYTES, MAX_REQUEST_BYTES
from musicvae_jax.studio.server import create_app
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import strategies
from musicvae_jax.transitions.maker import Bridge
from tests import helpers
from tests.inference.writing_test import SHARES, composing_model
from tests.songs import write_song
from tests.voice import sounds

BARS = 2
LOCAL = {"base_url": "http://127.0.0.1:7860"}


@pytest.fixture(scope="module", autouse=True)
def command_line():
    """The flags as they are without any on the command line."""
    flags.FLAGS(["studio"])
    assert main.modes.MODES


@pytest.fixture(scope="module")
def model():
    model = composing_model(bars=BARS, **SHARES)
    measured = attributes.measure(helpers.random_tokens(50, 16 * BARS))
    latents = np.random.default_rng(0).normal(size=(50, *model.model.latent_shape))
    model.attributes = attribute_vectors.fit(latents, measured)
    return model


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return options.Options(
        workdir=pathlib.Path("runs/default"),
        output=tmp_path_factory.mktemp("studio"),
        checkpoint="runs/small",
        inputs=(),
        transition=mode_flags.read_transition(),
    )


@pytest.fixture(scope="module")
def client(model, base):
    with TestClient(create_app(Engine(model, base), options.StudioOptions()), **LOCAL) as client:
        yield client


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    folder = helpers.write_midi_folder(tmp_path_factory.mktemp("songs"), songs=2, bars=4)
    return sorted(folder.glob("*.mid"))


def read(client, path):
    answer = client.post(f"/api/read?name={path.name}", content=path.read_bytes())
    assert answer.status_code == 200, answer.text
    return answer.json()


def events(client, path, asked):
    with client.stream("POST", path, json=asked) as answer:
        if answer.status_code != 200:
            return [json.loads(answer.read())]
        return [json.loads(line) for line in answer.iter_lines()]


def make(client, mode, told, inputs, **more):
    names = ("name", "melody", "file", "reading")
    inputs = [{name: entry[name] for name in names if name in entry} for entry in inputs]
    asked = {"mode": mode, "options": told, "inputs": inputs} | more
    last = events(client, "/api/make", asked)[-1]
    assert "result" in last, last
    return last["result"]


def as_on_the_command_line(mode, inputs, told, folder, model, monkeypatch, readings=()):
    """What `main` would write with flags, without loading a model."""
    texts = {name: text for name, text in told.items() if text}
    texts = texts if readings else texts | {"melody_only": "true"}
    numbers = {
        name: mode_flags.value_of(name, texts) for name in ("bars", "num", "seed", "temperature")
    }
    for module, name in (
        *((melodies, "load_model"), (interpolate, "named_model")),
        (commands_files, "named_model"),
    ):
        monkeypatch.setattr(module, name, lambda config, options: model)
    modes.MODES[mode].run(
        None,
        options.Options(
            workdir=folder,
            output=folder,
            checkpoint="",
            inputs=inputs,
            readings=readings,
            transition=mode_flags.read_transition(texts),
            # FluidSynth takes a second for each.
            audio="strategy" in told and told.get("accompaniment", "fade") == "fade",
            soundfont=None,
            attributes=mode_flags.read_attributes(texts),
            kept_bars=mode_flags.read_kept_bars(texts),
            **numbers,
        ),
    )


@pytest.mark.parametrize(
    "told",
    [
        {"splice": "true", "strategy": "latent,dual_combined"},
        {"splice": "false", "strategy": "latent,cut", "seed": "7", "granularity": "note"},
        {
            **{"splice": "true", "strategy": "combined", "num": "3", "keep": "all", "seed": "3"},
            **{"bars": "5", "curve": "0,0.3,1", "key_path": "glide", "temperature": "1"},
        },
        {"splice": "true", "loop": "true", "strategy": "latent", "scale": "auto", "curve": "hold"},
    ],
)
def test_a_transition_is_what_the_command_line_writes(
    client, model, songs, told, tmp_path, monkeypatch
):
    monkeypatch.chdir(songs[0].parent)
    names = tuple(path.name for path in songs)
    as_on_the_command_line("interpolate", names, told, tmp_path, model, monkeypatch)
    result = make(client, "interpolate", told, [read(client, path) for path in songs])
    report = client.get(f"/api/result/{result['id']}/report.json")
    assert report.content == (tmp_path / "interpolate.json").read_bytes()
    ranking = [entry["output"] for entry in report.json()["ranking"]]
    assert [item["name"] for item in result["items"]] == ranking
    for number, name in enumerate(ranking):
        download = client.get(f"/api/result/{result['id']}/{number}.mid")
        assert download.content == (tmp_path / name).read_bytes()
        assert f'filename="{name}"' in download.headers["content-disposition"]
    if (tmp_path / ranking[0]).with_suffix(".wav").exists():
        sound = client.get(f"/api/result/{result['id']}/0.wav").content
        assert sound == (tmp_path / ranking[0]).with_suffix(".wav").read_bytes()
    picture = client.get(f"/api/result/{result['id']}/0.png").content
    pixels = matplotlib.image.imread(io.BytesIO(picture))
    assert (pixels == matplotlib.image.imread((tmp_path / ranking[0]).with_suffix(".png"))).all()


@pytest.fixture(scope="module")
def whole_songs(tmp_path_factory):
    """A tune among other tracks, and one with an upbeat that its file does not declare."""
    folder = tmp_path_factory.mktemp("whole")
    ode, reel = (melody.window(0, 4) for melody in example_melodies().values())
    write_song(folder / "ode.mid", ode)
    write_song(folder / "reel.mid", reel, before=0, channels=(3, 4, 5), programs=(40, 33, 24))
    return folder / "ode.mid", folder / "reel.mid"


def read_whole(client, path, **reading):
    """What the page sends of a song, and what it was told of it."""
    answer = client.post(
        "/api/read", params={"name": path.name} | reading, content=path.read_bytes()
    )
    assert answer.status_code == 200, answer.text
    file = base64.b64encode(path.read_bytes()).decode()
    return answer.json() | {"file": file, "reading": reading}


@pytest.mark.parametrize(
    ("told", "readings"),
    [
        ({"accompaniment": "fade", "strategy": "latent,cut"}, [{}, {}]),
        ({"accompaniment": "hold", "key_path": "glide"}, [{"track": "3"}, {"bar_one": "1.5"}]),
        ({"accompaniment": "none", "loop": "true"}, [{"track": "Bass", "bar_one": "2"}, {}]),
    ],
)
def test_whole_songs_are_what_the_command_line_writes(
    client, model, whole_songs, told, readings, tmp_path, monkeypatch
):
    told = {"splice": "true", "strategy": "latent"} | told
    monkeypatch.chdir(whole_songs[0].parent)
    names = tuple(path.name for path in whole_songs)
    known = tuple(requests.read_reading(reading) for reading in readings)
    as_on_the_command_line("interpolate", names, told, tmp_path, model, monkeypatch, known)
    inputs = [
        read_whole(client, path, **reading)
        for path, reading in zip(whole_songs, readings, strict=True)
    ]
    result = make(client, "interpolate", told, inputs)
    report = client.get(f"/api/result/{result['id']}/report.json")
    assert report.content == (tmp_path / "interpolate.json").read_bytes()
    for number, item in enumerate(result["items"]):
        path = tmp_path / item["name"]
        address = f"/api/result/{result['id']}/{number}"
        assert client.get(f"{address}.mid").content == path.read_bytes()
        line = music_files.song_from_bytes(client.get(f"{address}.line").content, "line.mid")
        assert sum(track.pitch.size for track in line.tracks) >= len(item["notes"])
        assert len(item["others"]) > len(item["notes"])
    heard = (tmp_path / result["items"][0]["name"]).with_suffix(".wav")
    assert client.get(f"{address}.wav?accompaniment=101").status_code == 400
    if heard.exists():
        softer = client.get(f"/api/result/{result['id']}/0.wav?accompaniment=0").content
        assert len(softer) == heard.stat().st_size and softer != heard.read_bytes()
        picture = matplotlib.image.imread(io.BytesIO(client.get(f"{address}.png").content))
        assert (picture == matplotlib.image.imread(path.with_suffix(".png"))).all()
        assert client.get(f"/api/result/{result['id']}/0.wav").content == heard.read_bytes()
    assert "--melody_only" not in result["command"]
    tracks = [reading.get("track", "") for reading in readings]
    assert (f"--track={','.join(tracks)}" in result["command"]) == any(tracks)


def test_songs_are_left_and_entered_where_the_command_line_does(
    client, model, tmp_path, monkeypatch
):
    told = {"splice": "true", "strategy": "latent", "from": "auto", "to": "3"}
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / "ode.mid", tmp_path / "reel.mid"]
    for path, melody in zip(paths, example_melodies().values(), strict=False):
        write_song(path, melody.window(0, 8))
    names, nothing = tuple(path.name for path in paths), (requests.read_reading({}),) * 2
    output = tmp_path / "written"
    as_on_the_command_line("interpolate", names, told, output, model, monkeypatch, nothing)
    made = make(client, "interpolate", told, [read_whole(client, path) for path in paths])
    report = client.get(f"/api/result/{made['id']}/report.json")
    assert report.content == (output / "interpolate.json").read_bytes()
    assert made["places"] == report.json()["places"]
    assert len(made["places"]["proposals"]) > 1 and made["places"]["to"] == 3
    file = client.get(f"/api/result/{made['id']}/0.mid").content
    assert file == (output / "transition_latent.mid").read_bytes()
    assert "--from=auto --to=3" in made["command"]
    asked = {"mode": "interpolate", "options": told | {"from": "9"}}
    asked["inputs"] = [read(client, path) for path in paths]
    problem = events(client, "/api/make", asked)[-1]["error"]
    assert problem == "--from=9: there are bars 1 to 8"


def test_the_drums_of_a_bridge_are_what_the_command_line_writes(
    client, model, whole_songs, tmp_path, monkeypatch
):
    config = helpers.small_config(codec="drums")
    drums = MelodyModel(Checkpoint(pathlib.Path("drums"), 1, config, {}))
    monkeypatch.setattr(band, "load_model", lambda config, options: drums)
    monkeypatch.setattr(band, "maker_of", lambda model: cut_drums)
    told = {"splice": "true", "strategy": "cut", "drums": "bridge"}
    monkeypatch.chdir(whole_songs[0].parent)
    names = tuple(path.name for path in whole_songs)
    known = (requests.read_reading({}),) * 2
    as_on_the_command_line("interpolate", names, told, tmp_path, model, monkeypatch, known)
    inputs = [read_whole(client, path) for path in whole_songs]
    result = make(client, "interpolate", told, inputs)
    report = client.get(f"/api/result/{result['id']}/report.json")
    assert report.content == (tmp_path / "interpolate.json").read_bytes()
    made = client.get(f"/api/result/{result['id']}/0.mid").content
    assert made == (tmp_path / "transition_cut.mid").read_bytes()
    assert "--drums=bridge" in result["command"]
    alone = [{name: entry[name] for name in ("name", "melody")} for entry in inputs]
    asked = {"mode": "interpolate", "options": told, "inputs": alone}
    assert "cannot be used with --melody_only" in events(client, "/api/make", asked)[-1]["error"]


def cut_drums(pairs, strategy, plan, **_):
    """Bridges of drums as a maker gives them, without a model and without measures."""
    t = np.zeros(plan.bars)
    by_bar = types.SimpleNamespace(hit_overlap_1=t, hit_overlap_2=t)
    ends = [bridge_ends(*pair, plan.bars, True)[0] for pair in pairs]
    return [[Bridge(end, strategy, 0, types.SimpleNamespace(), by_bar, t)] for end in ends]


def test_the_time_axis_of_whole_songs_is_that_of_their_file(client, whole_songs):
    inputs = [read_whole(client, path) for path in whole_songs]
    result = make(client, "interpolate", {"splice": "true", "strategy": "cut"}, inputs)
    [view] = result["items"]
    assert view["bars"] == 2 + 4 + BARS + 4 + 1 == sum(part["bars"] for part in view["sections"])
    assert len(view["t"]) == view["bars"] and view["sections"][1]["start_bar"] == 6
    assert view["first_bar"] == 2
    file = client.get(f"/api/result/{result['id']}/0.mid").content
    heard = collections.defaultdict(list)
    now = 0.0
    for message in mido.MidiFile(file=io.BytesIO(file)):
        now += message.time
        if message.type == "note_on" and message.velocity and message.channel != 9:
            heard[message.note].append(now)
    assert view["duration_sec"] == pytest.approx(now, abs=1e-3)
    shown = collections.defaultdict(list)
    for pitch, step, _ in sorted(view["others"], key=lambda note: note[1]):
        from_step, begin, length = [t for t in view["tempos"] if t[0] <= step + 1e-3][-1]
        shown[pitch].append(begin + (step - from_step) * length)
    assert shown.keys() == heard.keys()
    for pitch, times in heard.items():
        assert shown[pitch] == pytest.approx(times, abs=5e-3)
    # The line lies on the melody's notes, which are on the beat.
    onsets = {(pitch, round(step)) for pitch, step, _ in view["others"]}
    assert {(pitch, step) for pitch, step, _ in view["notes"]} <= onsets


def test_chains_are_what_the_command_line_writes(
    client, model, whole_songs, songs, tmp_path, monkeypatch
):
    told = {"strategy": "latent", "accompaniment": "none", "loop": "true", "bridge_bars": "2,1,2"}
    paths = [*whole_songs, songs[0]]
    for path in paths:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)
    names = tuple(path.name for path in paths)
    nothing = (requests.read_reading({}),) * 3
    as_on_the_command_line("interpolate", names, told, tmp_path, model, monkeypatch, nothing)
    made = make(client, "interpolate", told, [read_whole(client, path) for path in paths])
    report = client.get(f"/api/result/{made['id']}/report.json")
    assert report.content == (tmp_path / "interpolate.json").read_bytes()
    assert "bridge_bars" in report.json()["plan"]
    for number, item in enumerate(made["items"]):
        file = client.get(f"/api/result/{made['id']}/{number}.mid").content
        assert file == (tmp_path / item["name"]).read_bytes()
        lengths = [part["bars"] for part in item["sections"] if part["is_bridge"]]
        assert ",".join(map(str, lengths)) == told["bridge_bars"]
    asked = {"mode": "interpolate", "options": {"bridge_bars": "1,2,3"}}
    asked["inputs"] = [read_whole(client, path) for path in paths]
    assert "there are 2 bridges" in events(client, "/api/make", asked)[-1]["error"]


EDIT = [[72, 0, 3], [69, 5, 8], [61, 20, 32]]  # of a bridge


def edited(item):
    """The line of an item whose bridges are EDIT, as the page sends it, and the notes shown."""
    first = 16 * item.get("first_bar", 0)
    begin = [16 * part["start_bar"] for part in item["sections"] if part["is_bridge"]]
    notes = [n for n in item["notes"] if not any(b <= n[1] < b + 16 * BARS for b in begin)]
    notes += [[pitch, b + start, b + end] for b in begin for pitch, start, end in EDIT]
    notes.sort(key=lambda note: note[1])
    sent = [[pitch, start - first, end - first] for pitch, start, end in notes]
    return {"notes": sent, "num_steps": 16 * item.get("line_bars", item["bars"])}, notes


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("told", [{"key_path": "glide"}, {"loop": "true", "keep": "all"}])
def test_edited_bridges_are_what_is_played_and_downloaded(client, whole_songs, told, is_whole):
    told = {"splice": "true", "strategy": "cut,latent", "melody_only": str(not is_whole)} | told
    inputs = [read_whole(client, path) for path in whole_songs]
    made = make(client, "interpolate", told, inputs)
    line, notes = edited(made["items"][1])
    stem = made["items"][1]["name"].removesuffix(".mid")
    again = make(client, "interpolate", told, inputs, edits={stem: line})
    assert again["items"][0] == made["items"][0]
    view = again["items"][1]
    assert view["notes"] == notes and view["sections"] == made["items"][1]["sections"]
    assert not {"score", "scores", "facts"} & view.keys()
    assert view["curves"]["nll"] is None and view["t"] == made["items"][1]["t"]
    address = f"/api/result/{again['id']}/1"
    file = client.get(f"{address}.mid").content
    assert b"edited by hand" in file
    heard, quarter = set(), mido.MidiFile(file=io.BytesIO(file)).ticks_per_beat
    for track in mido.MidiFile(file=io.BytesIO(file)).tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                heard.add((message.note, round(4 * tick / quarter)))
    assert {(pitch, start) for pitch, start, _ in notes} <= heard
    for suffix in ("line", "musicxml"):
        name = f"a.{suffix.replace('line', 'mid')}"
        song = music_files.song_from_bytes(client.get(f"{address}.{suffix}").content, name)
        first = 4 * view.get("first_bar", 0)
        start = np.concatenate([track.start for track in song.tracks]) + first
        assert {n[1] for n in notes} == set(np.rint(4 * start).astype(int).tolist())
    report = client.get(f"/api/result/{again['id']}/report.json").json()["outputs"]
    assert [entry.get("edited", False) for entry in report[stem.split("_")[1]]] == [True]
    assert client.get(f"{address}.png").content[:4] == b"\x89PNG"


def test_edited_melodies_are_what_is_downloaded_and_a_file_is_made_of_them(client, songs):
    song = read(client, songs[0])
    told = {"keep_bars": "1,3-4"}
    [item, _] = make(client, "vary", told | {"num": "2"}, [song])["items"]
    line = {"notes": [[60, 0, 2], *EDIT[1:], [64, 40, 64]], "num_steps": 64}
    made = make(client, "vary", told, [song], edits={"vary_00": line})
    assert made["items"][0]["notes"] == line["notes"]
    assert made["items"][0]["sections"] == item["sections"] and not made["items"][0]["facts"]
    file = client.get(f"/api/result/{made['id']}/0.mid").content
    melody = song["melody"] | {"notes": line["notes"]}
    asked = {"inputs": [{"name": "a_edited.mid", "melody": melody}]}
    for content in (file, client.post("/api/melody", json=asked).content):
        answer = client.post("/api/read?name=a_edited.mid", content=content).json()
        assert answer["melody"] == melody
    assert client.post("/api/melody", json={"inputs": []}).status_code == 400
    wrong = {"mode": "vary", "options": told, "inputs": [song]}
    wrong["edits"] = {"vary_00": line | {"num_steps": 16 * 5}}
    assert "5 bars: 4 are needed" in events(client, "/api/make", wrong)[-1]["error"]


def test_another_track_and_another_bar_line_can_be_chosen(client, whole_songs):
    path = whole_songs[0]
    found = read_whole(client, path)["song"]
    assert [track["is_melody"] for track in found["tracks"]] == [True, False, False, False]
    assert [track["name"] for track in found["tracks"]] == ["Melody", "Bass", "Piano", "Drums"]
    assert found["tracks"][3]["is_drum"] and found["tracks"][0]["instrument"] == "Flute"
    assert found["bar_one"] == 8 and found["quarters"] > 4 * 6
    told = read_whole(client, path, track="2", bar_one="3")
    assert [track["is_melody"] for track in told["song"]["tracks"]] == [False, True, False, False]
    assert told["song"]["bar_one"] == -1
    assert told["melody"]["program"] == 32
    for query, part in (
        ({"track": "9"}, "track=9: no such track"),
        ({"bar_one": "-1"}, "bar_one=-1"),
        ({"bar_one": "soon"}, "bar_one=soon"),
        ({"bar_one": "nan"}, "bar_one=nan"),
    ):
        query = {"name": path.name} | query
        answer = client.post("/api/read", params=query, content=path.read_bytes())
        assert answer.status_code == 400 and part in answer.json()["error"]


@pytest.mark.parametrize("name", ["3/4", "6/8", "9/8", "triplets", "4/4"])
def test_melodies_in_any_meter_are_read_and_given_back(client, tmp_path, name):
    grid = GRIDS[name]
    steps = [0, 2, 3, 4, 6, 8] if name == "triplets" else [0, 3, 4, 6]
    starts = [b * grid.steps_per_bar + step for b in range(4) for step in steps]
    ends = [*starts[1:], 4 * grid.steps_per_bar]
    rows = [(60 + n % 5, s, e) for n, (s, e) in enumerate(zip(starts, ends, strict=True))]
    melody = Melody.from_notes(rows, ends[-1], grid=grid)
    content = encode.piece_bytes(single(melody), "song")
    answer = client.post("/api/read?name=song.mid", content=content).json()
    assert requests.read_melody("song.mid", answer["melody"]) == melody
    assert answer["song"]["bar_quarters"] == grid.quarters_per_bar and answer["grid"] == ""
    view = answer["view"]
    assert view["steps_per_bar"] == grid.played_steps and view["bars"] == 4
    played = [(p, int(grid.played(s)), int(grid.played(e))) for p, s, e in melody.notes()]
    assert [tuple(note) for note in view["notes"]] == played
    [section] = view["sections"]
    assert section["meter"] == grid.meter
    sent = {"notes": view["notes"], "num_steps": 4 * grid.played_steps, "grid": view["grid"]}
    line = requests.edits({"edits": {"a": sent}})["a"]
    assert line.grid == grid and line.num_steps == melody.num_steps
    assert [(p, int(grid.played(s)), int(grid.played(e))) for p, s, e in line.notes()] == played
    assert view["duration_sec"] == pytest.approx(melody.num_quarters / 2, abs=1e-3)  # at 120
    wrong = answer["melody"] | {"grid": "5/4"}
    with pytest.raises(UserError, match="not a melody"):
        requests.read_melody("song.mid", wrong)


@pytest.fixture
def triple(monkeypatch):
    """A small model of bars of twelve steps in place of the shipped one."""
    made = composing_model(bars=BARS, steps_per_bar=12, **SHARES)
    monkeypatch.setattr(commands_files, "shipped_for", lambda steps: {12: made}[steps])
    monkeypatch.setattr(commands_files, "load_model", lambda *_: made)
    return made


def test_whole_songs_from_meter_to_meter(client, model, triple, tmp_path, monkeypatch):
    """A waltz leads to a reel; what is shown, made and written is what the command line writes."""
    waltz = example_melodies(12)["augustin"].window(0, 4)
    paths = [
        write_song(tmp_path / "waltz.mid", waltz),
        write_song(tmp_path / "reel.mid", example_melodies()["reel"].window(0, 4), before=1),
    ]
    monkeypatch.chdir(tmp_path)
    told = {"splice": "true", "strategy": "latent", "accompaniment": "hold", "meter_keeps": "bar"}
    names, readings = ("waltz.mid", "reel.mid"), (requests.read_reading({}),) * 2
    folder = tmp_path / "out"
    as_on_the_command_line("interpolate", names, told, folder, model, monkeypatch, readings)
    result = make(client, "interpolate", told, [read_whole(client, path) for path in paths])
    [view] = result["items"]
    written = (folder / view["name"]).read_bytes()
    assert client.get(f"/api/result/{result['id']}/0.mid").content == written
    assert (
        client.get(f"/api/result/{result['id']}/report.json").content
        == (folder / "interpolate.json").read_bytes()
    )
    assert "--meter_keeps=bar" in result["command"]
    meters = [(part["meter"], part["beats"], part["bars"]) for part in view["sections"]]
    assert meters == [("3/4", 3, 6), ("3/4", 3, 1), ("4/4", 4, 1), ("4/4", 4, 5)]
    assert view["steps_per_bar"] == 48 and view["grid"] == ""
    line = {"notes": [[60, 0, 4]], "num_steps": 16, "grid": "4/4"}
    asked = {"mode": "interpolate", "options": told, "edits": {"transition_latent": line}}
    asked["inputs"] = [read_whole(client, path) for path in paths]
    assert "changes its meter" in events(client, "/api/make", asked)[-1]["error"]
    # The time axis is that of the file, read by another library.
    file, now, onsets = mido.MidiFile(file=io.BytesIO(written)), 0.0, set()
    for message in file:
        now += message.time
        if message.type == "note_on" and message.velocity:
            onsets.add((message.note, round(now, 2)))
    seconds = set()
    for pitch, step, _ in view["notes"]:
        from_step, begin, length = [t for t in view["tempos"] if t[0] <= step + 1e-3][-1]
        seconds.add((pitch, round(begin + (step - from_step) * length, 2)))
    near = {(p, round(s + d, 2)) for p, s in onsets for d in (-0.01, 0, 0.01)}
    assert seconds <= near


def test_other_modes_take_the_model_of_their_melody(client, triple):
    jig = client.get("/api/example/jig").json()
    made = make(client, "reconstruct", {}, [jig | {"melody": _window(jig["melody"], BARS)}])
    assert made["items"][0]["sections"][0]["meter"] == "6/8"
    assert "--checkpoint" not in made["command"]  # the one of the studio is for other bars
    ode = client.get("/api/example/ode_to_joy").json()
    asked = {"mode": "reconstruct", "options": {}, "inputs": [jig, ode]}
    assert "of different models" in events(client, "/api/make", asked)[-1]["error"]


def _window(melody, bars):
    steps = 12 * bars
    kept = [note for note in melody["notes"] if note[2] <= steps]
    return melody | {"notes": kept, "num_steps": steps}


def test_without_their_files_songs_are_played_as_melodies(client, whole_songs):
    inputs = [read_whole(client, path) for path in whole_songs]
    del inputs[1]["file"]
    result = make(client, "interpolate", {"splice": "true", "strategy": "cut"}, inputs)
    assert "others" not in result["items"][0]
    assert result["command"].endswith("--melody_only")
    for file, part in (("?", "not base64"), (3, "not base64"), ("AAAA" * 700_000, "larger than")):
        inputs[0]["file"] = file
        asked = {"mode": "interpolate", "options": {"splice": "true"}, "inputs": inputs}
        assert part in events(client, "/api/make", asked)[-1]["error"]
    for reading, part in (({"bar_one": "x"}, "bar_one=x"), ([1], "an object")):
        inputs[0] |= {"file": None, "reading": reading}
        asked["inputs"] = inputs
        assert part in events(client, "/api/make", asked)[-1]["error"]


@pytest.mark.parametrize(
    ("mode", "told", "count"),
    [
        ("generate", {"num": "3", "seed": "5", "temperature": "0.9", "attribute": "range:-1"}, 0),
        ("reconstruct", {}, 2),
        ("reconstruct", {"attribute": "density:+1,range:0.5"}, 2),
        ("complete", {"bars": "3", "num": "2"}, 1),
        ("vary", {"keep_bars": "1,3-4", "num": "2", "seed": "3"}, 1),
    ],
)
def test_other_modes_are_what_the_command_line_writes(
    client, model, songs, mode, told, count, tmp_path, monkeypatch
):
    monkeypatch.chdir(songs[0].parent)
    names = tuple(path.name for path in songs[:count])
    as_on_the_command_line(mode, names, told, tmp_path, model, monkeypatch)
    result = make(client, mode, told, [read(client, path) for path in songs[:count]])
    for number, item in enumerate(result["items"]):
        download = client.get(f"/api/result/{result['id']}/{number}.mid").content
        assert download == (tmp_path / item["name"]).read_bytes()
    assert len(result["items"]) == len(list(tmp_path.glob("*.mid")))
    report = client.get(f"/api/result/{result['id']}/report.json").content
    if count:  # without inputs the command line names its examples
        assert report == (tmp_path / f"{mode}.json").read_bytes()


def test_new_bars_leave_the_others_note_by_note(client, songs):
    [song] = [read(client, songs[0])]
    made = make(client, "vary", {"keep_bars": "1,3-4", "num": "2"}, [song])
    given = Melody.from_notes(song["melody"]["notes"], song["melody"]["num_steps"])
    for item in made["items"]:
        version = Melody.from_notes(item["notes"], 16 * item["bars"])
        assert [version.window(n, 1) for n in (0, 2)] == [given.window(n, 1) for n in (0, 2)]
        assert version.window(1, 1) != given.window(1, 1)
        parts = [(part["label"], part["start_bar"], part["bars"]) for part in item["sections"]]
        assert parts == [("kept", 0, 1), ("new", 1, 1), ("kept", 2, 2)]
        assert item["t"] == [0.0, 0.5, 0.0, 0.0]
    for kept, part in (("1-4", "none is left"), ("5", "has 4 bars"), ("x", "--keep_bars=x")):
        asked = {"mode": "vary", "options": {"keep_bars": kept}, "inputs": [song]}
        assert part in events(client, "/api/make", asked)[-1]["error"]


def test_a_zip_file_of_all(client, songs):
    inputs = [read(client, path) for path in songs]
    result = make(client, "interpolate", {"strategy": "latent,cut", "bars": "1"}, inputs)
    answer = client.get(f"/api/result/{result['id']}/all.zip")
    assert 'filename="interpolate.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        stems = ("transition_latent", "transition_cut")
        suffixes = ("mid", "musicxml", "png", "wav")
        names = {f"{stem}.{suffix}" for stem in stems for suffix in suffixes}
        assert set(archive.namelist()) == names | {"interpolate.json"}
        for number, item in enumerate(result["items"]):
            single_file = client.get(f"/api/result/{result['id']}/{number}.mid").content
            assert archive.read(item["name"]) == single_file


def test_the_command_that_is_shown_means_the_same(client, base, songs):
    known = [requests.read_reading({"grid": "4/4", "bar_one": "2.5"}), requests.read_reading({})]
    assert fields.command("reconstruct", {}, ["a.mid", "b.mid"], base, known).endswith(
        "--input=a.mid,b.mid --bar_one=2.5, --grid=4/4,"
    )
    told = {"strategy": "latent", "curve": "0,1", "splice": "true", "bars": "", "seed": "0"}
    result = make(client, "interpolate", told, [read(client, path) for path in songs])
    assert result["command"] == (
        "musicvae --mode=interpolate --checkpoint=runs/small "
        "--input=song_000.mid,song_001.mid --strategy=latent --curve=0,1 --splice --melody_only"
    )
    odd = fields.command("complete", {"num": "2"}, ["my 'new', song.mid"], base)
    parsed = flags.FLAGS["input"].parser.parse(
        re.search(r"'--input=(.*)' --num", odd).group(1).replace("'\"'\"'", "'")
    )
    assert parsed == ["my 'new', song.mid"]


def test_examples_are_read_like_uploads_and_keep_their_names(client):
    for name, melody in example_melodies().items():
        example = client.get(f"/api/example/{name}").json()
        assert example["name"] == name
        assert requests.read_melody(name, example["melody"]) == melody
        assert any("taken" in line for line in example["explanation"])
    assert client.get("/api/example/nothing").status_code == 404


def test_the_name_of_an_example_is_an_input_of_the_command_line(base, songs):
    told = options.dataclasses.replace(base, inputs=(str(songs[0]), "reel"))
    assert commands_files.input_music(told, MELODY)["reel"] == example_melodies()["reel"]


def test_the_explanation_says_what_became_of_an_upload(client, songs):
    answer = read(client, songs[0])
    words = "\n".join(answer["explanation"])
    assert "taken" in words
    assert f"windows of {BARS} bars" in words
    assert answer["view"]["bars"] == 4
    assert answer["tempo_bpm"] == 100.0


@pytest.mark.parametrize(
    ("content", "code", "parts"),
    [
        (b"", 400, ["bad.mid", "empty"]),
        (b"MThd rubbish", 400, ["bad.mid", "not a readable MIDI file"]),
        (b"<html><script>alert(1)</script>", 400, ["not a readable MIDI file"]),
        (b"x" * (music_files.MAX_BYTES + 1), 413, ["bad.mid", "larger than 2 MiB"]),
        (
            encode.piece_bytes(single(Melody.from_notes([(60, 0, 4)], 16))),
            400,
            ["bad.mid", "no usable melody", "has 1 notes"],
        ),
    ],
)
def test_a_bad_file_gives_one_clear_line(client, content, code, parts):
    answer = client.post("/api/read?name=bad.mid", content=content)
    assert answer.status_code == code
    for part in parts:
        assert part in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_uploads_of_notation(client, songs):
    """Compressed and plain MusicXML of what is a MIDI file too; a larger file is allowed."""
    xml = musicxml.to_musicxml(single(music_files.read(songs[0])))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", xml)
    padded = xml + b"\n" * music_files.MAX_BYTES
    for name, content in (("a.mxl", packed.getvalue()), ("A.MusicXML", padded)):
        answer = client.post(f"/api/read?name={name}", content=content)
        assert answer.json()["melody"] == read(client, songs[0])["melody"]
    too_large = b" " * (music_files.most_bytes("a.mxl") + 1)
    answer = client.post("/api/read?name=a.mxl", content=too_large)
    assert answer.status_code == 413
    assert "a.mxl: larger than 16 MiB" in answer.json()["error"]
    for suffix in (".mxl", ".abc", ".kar"):
        assert suffix in client.get("/").text


def test_a_recording_becomes_a_melody_and_its_bars_can_be_told(client, tmp_path):
    pytest.importorskip("soundfile")
    scale = [60, 62, 64, 65, 67, 69, 71, 72] * 2
    notes = [(tone, 0.5 + index / 2, 1 + index / 2) for index, tone in enumerate(scale)]
    path = tmp_path / "sung.wav"
    path.write_bytes(sounds.file(sounds.melody(notes)))
    heard = read(client, path)
    assert [tone for tone, _, _ in heard["melody"]["notes"]] == scale
    assert any("16 notes are heard" in line for line in heard["explanation"])
    told = client.post("/api/read?name=sung.wav&bar_one=2", content=path.read_bytes()).json()
    assert told["song"]["bar_one"] % 4 == 2
    assert 'class="record"' in client.get("/").text
    refused = client.post("/api/read?name=a.mp3", content=b"no sound").json()
    assert refused["error"].startswith("a.mp3: not a readable sound file")


def test_a_file_that_brings_the_reader_down_spares_the_studio(client, songs, monkeypatch):
    monkeypatch.setattr(music_files, "song_from_bytes", helpers.die)
    answer = client.post("/api/read?name=deadly.mid", content=b"x")
    assert answer.status_code == 400
    assert answer.json()["error"] == "deadly.mid: brought the reader down"
    monkeypatch.undo()
    assert read(client, songs[0])["view"]["bars"] == 4


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({"mode": "train"}, "mode 'train'"),
        ({"mode": ["generate"]}, "mode ['generate']"),
        ({"mode": "generate", "options": {"seed": 3}}, "text by name"),
        ({"mode": "generate", "options": {"output": "/etc"}}, "--output: not an option"),
        ({"mode": "generate", "options": {"num": "17"}}, "16 at most"),
        ({"mode": "generate", "options": {"num": "0"}}, "--num=0"),
        ({"mode": "generate", "options": {"seed": "x"}}, "--seed=x"),
        ({"mode": "generate", "options": {"temperature": "-1"}}, "--temperature=-1"),
        ({"mode": "generate", "options": {"temperature": "nan"}}, "--temperature=nan"),
        ({"mode": "generate", "options": {"temperature": "inf"}}, "--temperature=inf"),
        ({"mode": "generate", "options": {"temperature": "1e308"}}, "--temperature=1e308"),
        ({"mode": "generate", "options": {"attribute": "density:nan"}}, "density:nan"),
        ({"mode": "interpolate", "options": {"curve": "0,nan,1"}}, "not a curve"),
        ({"mode": "interpolate", "options": {"strategy": "later"}}, "later"),
        ({"mode": "interpolate", "options": {"curve": "2"}}, "not a curve"),
        ({"mode": "interpolate", "options": {"granularity": "beat"}}, "--granularity=beat"),
        ({"mode": "interpolate", "options": {"scale": "H_major"}}, "--scale=H_major"),
        ({"mode": "interpolate", "inputs": [{}]}, "not a melody"),
        ({"mode": "interpolate", "inputs": ["a.mid"]}, "a list of"),
        ({"mode": "interpolate", "inputs": [{}] * 9}, "8 at most, got 9"),
        ({"mode": "interpolate", "options": {"bridge_bars": "4,x"}}, "--bridge_bars=4,x"),
    ],
)
def test_bad_requests_are_told_in_one_line(client, asked, part):
    answer = client.post("/api/make", json=asked)
    assert answer.status_code == 400
    assert part in answer.json()["error"]


def test_what_only_the_model_can_refuse_comes_as_the_last_event(client, songs):
    first = read(client, songs[0])
    one = {"name": first["name"], "melody": first["melody"]}
    asked = {"mode": "interpolate", "options": {}, "inputs": [one]}
    assert "two melodies" in events(client, "/api/make", asked)[-1]["error"]
    asked = {"mode": "interpolate", "options": {"loop": "true"}, "inputs": [one, one]}
    assert "--loop" in events(client, "/api/make", asked)[-1]["error"]


@pytest.mark.parametrize(
    "change",
    [
        {"notes": [[200, 0, 4]]},
        {"notes": [[60, 4, 0]]},
        {"notes": [[60, 0]]},
        {"notes": "x"},
        {"notes": []},
        {"num_steps": 10**9},
        {"num_steps": None},
        {"tempo_bpm": float("inf")},
        {"tempo_bpm": 0},
        {"program": 128},
        {"notes": [[10, 0, 4]]},
    ],
)
def test_melodies_that_no_reader_gave_are_refused(songs, change):
    good = views.view_melody("a", example_melodies()["reel"], [])["melody"]
    with pytest.raises(UserError, match="a: "):
        requests.read_melody("a", good | change)


def test_requests_that_are_no_json_or_too_large(client):
    for path in ("/api/make", "/api/map", "/api/listen"):
        assert client.post(path, content=b"{").status_code == 400
        assert client.post(path, content=b"[" * 100_000).status_code == 400
        assert client.post(path, content=b"[]").status_code == 400
        limit = MAX_MAKE_BYTES if path == "/api/make" else MAX_REQUEST_BYTES
        assert client.post(path, content=b" " * (limit + 1)).status_code == 413


def test_no_file_but_those_of_the_page_is_served(client):
    for path in ("/static/..%2fserver.py", "/static/index.html", "/static/none.js", "/etc/passwd"):
        assert client.get(path).status_code == 404
    for path in ("/static/studio.css", "/static/studio.js", "/static/icon.svg"):
        assert client.get(path).status_code == 200
    assert client.get("/api/result/none/0.mid").status_code == 410


def test_other_sites_cannot_use_it(client):
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/", headers={"host": "[::1]:7860"}).status_code == 200
    answer = client.post("/api/make", json={}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    own = str(client.base_url)
    for origin, code in (("http://evil.example", 403), ("null", 403), (own, 400)):
        assert client.post("/api/make", json={}, headers={"origin": origin}).status_code == code
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_what_the_page_loads_is_all_here(client):
    page = client.get("/").text
    sources = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert sources
    for source in sources:
        assert client.get(source).status_code == 200
    for name in ("studio.css", *(p.name for p in pathlib.Path(PAGE).glob("*.js"))):
        text = client.get(f"/static/{name}").text
        assert set(re.findall(r"https?://[^\s\"')]+", text)) <= {"http://www.w3.org/2000/svg"}


PAGE = "musicvae_jax/studio/page"


def test_loopback_is_what_no_other_machine_can_reach():
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.com", "")))


def test_the_controls_are_the_flags(client, model):
    page = client.get("/").text
    usual = fields.usual_numbers(model.bars, model.temperature)
    for mode in fields.USUAL:
        usually, more = fields.shown(mode, MELODIES.without)
        for name in usually + more:
            control = fields.field(mode, name, usual)
            assert control.words
            assert f'title="--{name}"' in page
            if control.kind == "choice":
                values = tuple(value for value, _ in control.choices)
                assert values == tuple(flags.FLAGS[name].parser.enum_values)
            if control.kind == "number":
                assert (control.value or control.hint)[0].isdigit()


def test_every_strategy_is_a_way_in_words_and_one_is_recommended(client):
    page = client.get("/").text
    assert set(ways.TITLES) == set(strategies.STRATEGIES)
    assert len(set(ways.TITLES.values())) == len(ways.TITLES)
    for title in ways.TITLES.values():
        assert f"<b>{title}</b>" in page
    radios = re.findall(r'<input type="radio" name="way" value="(\w+)" (checked)?', page)
    assert dict(radios) == dict.fromkeys(ways.TITLES, "") | {"composed": "checked"}
    assert page.count("recommended</i>") == 1
    boxes = re.findall(r'<input type="checkbox" value="(\w+)"( checked)?', page)
    assert dict(boxes) == dict.fromkeys(ways.TITLES, "")


def test_a_model_without_a_composer_has_other_ways(model, base):
    engine = Engine(model.with_composer(None), base)
    assert engine.ways[0].strategy == "dual_conductor"
    assert "composed" not in [way.strategy for way in engine.ways]
    assert "vary" not in engine.modes


def test_scores_in_words_are_the_parts_of_the_score(client, songs):
    inputs = [read(client, path) for path in songs]
    for item in make(client, "interpolate", {"strategy": "latent,cut"}, inputs)["items"]:
        smooth, in_key, tuneful = (item["scores"][n] for n in ("smooth", "in_key", "tuneful"))
        assert (smooth**2 * in_key * tuneful) ** 0.25 == pytest.approx(item["score"], abs=2e-3)
        assert item["facts"]["key_stability"] == pytest.approx(in_key, abs=1e-4)


def test_the_page_becomes_ready(client):
    deadline = time.monotonic() + 120
    while not (status := client.get("/api/status").json())["ready"]:
        assert time.monotonic() < deadline, status
        time.sleep(0.1)
    assert status["done"] == status["total"]
    assert status["bars"] == BARS


def test_at_a_landmark_the_map_gives_its_melody(client, model):
    points = events(client, "/api/map", {"inputs": []})[-1]["result"]
    assert [point["name"] for point in points][:2] == list(example_melodies())
    assert all(0 <= point[axis] <= 1 for point in points for axis in "xy")
    reel = points[1]
    result = events(client, "/api/map", {"inputs": [], "x": reel["x"], "y": reel["y"]})[-1]
    made = result["result"]
    window = example_melodies()["reel"].window(0, BARS)
    [expected] = [made.melody for made in model.reconstruct([window])]
    view = made["items"][0]
    assert [tuple(note) for note in view["notes"]] == expected.notes()
    assert view["facts"]["reel"] > 0.99
    assert client.get(f"/api/result/{made['id']}/0.png").status_code == 200
    for place in ('{"x": "left"}', '{"x": NaN, "y": 0}', '{"x": 0, "y": Infinity}'):
        assert "x, y" in client.post("/api/map", content=place).json()["error"]


def test_a_melody_can_be_heard(client, songs):
    song = read(client, songs[0])
    answer = client.post("/api/listen", json={"inputs": [song]})
    with wave.open(io.BytesIO(answer.content)) as file:
        seconds = file.getnframes() / file.getframerate()
    assert seconds == pytest.approx(song["view"]["duration_sec"] + 1, abs=0.01)
    assert client.post("/api/listen", json={"inputs": []}).status_code == 400
    song["melody"] |= {"num_steps": 16_000, "tempo_bpm": 4.0}
    answer = client.post("/api/listen", json={"inputs": [song]})
    assert "at most 900 s" in answer.json()["error"]


def test_the_time_axis_of_the_page_is_that_of_the_midi_file(client, songs):
    inputs = [read(client, path) for path in songs]
    inputs[1]["melody"]["tempo_bpm"] = 180.0
    result = make(client, "interpolate", {"splice": "true", "strategy": "cut"}, inputs)
    [view] = result["items"]
    file = client.get(f"/api/result/{result['id']}/0.mid").content
    now, onsets = 0.0, []
    for message in mido.MidiFile(file=io.BytesIO(file)):
        now += message.time
        if message.type == "note_on" and message.velocity:
            onsets.append(now)
    for onset, (_, step, _) in zip(onsets, view["notes"], strict=True):
        from_step, begin, length = [t for t in view["tempos"] if t[0] <= step][-1]
        assert begin + (step - from_step) * length == pytest.approx(onset, abs=2e-3)
    assert view["t"][:4] == [0.0] * 4
    assert view["t"][-4:] == [1.0] * 4


def test_fifty_at_once_are_all_served(client, songs):
    inputs = [read(client, path) for path in songs]
    told = {"splice": "true", "strategy": "latent"}

    def ask(number):
        if number % 5 == 0:
            return len(read(client, songs[0])["view"]["notes"])
        return make(client, "interpolate", told | {"seed": str(number)}, inputs)["items"][0]["bars"]

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert all(answer == 4 + BARS + 4 for number, answer in enumerate(answers) if number % 5)


def test_more_at_once_than_can_be_answered_are_told_so_in_words(monkeypatch):
    monkeypatch.setattr(guard, "MAX_OPEN", 2)
    told, left = [], []

    async def app(scope, receive, send):
        await hold.wait()

    async def ask(server):
        scope = {"type": "http", "method": "GET", "headers": [(b"host", b"localhost")]}

        parts = iter([True, True, False])  # whether more follow

        async def receive():
            return {"type": "http.request", "body": b"x", "more_body": next(parts)}

        async def send(message):
            told.append(message)
            if message["type"] == "http.response.start":
                left.append(len(list(parts)))

        await server(scope, receive, send)

    async def ask_four():
        server = guard.Guard(app, is_local=True)
        asked = [asyncio.create_task(ask(server)) for _ in range(4)]
        await asyncio.sleep(0)
        hold.set()
        await asyncio.gather(*asked)
        await ask(server)  # there is room again

    hold = asyncio.Event()
    asyncio.run(ask_four())
    starts = [message for message in told if message["type"] == "http.response.start"]
    assert left == [0, 0]  # the whole request was taken
    assert [message["status"] for message in starts] == [503, 503]
    assert all(b"2 requests are being answered" in m["body"] for m in told if "body" in m)


def test_jobs_wait_their_turn_and_hear_of_it():
    jobs, gate, begun = Jobs("test", limit=2), threading.Event(), threading.Event()
    heard = {name: [] for name in "abc"}
    jobs.submit(lambda tell: (begun.set(), gate.wait()), heard["a"].append)
    begun.wait()
    second = jobs.submit(lambda tell: "b", heard["b"].append)
    jobs.submit(lambda tell: tell({"done": 1}) or "c", heard["c"].append)
    with pytest.raises(BusyError, match="2 of your requests"):
        jobs.submit(lambda tell: None, print)
    jobs.cancel(second)
    gate.set()
    for _ in range(1000):
        if len(heard["c"]) > 2:
            break
        time.sleep(0.01)
    assert heard["b"] == []
    assert heard["c"] == [{"ahead": 1}, {"done": 1}, {"result": "c"}]
    jobs.close()


def begun_in_turn(asked):
    """The names of jobs `(name, client, size)` in the order in which they are begun."""
    jobs, gate, order = Jobs("test"), threading.Event(), []
    jobs.submit(lambda tell: gate.wait(), lambda event: None)
    for name, client, size in asked:
        work = functools.partial(lambda name, tell: order.append(name), name)
        jobs.submit(work, lambda event: None, client, size)
    gate.set()
    deadline = time.monotonic() + 10
    while len(order) < len(asked) and time.monotonic() < deadline:
        time.sleep(0.001)
    jobs.close()
    return order


def test_addresses_and_then_their_pages_take_turns():
    asked = [(f"a{n}", ("a", "one"), 0) for n in range(60)]
    asked += [("A", ("a", "two"), 0), ("b0", ("b", ""), 0), ("b1", ("b", ""), 0)]
    order = begun_in_turn(asked)
    assert order[:5] == ["a0", "b0", "A", "b1", "a1"]
    assert order[5:] == [f"a{n}" for n in range(2, 60)]


def test_who_had_a_turn_before_waits_for_those_who_had_none():
    """A client that always asks again does not come before one that waits."""
    jobs, order, gate = Jobs("test"), [], threading.Event()

    def again(tell):
        gate.wait()
        order.append("a")
        if len(order) < 4:
            jobs.submit(again, lambda event: None, ("a", ""))

    jobs.submit(again, lambda event: None, ("a", ""))
    for name in "bc":
        work = functools.partial(lambda name, tell: order.append(name), name)
        jobs.submit(work, lambda event: None, ("b", ""))
    gate.set()
    deadline = time.monotonic() + 10
    while len(order) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    jobs.close()
    assert order[:3] == ["a", "b", "a"]


def test_the_small_file_of_a_client_is_read_first():
    asked = [(n, ("a", ""), 1000 + n) for n in range(10)] + [("small", ("a", ""), 10)]
    assert begun_in_turn(asked)[0] == "small"


def test_each_client_has_a_queue_of_its_own():
    jobs, gate = Jobs("test", limit=2), threading.Event()
    jobs.submit(lambda tell: gate.wait(), lambda event: None)
    for client in ("a", "b"):
        for _ in range(2):
            jobs.submit(lambda tell: None, lambda event: None, (client, ""))
        with pytest.raises(BusyError):
            jobs.submit(lambda tell: None, lambda event: None, (client, ""))
    gate.set()
    jobs.close()


def test_sixty_files_that_are_refused_keep_no_small_one_waiting(client, songs):
    """Of somebody else at the same address."""
    note = b"\x00\xc0\x01\x01\x90\x3c\x40"
    events = note * 290_000 + b"\x00\xff\x2f\x00"
    length = len(events).to_bytes(4, "big")
    dense = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + length + events

    def upload(number):
        return client.post(f"/api/read?name={number}.mid", content=dense).json()["error"]

    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        refused = [pool.submit(upload, number) for number in range(60)]
        while not any(one.done() for one in refused):
            time.sleep(0.01)
        assert read(client, songs[0])["view"]["bars"] == 4
        still_waiting = sum(not one.done() for one in refused)
        assert all("290000 notes, more than the 100000" in one.result() for one in refused)
    assert still_waiting  # how many depends on the machine; the order has tests of its own


def test_a_job_that_nobody_waits_for_ends():
    jobs, begun, ended = Jobs("test"), threading.Event(), threading.Event()

    def work(tell):
        try:
            begun.set()
            while True:
                tell({})
                time.sleep(0.001)
        finally:
            ended.set()

    job = jobs.submit(work, lambda event: None)
    begun.wait()
    jobs.cancel(job)
    assert ended.wait(10)
    failed = []
    jobs.submit(lambda tell: 1 / 0, failed.append)
    while not failed:
        time.sleep(0.01)
    assert "log" in failed[0]["error"]
    jobs.close()


def test_only_the_latest_results_are_kept():
    store = results.Store(limit=2)
    names = [store.put(results.Result([], {"mode": str(n)})) for n in range(3)]
    assert store.get(names[0]) is None
    assert store.get(names[2]).report == {"mode": "2"}
    assert len({*names}) == 3
    store = results.Store(most_bytes=10)
    large = results.Result([results.Item("a", None, None, {}, size=6)], {})
    names = [store.put(large) for _ in range(2)]
    assert store.get(names[0]) is None and store.get(names[1]) is large


def test_a_port_in_use_is_told(model, base):
    import socket

    from musicvae_jax.studio import server

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = options.dataclasses.replace(base, studio=options.StudioOptions("127.0.0.1", port))
        with pytest.raises(UserError, match=f"--port={port}: cannot listen there"):
            server.serve(model, told)
    assert files  # nothing was written
