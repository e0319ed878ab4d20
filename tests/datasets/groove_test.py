"""Drums in a data set: their windows, and the splits of the collection's own table."""

import csv
import dataclasses
import os

import numpy as np
import pytest

from musicvae_jax.checkpoints import config_check
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.melodies.music_files import (
    ReadingRules,
    find_music_files,
    fingerprint,
    read_music_file,
)
from musicvae_jax.midi import encode
from musicvae_jax.music.drum_codec import DrumCodec
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.windows import WindowRules, drum_windows
from musicvae_jax.notation.read import read_drums
from musicvae_jax.system.errors import UserError
from tests import helpers

CODEC = DrumCodec()
SPLITS = ("train", "validation", "test")


def random_drums(rng: np.random.Generator, bars: int) -> Drums:
    tokens = rng.integers(1, 512, bars * 16) * (rng.random(bars * 16) < 0.5)
    tokens[0] |= 1
    tokens[-1] |= 1
    return CODEC.decode(tokens, tempo_bpm=95.0)


@pytest.fixture
def config(tmp_path):
    """A collection that calls itself groove: nine performances, three of each split."""
    rng = np.random.default_rng(0)
    rows, made = [], {}
    for number in range(9):
        name = f"drummer{number % 2}/{number}_rock_95_beat_4-4.mid"
        path = tmp_path / "groove" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        made[name] = random_drums(rng, 6)
        path.write_bytes(encode.drums_bytes(made[name]))
        rows.append({"midi_filename": name, "split": SPLITS[number % 3]})
    with open(tmp_path / "groove" / "info.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["midi_filename", "split"])
        writer.writeheader()
        writer.writerows(rows)
    config = helpers.small_config(codec="drums", bars=2)
    config.dataset.update(extraction="drums", transpose_semitones=0, folder=str(tmp_path))
    config.dataset.update(sources=(("groove", 1.0),), data_dir=str(tmp_path / "data"))
    config_check.check(config)
    return config, made


def test_splits_are_those_of_the_table_and_windows_those_of_the_files(config):
    config, made = config
    builder = input_pipeline.build_dataset(config)
    performances = list(made.items())
    for number, name in enumerate(SPLITS):
        split = input_pipeline.load_split(builder, name)
        expected = {
            window.tobytes()
            for _, drums in performances[number::3]
            for window in drum_windows(drums, WindowRules(bars=2)).tokens
        }
        assert split.tokens.dtype == np.uint16
        assert {window.tobytes() for window in split.tokens} == expected
        assert len(split) == 15
        songs = set(input_pipeline.load_songs(builder, name))
        assert songs == {id for id, _ in performances[number::3]}


def test_drums_of_any_folder(config, tmp_path):
    config, _ = config
    config.dataset.path = str(tmp_path / "groove")
    builder = input_pipeline.build_dataset(config)
    sizes = [len(input_pipeline.load_split(builder, name)) for name in SPLITS]
    assert sum(sizes) == 45


def test_a_folder_of_drums_is_read_as_an_input_is(tmp_path):
    """A beat that another program wrote, late and with its first hit off the beat."""
    beat = [(2, s) for s in range(2, 128, 2)] + [(1, s) for s in range(4, 128, 8)]
    beat += [(0, s) for s in range(6, 128, 16)]
    offset = np.random.default_rng(0).integers(12, 20, len(beat)) / 120
    late = dataclasses.replace(Drums.from_hits(beat, 128), offset=offset)
    path = tmp_path / "late.mid"
    path.write_bytes(helpers.of_another_program(encode.drums_bytes(late)))
    rules = ReadingRules(WindowRules(bars=2), extraction="drums")
    files = find_music_files(str(tmp_path))
    [song] = read_music_file(files[0], rules)
    assert read_drums(path) == late
    np.testing.assert_array_equal(song.windows.tokens, drum_windows(late, rules.windows).tokens)
    assert song.windows.start_bars.tolist() == list(range(7))


def test_the_names_of_data_sets_of_melodies_stay_when_drums_are_read_differently(tmp_path):
    (tmp_path / "a.mid").write_bytes(b"music")
    os.utime(tmp_path / "a.mid", (0, 0))
    files = find_music_files(str(tmp_path))
    rules = {name: ReadingRules(WindowRules(), extraction=name) for name in ("highest", "drums")}
    names = {name: fingerprint(files, each) for name, each in rules.items()}
    assert names == {"highest": "155b6b016204", "drums": "1f299ba0ed17"}


def test_windows_slide_by_a_bar_and_long_silence_is_left_out():
    tokens = np.zeros(16 * 6, np.int32)
    tokens[: 16 * 3 : 4] = 5
    tokens[-1] = 2
    found = drum_windows(CODEC.decode(tokens), WindowRules(bars=2))
    assert found.start_bars.tolist() == [0, 1]
    np.testing.assert_array_equal(found.tokens[1], tokens[16:48])
    assert found.refusals == {"silent": 1, "over 16 steps of silence": 2}
    assert len(drum_windows(CODEC.decode(tokens[:16]), WindowRules(bars=2)).tokens) == 0


def test_a_codec_that_does_not_fit_the_extraction_is_refused(config):
    config, _ = config
    config.model.codec = "melody"
    with pytest.raises(UserError, match=r"config\.model\.codec=melody: does not go with"):
        config_check.check(config)
