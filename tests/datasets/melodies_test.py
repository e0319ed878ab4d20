import concurrent.futures
import hashlib

import numpy as np
import pytest

from musicvae_jax.datasets.melodies import abc_notation, corpus, songs
from musicvae_jax.datasets.melodies import folk as folk_tunes
from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies
from musicvae_jax.midi import write
from musicvae_jax.music import tokens as music_tokens
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.music.tokens import MelodyCodec
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.notation import read
from musicvae_jax.system import locks
from musicvae_jax.system.errors import UserError
from tests import helpers

SPLITS = ("train", "validation", "test")


def examples(builder, split):
    if split not in builder.info.splits:  # a small data set may leave one empty
        return []
    source = builder.as_data_source(split=split)
    return source.__getitems__(range(len(source)))


def digest(builder):
    result = hashlib.sha256()
    for split in SPLITS:
        for example in examples(builder, split):
            result.update(example["id"] + example["tokens"].tobytes())
            result.update(str((example["start_bar"], example["tempo_bpm"])).encode())
    return result.hexdigest()


def collections_of(folk):
    [source] = folk.builder_config.sources
    return source.music21_collections


def test_folk_report_adds_up(folk):
    report = folk.info.metadata["report"]
    dropped = sum(entry["count"] for entry in report["melodies_dropped"].values())
    is_all = len(collections_of(folk)) > 1
    tunes, kept, windows = (4248, 2100, 12_000) if is_all else (1059, 500, 3000)
    assert report["melodies_read"] == tunes
    assert report["melodies_kept"] + dropped == report["melodies_read"]
    assert report["melodies_kept"] > kept
    for split in SPLITS:
        assert report["splits"][split]["windows"] == folk.info.splits[split].num_examples
    assert folk.info.splits["train"].num_examples > windows


def test_no_folk_song_is_in_two_splits(folk, monkeypatch):
    """By title: each song's titles, read again from the corpus, are all in one split."""
    melody = helpers.random_melody(np.random.default_rng(0), 16)  # titles alone are read: seconds

    def titles_of(text, id, steps_per_bar):
        return folk_tunes.Tune(id, tuple(abc_notation.header_field(text, "T")), melody, 0)

    monkeypatch.setattr(folk_tunes, "read_tune", titles_of)
    names = {
        song.id: song.names
        for collection in collections_of(folk)
        for path in folk_tunes.corpus_files(collection)
        for song in folk_tunes._read_abc_file(path, WindowRules(), STEPS_PER_BAR)
    }
    split_of_name, split_of_id = {}, {}
    for split in SPLITS:
        for example in examples(folk, split):
            song_id = example["id"].decode()
            assert split_of_id.setdefault(song_id, split) == split
            for name in names[song_id]:
                assert split_of_name.setdefault(name, split) == split, name
    assert len(split_of_id) > (1500 if len(collections_of(folk)) > 1 else 400)


def test_folk_windows_are_unique_up_to_transposition(folk):
    tokens = np.stack([e["tokens"] for split in SPLITS for e in examples(folk, split)])
    keys = {row.tobytes() for row in music_tokens.without_key(tokens)}
    assert len(keys) == len(tokens)


def test_folk_windows_decode_to_music(folk):
    codec = MelodyCodec()
    for example in examples(folk, "test")[::50]:
        melody = codec.decode(example["tokens"])
        assert melody.num_bars == 16
        assert np.array_equal(codec.encode(melody), example["tokens"])
        assert len(melody.notes()) >= 16


def test_building_twice_gives_the_same_bytes(tmp_path):
    folder = helpers.write_midi_folder(tmp_path / "songs", songs=12)
    config = helpers.folder_config(4, str(folder))
    first = melodies.build(config, str(tmp_path / "one"))
    second = melodies.build(config, str(tmp_path / "two"))
    assert digest(first) == digest(second)
    assert sum(split.num_examples for split in first.info.splits.values()) > 40


def test_a_changed_folder_is_another_data_set(tmp_path):
    folder = helpers.write_midi_folder(tmp_path / "songs", songs=2)
    name = helpers.folder_config(4, str(folder)).name
    assert helpers.folder_config(4, str(folder)).name == name
    helpers.write_midi_folder(folder, songs=3)
    assert helpers.folder_config(4, str(folder)).name != name


