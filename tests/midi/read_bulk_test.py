"""symusic's reading against pretty_midi's, which is the oracle."""

import mido
import numpy as np
import pytest

from benchmarks import synthetic_midi
from musicvae_jax.midi import read, read_bulk, write
from musicvae_jax.system.errors import UserError
from tests import helpers


def assert_same(ours, oracle):
    assert ours.meters == oracle.meters
    np.testing.assert_allclose(ours.tempos, oracle.tempos, atol=0.011)
    assert len(ours.tracks) == len(oracle.tracks)
    for one, two in zip(ours.tracks, oracle.tracks, strict=True):
        assert (one.name, one.program, one.is_drum) == (two.name, two.program, two.is_drum)
        np.testing.assert_array_equal(one.pitch, two.pitch)
        np.testing.assert_array_equal(one.velocity, two.velocity)
        np.testing.assert_allclose(one.start, two.start, atol=1e-6)
        np.testing.assert_allclose(one.end, two.end, atol=1e-6)


def test_whole_songs_with_many_tracks_and_tempo_changes(tmp_path):
    for path in synthetic_midi.write_files(tmp_path, 6):
        assert_same(read_bulk.read_song(path), read.read_song(path))


def test_files_that_we_write(tmp_path):
    for number in range(5):
        path = tmp_path / f"{number}.mid"
        write.write_melody(path, helpers.random_melody(np.random.default_rng(number), 6))
        assert_same(read_bulk.read_song(path), read.read_song(path))


@pytest.mark.parametrize("file_type", [0, 1])
def test_formats_running_status_and_notes_ended_by_velocity_0(tmp_path, file_type):
    file = mido.MidiFile(type=file_type, ticks_per_beat=96)
    track = file.add_track("lead")
    track.append(mido.MetaMessage("time_signature", numerator=2, denominator=4))
    track.append(mido.Message("program_change", program=40))
    for pitch in (60, 62, 64):
        track.append(mido.Message("note_on", note=pitch, velocity=70, time=24))
        track.append(mido.Message("note_on", note=pitch, velocity=0, time=48))
    path = tmp_path / "a.mid"
    file.save(path)
    song = read_bulk.read_song(path)
    assert_same(song, read.read_song(path))
    assert song.meters == ((0.0, 2, 4),)
    np.testing.assert_allclose(song.tracks[0].start, [0.25, 1.0, 1.75])


@pytest.mark.parametrize("content", [b"", b"MThd", b"RIFF0000RMIDdata0000", b"\x00" * 500])
def test_what_is_not_midi_is_a_typed_error(tmp_path, content):
    path = tmp_path / "x.mid"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.mid: not a readable MIDI file"):
        read_bulk.read_song(path)
