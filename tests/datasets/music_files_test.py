import os

import mido
import numpy as np
import pytest

from benchmarks import synthetic_midi
from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies
from musicvae_jax.datasets.melodies import music_files
from musicvae_jax.datasets.melodies.music_files import ReadingRules
from musicvae_jax.datasets.melodies.songs import Refusal
from musicvae_jax.music import keys
from musicvae_jax.music.tokens import MelodyCodec
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.notation import read
from tests import helpers

RULES = ReadingRules(WindowRules(bars=4))


def test_files_are_found_in_folders_and_by_globs(tmp_path):
    helpers.write_midi_folder(tmp_path / "b", songs=2)
    helpers.write_midi_folder(tmp_path / "a" / "deep", songs=1)
    (tmp_path / "b" / "LOUD.MIDI").write_bytes(b"")
    (tmp_path / "b" / "notes.txt").write_bytes(b"")
    (tmp_path / "b" / "folder.mid").mkdir()
    ids = [file.id for file in music_files.find_music_files(str(tmp_path))]
    assert ids == ["a/deep/song_000.mid", "b/LOUD.MIDI", "b/song_000.mid", "b/song_001.mid"]
    by_glob = music_files.find_music_files(str(tmp_path / "b" / "*.mid"))
    assert [file.id for file in by_glob] == ["song_000.mid", "song_001.mid"]
    assert [file.index for file in by_glob] == [0, 1]


def test_names_of_any_bytes_and_links_in_a_circle(tmp_path):
    helpers.write_midi_folder(tmp_path, songs=1)
    content = (tmp_path / "song_000.mid").read_bytes()
    strange = os.path.join(os.fsencode(tmp_path), b"caf\xe9 \xff.mid")
    with open(strange, "wb") as file:
        file.write(content)
    os.symlink(tmp_path, tmp_path / "circle")
    os.symlink(tmp_path / "nowhere.mid", tmp_path / "dangling.mid")
    files = music_files.find_music_files(str(tmp_path))
    assert [file.id for file in files] == [r"caf\xe9 \xff.mid", "song_000.mid"]
    songs = list(music_files.read_music_files(files, RULES))
    assert [len(song.windows.tokens) for song in songs] == [5, 5]
    assert songs[0].names == (r"cafxe9xff",)


@pytest.mark.parametrize(
    ("layout", "path", "name"),
    [
        ("", "x/My Song (2).mid", "mysong"),
        ("lmd_full", "lmd_full/0/0a1b.mid", "0a1b"),
        ("lmd_aligned", "lmd_aligned/A/B/C/TRABC12/8fe2.mid", "TRABC12"),
        ("lmd_matched", "lmd_matched/A/B/C/TRABC12/1111.mid", "TRABC12"),
        ("clean_midi", "clean_midi/The Band/Title.1.mid", "band/title"),
        ("clean_midi", "clean_midi/The Band/Title.mid", "band/title"),
        ("clean_midi", "clean_midi/Other/Title.mid", "other/title"),
    ],
)
def test_versions_of_a_song_share_its_name(tmp_path, layout, path, name):
    file = music_files.MusicFile(0, tmp_path / path, path)
    assert music_files.song_name(file, layout, "") == name


def test_splits_stay_when_files_are_added(tmp_path):
    def splits(count):
        helpers.write_midi_folder(tmp_path / "songs", songs=count)
        config = helpers.folder_config(4, str(tmp_path / "songs"))
        builder = melodies.build(config, str(tmp_path / "data"))
        found = {}
        for split in builder.info.splits:
            source = builder.as_data_source(split=split)
            found |= {e["id"]: split for e in source.__getitems__(range(len(source)))}
        return found

    before, after = splits(30), splits(60)
    assert len(set(before.values())) == 3
    assert len(after) == 60
    assert before.items() <= after.items()


