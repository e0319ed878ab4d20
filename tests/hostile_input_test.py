"""Names and files that want more than they should get: nothing is written elsewhere."""

import dataclasses
import os
import pathlib
import struct

import numpy as np
import pretty_midi
import pytest
import symusic

from musicvae_jax import modes
from musicvae_jax.checkpoints import store
from musicvae_jax.commands.options import Options
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.midi import encode
from musicvae_jax.music.assembly import single
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError
from tests import helpers

NAMES = [
    "../../evil",
    "/tmp/evil",
    "..\\..\\evil",
    "%2e%2e%2fevil",
    "a\x00b",
    "line\nbreak",
    "~/evil",
    "$(touch evil)",
    "..",
    "😈" * 60,
]


def told(**given):
    """What a mode is told, by default as little as possible."""
    little = {field.name: None for field in dataclasses.fields(Options)}
    return Options(
        **little
        | {"checkpoint": "", "inputs": (), "attributes": {}, "seed": 0, "temperature": 0.0}
        | given
    )


def snapshot(folder):
    """Every path below a folder, with its time of change."""
    return {path: path.lstat().st_mtime_ns for path in pathlib.Path(folder).rglob("*")}


def write_song(path, track_name, seed=0):
    """A MIDI file of four bars whose track has a name."""
    melody = helpers.random_melody(np.random.default_rng(seed), 4)
    path.write_bytes(encode.piece_bytes(single(melody)))
    file = pretty_midi.PrettyMIDI(str(path))
    file.instruments[0].name = track_name
    file.write(str(path))


def file_name(name):
    """A name as near to the hostile one as a file may have."""
    return name.replace("/", "\u2215").replace("\x00", "") + ".mid"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """An untrained model of two bars."""
    config = helpers.small_config()
    params = helpers.random_params(config)
    workdir = tmp_path_factory.mktemp("run")
    with store.open_manager(workdir) as manager:
        store.save(manager, 1, params, params, config, None)
        store.wait(manager, 1)
    return workdir


@pytest.mark.parametrize("mode", ["reconstruct", "complete"])
def test_modes_write_into_their_folder_only(workdir, tmp_path, mode):
    inputs, output = tmp_path / "inputs", tmp_path / "deep" / "down" / "output"
    inputs.mkdir()
    for number, name in enumerate(NAMES[: 1 if mode == "complete" else None]):
        path = inputs / file_name(name).encode()[:200].decode(errors="ignore")
        write_song(path, name.replace("\x00", "?").encode("ascii", "replace").decode(), number)
    before = snapshot(tmp_path)
    paths = [str(path) for path in sorted(inputs.iterdir())]
    for given in [paths] if mode == "reconstruct" else [[path] for path in paths]:
        options = told(workdir=workdir, output=output, inputs=tuple(given), num=1, audio=True)
        modes.MODES[mode].run(None, options)
    new = snapshot(tmp_path).keys() - before.keys()
    elsewhere = {p for p in new if output not in p.parents and p not in (output, *output.parents)}
    assert elsewhere == set()
    assert {p.suffix for p in new if p.is_file()} >= {".mid", ".png", ".json", ".wav"}
    assert all(p.name.isascii() for p in output.iterdir())


def test_a_link_in_the_output_folder_is_replaced_and_not_followed(workdir, tmp_path):
    victim, output = tmp_path / "victim", tmp_path / "output"
    victim.write_text("precious")
    output.mkdir()
    (output / "generate_00.mid").symlink_to(victim)
    options = told(workdir=workdir, output=output, num=1, temperature=1.0)
    modes.MODES["generate"].run(None, options)
    assert victim.read_text() == "precious"
    assert not (output / "generate_00.mid").is_symlink()


def test_ids_of_a_data_set_are_no_paths(tmp_path):
    songs, data = tmp_path / "songs", tmp_path / "data"
    songs.mkdir()
    for number, name in enumerate(NAMES):
        path = songs / file_name(name).encode()[:200].decode(errors="ignore")
        write_song(path, "evil", number)
    os.symlink("/etc", songs / "link")  # not followed
    config = helpers.small_config()
    config.dataset.update(name="midi", path=str(songs), data_dir=str(data))
    before = snapshot(tmp_path)
    builder = input_pipeline.build_dataset(config)
    new = snapshot(tmp_path).keys() - before.keys()
    assert all(p == data or data in p.parents for p in new)
    assert data in pathlib.Path(builder.data_dir).parents
    ids = [
        example["id"].decode()
        for split in builder.info.splits
        for example in builder.as_data_source(split=split)
    ]
    assert any("evil" in id for id in ids)
    assert not any(id.startswith("/") or ".." in pathlib.PurePath(id).parts for id in ids)


@pytest.mark.parametrize("name", ["../../../../etc", "/etc", "oneills1850/../..", ""])
def test_names_of_collections_are_no_paths(tmp_path, name):
    config = helpers.small_config()
    config.dataset.update(name="folk", collections=(name,), data_dir=str(tmp_path / "data"))
    with pytest.raises(UserError, match=r"^config\.dataset\.collections"):
        input_pipeline.build_dataset(config)
    assert not list(tmp_path.rglob("*.array_record*"))


def midi_bytes(events):
    body = events + b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480)
    return header + b"MTrk" + struct.pack(">I", len(body)) + body


def test_a_file_that_is_too_large_is_refused_unread(tmp_path, monkeypatch):
    path = tmp_path / "large.mid"
    path.write_bytes(midi_bytes(b"\x00\xff\x01\x00") + bytes(read.MAX_BYTES))
    monkeypatch.setattr(symusic, "Score", None)
    with pytest.raises(UserError, match=r"large\.mid: larger than 2 MiB"):
        read.read_song(path)


def test_a_file_of_too_many_notes_is_refused(tmp_path):
    path = tmp_path / "dense.mid"
    notes = read.MAX_NOTES + 1
    events = b"\x00\x90\x3c\x40" + b"\x01\x3c\x00\x00\x3c\x40" * notes + b"\x01\x3c\x00"
    path.write_bytes(midi_bytes(events))
    with pytest.raises(UserError, match=f"dense.mid: {notes + 1} notes, more than the 100000"):
        read.read_song(path)


def test_a_file_that_would_take_long_to_parse_is_refused_unparsed(monkeypatch):
    """A change of program before each of its notes."""
    notes = read.MAX_NOTES + 1
    events = b"".join(b"\x00\xc0%c\x01\x90\x3c\x40" % (note % 128) for note in range(notes))
    monkeypatch.setattr(symusic, "Score", None)
    with pytest.raises(UserError, match=f"x: {notes} notes, more than the 100000"):
        read.song_from_bytes(midi_bytes(events), "x")


def test_a_note_years_away_is_refused(tmp_path):
    path = tmp_path / "far.mid"
    far = b"\xff\xff\xff\x7f"  # the longest delta there is, in ticks
    path.write_bytes(midi_bytes(far + b"\x90\x3c\x40" + far + b"\x3c\x00"))
    with pytest.raises(UserError, match=r"far\.mid: not a readable MIDI file"):
        read.read_song(path)
