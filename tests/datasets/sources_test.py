"""Several sources in one data set."""

import os

import numpy as np
import pytest

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.melodies import folk, sources
from musicvae_jax.datasets.melodies.music_files import ReadingRules
from musicvae_jax.datasets.melodies.sources import COLLECTIONS
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.system.errors import UserError
from tests import helpers

RULES = ReadingRules(WindowRules(bars=2))


@pytest.fixture
def config(tmp_path):
    """Two folders; b has a copy of a song of a under another name, and one under its name."""
    helpers.write_midi_folder(tmp_path / "a", songs=20)
    helpers.write_midi_folder(tmp_path / "b", songs=24)
    for number in range(20):
        (tmp_path / "b" / f"song_{number:03d}.mid").unlink()
    content = (tmp_path / "a" / "song_003.mid").read_bytes()
    (tmp_path / "b" / "other name.mid").write_bytes(content)
    (tmp_path / "b" / "broken.mid").write_bytes(b"no")
    config = helpers.small_config()
    config.dataset.data_dir = str(tmp_path / "data")
    config.dataset.sources = ((f"{tmp_path}/a", 1.0), (f"{tmp_path}/b", 0.5))
    return config


def test_sources_share_one_data_set_without_duplicates(config):
    builder = input_pipeline.build_dataset(config)
    names = [name for name, _ in config.dataset.sources]
    report = builder.info.metadata["report"]
    assert list(report["sources"]) == names
    parts = list(report["sources"].values())
    assert [part["melodies_kept"] for part in parts] == [20, 5]
    assert [len(part["melodies_dropped"]) for part in parts] == [0, 1]
    # The copy lost all of its windows, in the source that has a copy in a later split.
    duplicates = [p["windows_dropped"].get("duplicate of another window", 0) for p in parts]
    assert sum(duplicates) == 7
    splits = {n: input_pipeline.load_split(builder, n) for n in ("train", "validation", "test")}
    for name, split in splits.items():
        windows = [part["splits"][name]["windows"] for part in parts]
        assert np.bincount(split.source, minlength=2).tolist() == windows
        assert report["splits"][name]["windows"] == len(split) == sum(windows)
    for key in ("melodies_read", "melodies_kept", "hours"):
        assert report[key] == pytest.approx(sum(part[key] for part in parts), abs=0.02)


def test_versions_of_a_song_in_two_sources_are_in_one_split(config, tmp_path):
    """All songs of both folders have the same names; each pair is in one split."""
    for path in (tmp_path / "b").glob("*.mid"):
        path.unlink()
    melodies = [helpers.random_melody(np.random.default_rng(100 + n), 8) for n in range(20)]
    for number, melody in enumerate(melodies):
        helpers.write.write(tmp_path / "b" / f"Song 0{number:02d}.mid", melody)
    builder = input_pipeline.build_dataset(config)
    split_of = {}
    for split in builder.info.splits:
        source = builder.as_data_source(split=split)
        for example in source.__getitems__(range(len(source))):
            number = int(example["id"].decode()[-7:-4])
            split_of.setdefault(number, set()).add((split, example["source"]))
    assert len(split_of) == 20
    assert all(len({split for split, _ in found}) == 1 for found in split_of.values())
    assert any(len(found) == 2 for found in split_of.values())


def test_a_collection_that_is_not_there_comes_with_the_command_that_gets_it(tmp_path):
    for name, collection in COLLECTIONS.items():
        source = sources.find_source(name, RULES, str(tmp_path))
        with pytest.raises(UserError) as error:
            source.files()
        for part in (name, collection.licence, collection.address, f"{tmp_path}/{name}"):
            assert part in str(error.value)


def test_what_is_known_of_a_collection_is_complete():
    for collection in COLLECTIONS.values():
        assert collection.address.startswith("https://")
        assert len(collection.sha256) == 64
        assert collection.licence
        assert collection.credit


def test_of_a_selection_only_the_listed_files_are_read(tmp_path):
    folder = tmp_path / "openewld" / "dataset" / "someone"
    helpers.write_midi_folder(folder, songs=1)
    content = (folder / "song_000.mid").read_bytes()
    for name in ("After_the_Ball.mxl", "Blue_Moon.mxl"):
        (folder / name).write_bytes(content)
    files = sources.find_source("openewld", RULES, str(tmp_path)).files()
    assert [(file.index, file.path.name) for file in files] == [(0, "After_the_Ball.mxl")]


def test_files_that_are_not_as_published_are_told_of(tmp_path, caplog):
    helpers.write_midi_folder(tmp_path / "ceol_rince" / "MIDI", songs=1)
    source = sources.find_source("ceol_rince", RULES, str(tmp_path))
    assert len(list(source.read())) == 1
    assert "ceol_rince: the files in" in caplog.text
    # Nothing of where and when the files were copied is in the name of the data set.
    before = source.fingerprint()
    [path] = (tmp_path / "ceol_rince" / "MIDI").iterdir()
    os.utime(path, (0, 0))
    assert source.fingerprint() == before
    path.write_bytes(b"other")
    assert source.fingerprint() != before


def test_the_hash_of_files_is_of_names_and_contents_alone(tmp_path):
    for folder in ("x/y", "z"):
        helpers.write_midi_folder(tmp_path / folder, songs=3)
    found = [sources.find_source(str(tmp_path / f), RULES).files() for f in ("x", "z")]
    first, second = map(sources.files_sha256, found)
    assert first == second
    assert sources.files_sha256(found[0][:2]) != first


def test_folk_of_all_its_collections_is_one_data_set_in_any_order():
    config = helpers.small_config()
    assert input_pipeline.dataset_config(config).name == "folk_2bar"
    config.dataset.collections = folk.COLLECTIONS[::-1]
    assert input_pipeline.dataset_config(config).name == "folk_2bar"
    config.dataset.collections = folk.COLLECTIONS[:1]
    assert input_pipeline.dataset_config(config).name.startswith("folk_")
    assert input_pipeline.dataset_config(config).name != "folk_2bar"