def test_transpositions_and_nothing_else_have_one_hash():
    tokens = helpers.random_tokens(500, 32).astype(np.uint8)
    tokens[tokens >= 2] = tokens[tokens >= 2] // 2 + 20
    up = np.where(tokens >= 2, tokens + 5, tokens).astype(np.uint8)
    np.testing.assert_array_equal(
        music_tokens.content_hashes(up), music_tokens.content_hashes(tokens)
    )
    assert len(set(music_tokens.content_hashes(tokens).tolist())) == 500
    other = tokens.copy()
    other[np.arange(500), np.arange(500) % 32] ^= 1  # one token differs
    assert not (music_tokens.content_hashes(other) == music_tokens.content_hashes(tokens)).any()


def test_copies_and_transpositions_are_kept_once(tmp_path):
    folder = tmp_path / "songs"
    helpers.write_midi_folder(folder, songs=1, bars=5)
    original = folder / "song_000.mid"
    (folder / "song_000 (2).mid").write_bytes(original.read_bytes())
    melody = read.read(original)
    write.write(folder / "other.mid", melody.transpose(2))
    (folder / "broken.mid").write_bytes(b"no")
    builder = melodies.build(helpers.folder_config(4, str(folder)), str(tmp_path / "data"))
    report = builder.info.metadata["report"]
    assert report["windows_dropped"] == {"duplicate of another window": 4}
    assert sum(split.num_examples for split in builder.info.splits.values()) == 2
    assert report["melodies_dropped"] == {
        "not a readable MIDI file": {"count": 1, "examples": ["broken.mid"]}
    }


def test_a_folder_without_midi_files_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"no \.mid, \.midi, .* or \.krn files there"):
        helpers.folder_config(4, str(tmp_path))


def test_what_a_killed_build_left_is_removed(tmp_path):
    folder = helpers.write_midi_folder(tmp_path / "songs", songs=3)
    config = helpers.folder_config(4, str(folder))
    kept = tmp_path / "data" / "melodies" / config.name
    (kept / "incomplete.OLD_1.0.0").mkdir(parents=True)
    (kept / "incomplete.OLD_1.0.0" / "half.array_record").write_bytes(b"half")
    melodies.build(config, str(tmp_path / "data"))
    assert [p.name for p in kept.iterdir()] == [str(melodies.Builder.VERSION)]


def test_of_many_that_build_at_once_one_does(tmp_path, monkeypatch):
    """Threads stand in for processes: the lock belongs to the opened file."""
    folder = helpers.write_midi_folder(tmp_path / "songs", songs=3)
    config = helpers.folder_config(4, str(folder))
    built = []
    prepare = melodies.Builder.download_and_prepare

    def counted(self, **kwargs):
        built.append(self.is_prepared())
        prepare(self, **kwargs)

    monkeypatch.setattr(melodies.Builder, "download_and_prepare", counted)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        builders = list(pool.map(lambda _: melodies.build(config, str(tmp_path / "d")), range(4)))
    assert built.count(False) == 1
    assert len({digest(builder) for builder in builders}) == 1


def test_a_data_set_on_a_read_only_disk_is_used_as_it_is(tmp_path, monkeypatch):
    folder = helpers.write_midi_folder(tmp_path / "songs", songs=3)
    config = helpers.folder_config(4, str(folder))
    first = melodies.build(config, str(tmp_path / "data"))

    def refused(*args):
        raise OSError("read-only")

    monkeypatch.setattr(locks, "exclusive", refused)
    assert digest(melodies.build(config, str(tmp_path / "data"))) == digest(first)


def test_shares_of_the_splits():
    counts = dict.fromkeys(SPLITS, 0)
    for number in range(10_000):
        counts[corpus.split_of(f"song {number}")] += 1
    assert 7_800 < counts["train"] < 8_200
    assert 900 < counts["validation"] < 1_100


def test_titles_that_meet_through_a_third_are_one_song():
    names = {"1": ("a", "b"), "2": ("c",), "3": ("b", "c"), "4": ("d",)}
    assert corpus.song_identities(names) == {"1": "a", "2": "a", "3": "a", "4": "d"}


def test_spellings_of_a_title_meet():
    assert songs.normal_title("Acrobat's, The (Hornpipe)") == "acrobats"
    assert songs.normal_title("ACROBAT'S -- HORNPIPE") == "acrobats"
    assert songs.normal_title("The Reel") == "thereel"  # nothing else would be left


def test_too_short_songs_leave_no_data_set(tmp_path):
    folder = helpers.write_midi_folder(tmp_path / "songs", songs=3, bars=4)
    with pytest.raises(UserError, match=r"no window of 16 bars.* 3 melodies were read"):
        melodies.build(helpers.folder_config(16, str(folder)), str(tmp_path / "data"))
    assert not list((tmp_path / "data").rglob("*.array_record*"))
