import dataclasses
import json
import pathlib

import matplotlib.image
import numpy as np
import pytest

from benchmarks import synthetic_midi
from musicvae_jax.commands import build_data, inspect
from musicvae_jax.commands.options import Options
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.statistics import corpus_statistics
from musicvae_jax.midi import write
from musicvae_jax.midi.reading import Reading
from musicvae_jax.music.drum_examples import example_drums
from musicvae_jax.music.drum_kit import PIECES
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import MelodyCodec
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError
from tests import helpers


def options(output, *inputs):
    return Options(
        workdir=pathlib.Path("unused"),
        output=output,
        checkpoint="",
        inputs=tuple(map(str, inputs)),
        transition=None,  # it makes none
    )


def test_statistics_by_hand():
    scale = [(p, 4 * i, 4 * i + 2 + i) for i, p in enumerate((60, 62, 64))]
    melody = Melody.from_notes([*scale, (60, 16, 80)], 96)
    statistics = corpus_statistics(MelodyCodec().encode(melody)[None].astype(np.uint8), 16)
    assert np.flatnonzero(statistics["pitch"]).tolist() == [60, 62, 64]
    assert statistics["pitch"][60] == 2
    assert statistics["onsets_per_bar"][:4].tolist() == [4, 1, 0, 1]
    assert statistics["note_steps"][[2, 3, 4, 32]].tolist() == [1, 1, 1, 1]
    assert statistics["note_steps"].sum() == 4
    assert statistics["key"].argmax() == 0  # C major
    assert statistics["key"].sum() == 1


def test_statistics_count_every_note_of_many_windows():
    tokens = helpers.random_tokens(50, 64).astype(np.uint8)
    statistics = corpus_statistics(tokens, 16)
    lengths = np.zeros(33, int)
    for row in tokens:
        for _, start, end in MelodyCodec().decode(row).notes():
            lengths[min(end - start, 32)] += 1
    assert statistics["note_steps"].tolist() == lengths.tolist()
    assert statistics["pitch"].sum() == lengths.sum()


def test_inspect_explains_what_was_taken(tmp_path, capsys):
    [path] = synthetic_midi.write_files(tmp_path, 1)
    inspect.inspect(None, options(tmp_path / "out", path))
    printed = capsys.readouterr().out
    assert printed.count("taken") == 1
    assert "drums" in printed
    assert "windows of 16 bars" in printed
    song = read.read_song(path)
    for track in song.tracks:
        assert f"{track.pitch.size} notes" in printed
    assert (tmp_path / "out" / "inspect_00.txt").read_text() in printed
    assert matplotlib.image.imread(tmp_path / "out" / "inspect_00.png").ndim == 3


def test_inspect_says_why_nothing_was_taken(tmp_path, capsys):
    write.write(tmp_path / "a.mid", Melody.from_notes([(60, 0, 4)], 16))
    inspect.inspect(None, options(tmp_path / "out", tmp_path / "a.mid"))
    assert "no usable melody: track ('melody', program 0) has 1 notes" in capsys.readouterr().out


def test_inspect_explains_drums(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(inspect, "save_png", lambda path, figure: shown.append((path.name, figure)))
    shown = []
    drums = example_drums()["rock"].then(example_drums()["bossa"]).window(0, 20)
    write.write(tmp_path / "a.mid", drums)
    inspect.inspect(None, options(tmp_path / "out", tmp_path / "a.mid"))
    lines = capsys.readouterr().out.splitlines()
    assert "  no usable melody: the file has only drum tracks" in lines
    assert "  drums: 20 bars of 4/4 from quarter note 0, read as General MIDI" in lines
    told = next(line for line in lines if "hits of the kit" in line)
    for piece, name in enumerate(PIECES):
        count = np.count_nonzero(drums.piece == piece)
        assert (f"{count} {name}" in told) == (count > 0)
    assert "  5 windows of 16 bars of drums" in lines
    [_, (name, figure)] = shown
    assert name == "inspect_00_drums.png"
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["bars 1 to 16", "bars 17 to 20"]
    few = Drums.from_hits([(0, 0), (1, 4)], 16)
    write.write(tmp_path / "b.mid", few)
    inspect.inspect(None, options(tmp_path / "out", tmp_path / "b.mid"))
    assert "no usable drums: the drum tracks have 2 hits" in capsys.readouterr().out


def test_inspect_numbers_the_tracks_by_which_they_are_asked_for(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(inspect, "save_png", lambda path, figure: None)  # a second for each track
    monkeypatch.setattr(inspect.rolls, "tracks_figure", lambda name, extraction: None)
    [path] = synthetic_midi.write_files(tmp_path, 1)
    song = read.read_song(path)
    for number, track in enumerate(song.tracks, start=1):
        told = dataclasses.replace(
            options(tmp_path / "out", path), readings=(Reading(track=str(number)),)
        )
        inspect.inspect(None, told)
        [line] = [line for line in capsys.readouterr().out.splitlines() if "taken" in line]
        assert line.split()[0] == str(number)
        assert f"{track.pitch.size} notes" in line


def test_inspect_needs_files(tmp_path):
    with pytest.raises(UserError, match="needs --input"):
        inspect.inspect(None, options(tmp_path))


def test_build_data_saves_its_report_and_says_what_a_batch_needs(tmp_path, capsys):
    config = helpers.small_config()
    config.dataset.path = str(helpers.write_midi_folder(tmp_path / "songs", songs=12))
    config.dataset.data_dir = str(tmp_path / "data")
    build_data.build_data(config, options(tmp_path / "out"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    train = input_pipeline.load_split(input_pipeline.build_dataset(config), "train")
    assert report["splits"]["train"]["windows"] == len(train)
    onsets = int((train.tokens >= 2).sum())
    assert sum(report["train_histograms"]["pitch"]) == onsets
    assert matplotlib.image.imread(tmp_path / "out" / "report.png").ndim == 3
    assert "melodies read 12, kept 12" in capsys.readouterr().out
    config.train.batch_size = 5000
    with pytest.raises(UserError, match="too few for one batch of 5000: at least 5000 are needed"):
        build_data.build_data(config, options(tmp_path / "out"))