def test_each_stretch_of_the_grid_gives_a_melody_and_no_window_reaches_across(tmp_path):
    """Five bars of 4/4, one of 3/4, six of 4/4."""
    file = mido.MidiFile(ticks_per_beat=4)
    track = file.add_track("lead")
    for numerator, bars in ((4, 5), (3, 1), (4, 6)):
        track.append(mido.MetaMessage("time_signature", numerator=numerator, denominator=4))
        for beat in range(numerator * bars):
            track.append(mido.Message("note_on", note=60 + numerator + beat % 5, velocity=64))
            track.append(mido.Message("note_off", note=60 + numerator + beat % 5, time=4))
    file.save(tmp_path / "a.mid")
    [midi_file] = music_files.find_music_files(str(tmp_path))
    [song] = music_files.read_music_file(midi_file, RULES)
    assert song.windows.start_bars.tolist() == [0, 1, 5, 6, 7]
    first_notes = [MelodyCodec().decode(t).pitch[0] for t in song.windows.tokens]
    assert first_notes == [64, 68, 64, 68, 67]


def test_the_arpeggio_extraction_gives_pianos_in_c_or_a(tmp_path):
    rules = ReadingRules(WindowRules(bars=4), extraction="arpeggio")
    paths = synthetic_midi.write_files(tmp_path, 4)
    codec = MelodyCodec()
    for file in music_files.find_music_files(str(tmp_path)):
        [song] = music_files.read_music_file(file, rules)
        assert len(song.windows.tokens) > 10
        assert song.windows.tokens[song.windows.tokens >= 2].min() - 2 + 21 >= 48
        # The melody, taken as the whole song, is in C major or A minor.
        original = read.read_song(paths[file.index])
        weights = sum(
            keys.pitch_class_weights(t.pitch + song.key_shift, t.end - t.start)
            for t in original.tracks
            if not t.is_drum
        )
        tonic, is_minor, _ = keys.find_keys(weights[None])
        assert (tonic[0], bool(is_minor[0])) in ((0, False), (9, True))
        assert codec.decode(song.windows.tokens[0]).num_bars == 4


def test_the_arpeggio_extraction_says_which_tracks_it_wanted(tmp_path):
    helpers.write_midi_folder(tmp_path, songs=1)
    [file] = music_files.find_music_files(str(tmp_path))
    [refusal] = music_files.read_music_file(
        file, ReadingRules(WindowRules(), extraction="arpeggio")
    )
    assert refusal == Refusal("song_000.mid", "no track of program 0 is named like 'piano'")


def test_the_monophonic_extraction_refuses_chords(tmp_path):
    helpers.write_midi_folder(tmp_path / "single", songs=1)
    synthetic_midi.write_files(tmp_path / "chords", 1)
    rules = ReadingRules(
        WindowRules(bars=4), extraction="monophonic", programs=(0, 5), name_contains=""
    )
    chords, single = (
        music_files.read_music_file(file, rules)[0]
        for file in music_files.find_music_files(str(tmp_path))
    )
    assert chords.reason == "polyphonic"
    assert len(single.windows.tokens) > 0


def test_a_file_too_large_is_not_opened(tmp_path):
    path = tmp_path / "big.mid"
    with path.open("wb") as file:
        file.truncate(read.MAX_BYTES + 1)
    [file] = music_files.find_music_files(str(tmp_path))
    assert music_files.read_music_file(file, RULES) == [Refusal("big.mid", "larger than 2 MiB")]


def test_rules_are_part_of_the_data_sets_name(tmp_path):
    helpers.write_midi_folder(tmp_path, songs=1)
    configs = [
        helpers.folder_config(4, str(tmp_path)),
        helpers.folder_config(2, str(tmp_path)),
        helpers.folder_config(4, str(tmp_path), extraction="arpeggio"),
        helpers.folder_config(4, str(tmp_path), name_contains="x"),
    ]
    assert len({config.name for config in configs}) == 4
    assert all(config.name.startswith("files_") for config in configs)


def test_the_layout_of_a_lakh_collection_is_known_by_its_name(tmp_path):
    helpers.write_midi_folder(tmp_path / "clean_midi" / "Band", songs=1)
    config = helpers.folder_config(4, str(tmp_path / "clean_midi"))
    assert config.name.startswith("clean_midi_")
    [song] = config.sources[0].read()
    assert song.names == ("band/song000",)


def test_reading_in_workers_gives_what_reading_here_gives(tmp_path):
    synthetic_midi.write_files(tmp_path, 5)
    files = music_files.find_music_files(str(tmp_path))
    for file, song in zip(files, music_files.read_music_files(files, RULES), strict=True):
        [here] = music_files.read_music_file(file, RULES)
        assert song.id == here.id
        np.testing.assert_array_equal(song.windows.tokens, here.windows.tokens)
