"""The reader against pretty_midi, which is the oracle, and on files that are odd or damaged."""

import logging
import os
import pickle
import subprocess
import sys
import warnings

import mido
import numpy as np
import pretty_midi
import pytest

from benchmarks import synthetic_midi
from musicvae_jax.midi import convert, write
from musicvae_jax.midi.container import read_container
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError
from tests import helpers
from tests.midi.fuzz_test import END, NOTES, chunk, header

MELODY = Melody.from_notes(
    [(60, 0, 4), (64, 4, 5), (64, 5, 16), (67, 20, 30)], 32, tempo_bpm=97.0, program=73
)


def oracle(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return convert.song_from_pretty_midi(pretty_midi.PrettyMIDI(str(path)))


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
        assert_same(read.read_song(path), oracle(path))


def test_files_that_we_write(tmp_path):
    for number in range(5):
        path = tmp_path / f"{number}.mid"
        write.write(path, helpers.random_melody(np.random.default_rng(number), 6))
        assert_same(read.read_song(path), oracle(path))


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
    song = read.read_song(path)
    assert_same(song, oracle(path))
    assert song.meters == ((0.0, 2, 4),)
    np.testing.assert_allclose(song.tracks[0].start, [0.25, 1.0, 1.75])


def test_notes_lie_on_the_beat_grid_through_tempo_changes(tmp_path):
    file = mido.MidiFile(ticks_per_beat=96)
    track = file.add_track("lead")
    for beat, bpm in ((0, 120), (0, 61)):
        track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=beat))
        for pitch in (60, 62, 64, 65):
            track.append(mido.Message("note_on", note=pitch, velocity=64, time=24))
            track.append(mido.Message("note_off", note=pitch, time=72))
    file.save(tmp_path / "a.mid")
    for song in (read.read_song(tmp_path / "a.mid"), oracle(tmp_path / "a.mid")):
        np.testing.assert_allclose(song.tracks[0].start, np.arange(8) + 0.25, atol=1e-6)
        np.testing.assert_allclose(song.tracks[0].end, np.arange(8) + 1.0, atol=1e-6)
        assert song.tempos == ((0.0, 120.0), (4.0, 61.0))
        assert song.tempo_bpm_at(3.9) == 120.0
        assert song.tempo_bpm_at(4.0) == 61.0


def test_round_trip_keeps_notes_tempo_and_program(tmp_path):
    write.write(tmp_path / "a.mid", MELODY)
    assert read.read(tmp_path / "a.mid") == MELODY


@pytest.mark.parametrize("tempo_bpm", [33.0, 120.0, 217.3])
def test_round_trip_of_random_melodies(tmp_path, tempo_bpm):
    rng = np.random.default_rng(0)
    for _ in range(10):
        written = helpers.random_melody(rng, 6)
        first_bar = written.notes()[0][1] // 16
        written = Melody.from_notes(written.notes(), 96, tempo_bpm=tempo_bpm, program=1)
        write.write(tmp_path / "a.mid", written)
        back = read.read(tmp_path / "a.mid")
        assert first_bar == 0
        assert back.notes() == written.notes()
        assert back.tempo_bpm == tempo_bpm


def test_a_script_without_a_main_guard_can_read(tmp_path):
    write.write(tmp_path / "a.mid", MELODY)
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nimport musicvae_jax as mv\nprint(len(mv.read(sys.argv[1]).pitch))\n"
    )
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "a.mid")],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "4"


@pytest.mark.parametrize(
    ("content", "message", "kind"),
    [
        (None, "no such file", "no such file"),
        (b"", "the file is empty", "the file is empty"),
        (b"not MIDI at all, whatever its name", "not a readable MIDI file", None),
        (b"MThd", "not a readable MIDI file", None),
        (b"RIFF0000RMIDdata0000", "not a readable MIDI file", None),
        (b"RIFF0000RMIDdisp\x02\0\0\0ab", "not a readable MIDI file", None),
        (b"\x00" * 500, "not a readable MIDI file", None),
        (header(1, 0, 96), "it has no track", None),
        (
            b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk\x00\x00\x00\x20\x00\x90",
            "not a readable",
            None,
        ),
        (bytes(read.MAX_BYTES + 1), "larger than 2 MiB, which no song is", "larger than 2 MiB"),
        (
            header(1, 1, 96) + chunk(b"MTrk", NOTES + END) * (read.MAX_TRACKS + 1),
            "1001 tracks, more than the 1000 that are read",
            "more than 1000 tracks",
        ),
    ],
)
def test_unreadable_files_are_named_in_one_line(tmp_path, content, message, kind):
    path = tmp_path / "x.mid"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read.read_song(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert caught.value.kind == (kind or "not a readable MIDI file")
    # Between processes it stays what it is.
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.kind) == (str(caught.value), caught.value.kind)


def test_a_folder_and_a_pipe_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.mid")
    for path in (tmp_path, tmp_path / "pipe.mid"):
        with pytest.raises(UserError, match=f"{path}: not a file"):
            read.read(path)


def test_tracks_of_many_programs_are_refused():
    changes = b"".join(
        bytes([0, 0xC0 | c, p, 0, 0x90 | c, 60, 64, 1, 60, 0]) for c in range(8) for p in range(128)
    )
    data = header(1, 1, 96) + chunk(b"MTrk", changes + END)
    with pytest.raises(UserError, match="x: 1024 tracks, more than the 1000"):
        read.song_from_bytes(data, "x")


def test_notes_are_counted_before_they_are_parsed():
    struck = b""
    for n in range(1, 100):
        on, off = 0x90 | n % 16, 0x80 | n % 16
        struck += bytes([0x81, n, on, 60, n, 1, off, 60, 9, 2, 0x91, 61, 0])
    # Each begins once; what ends it, text, and times are no notes.
    text = b"\x90\x01\xff\x01\x04\x3c\x90\x90\x3c"
    data = header(1, 2, 96) + chunk(b"MTrk", SETUP + text + struck + END) * 2
    assert read_container(data).num_struck() == 2 * 99
    assert sum(track.pitch.size for track in read.song_from_bytes(data, "x").tracks) == 2 * 99


SETUP = b"\x00\xff\x51\x03\x09\x27\xc0\x00\xff\x58\x04\x04\x02\x18\x08"  # 100 bpm in 4/4
SCALE = [(60 + n, n, n + 1) for n in range(8)]  # what NOTES are, in quarter notes


def midi(events=SETUP + NOTES + END, *, before=b"", after=b"", file_type=1, division=96):
    """A MIDI file of one track, with something before and after the track."""
    return header(file_type, 1, division) + before + chunk(b"MTrk", events) + after


def riff(content):
    """A RIFF file with a chunk of odd length before the MIDI file."""
    chunks = b"DISP\x03\x00\x00\x00abc\x00data" + len(content).to_bytes(4, "little") + content
    return b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"RMID" + chunks


@pytest.mark.parametrize(
    ("data", "warning"),
    {
        "plain": (midi(), None),
        "RIFF": (riff(midi()), None),
        "a longer header": (
            midi().replace(b"\0\0\0\6\0\1\0\1\0\x60", b"\0\0\0\7\0\1\0\1\0\x60?"),
            None,
        ),
        "key of no mode": (midi(SETUP + b"\x00\xff\x59\x02\x00\x02" + NOTES + END), None),
        "junk": (midi(after=bytes(100)), "100 bytes after its last track are passed over"),
        "unknown": (midi(before=chunk(b"XFIH", b"abcd")), "a chunk 'XFIH' that is not MIDI"),
        "many unknown": (midi(before=chunk(b"JUNK", b"") * 9), "6 more chunks"),
        "no end": (midi(SETUP + NOTES), None),
        "cut": (midi()[:-3], "track 1 is damaged or cut off"),
        "cut in an event": (
            midi(SETUP + NOTES + b"\x00\x90")[:-1],
            "track 1 is damaged or cut off",
        ),
        "tempo 0": (midi(b"\x00\xff\x51\x03\0\0\0" + SETUP + NOTES + END), "a tempo of 0"),
        "control 168": (midi(SETUP + b"\x00\xb0\x07\xa8" + NOTES + END), "1 values above 127"),
        "type 2": (midi(file_type=2, after=chunk(b"MTrk", NOTES + END)), "2 songs in one file"),
        # 24 frames of 8 ticks a second: 96 ticks are a quarter note at 120.
        "SMPTE": (midi(NOTES + END, division=0xE808), "it counts seconds"),
    }.values(),
)
def test_what_is_wrapped_or_slightly_damaged_is_read_and_told_of(data, warning):
    song = read.song_from_bytes(data, "x")
    [track] = song.tracks
    notes = np.stack([track.pitch, track.start, track.end], axis=1)
    np.testing.assert_allclose(notes, SCALE, atol=1e-9)
    assert song.meters == ((0.0, 4, 4),)
    if warning is None:
        assert song.warnings == ()
    else:
        [line] = song.warnings[-1:]
        assert warning in line


def test_seconds_are_placed_by_the_tempos():
    """Two notes at 120, the others at 60: 96 ticks are half a second."""
    slow = b"\x00\xff\x51\x03\x0f\x42\x40"
    song = read.song_from_bytes(midi(NOTES[:16] + slow + NOTES[16:] + END, division=0xE808), "x")
    np.testing.assert_allclose(song.tracks[0].start, [0, 1, 2, 2.5, 3, 3.5, 4, 4.5])
    assert song.tempos == ((0.0, 120.0), (2.0, 60.0))


def test_notes_of_no_length_are_sixteenths():
    events = b"".join(
        bytes([0, 0x90, 60 + n, 64, 0, 60 + n, 0, 0x60, 0xB0, 7, 9]) for n in range(8)
    )
    song = read.song_from_bytes(midi(SETUP + events + END), "x")
    np.testing.assert_allclose(song.tracks[0].start, np.arange(8))
    np.testing.assert_allclose(song.tracks[0].end, np.arange(8) + 0.25)
    assert song.warnings == ("notes of no length are taken as sixteenths",)


def test_a_tempo_or_a_meter_may_stand_in_any_track():
    data = midi(after=chunk(b"MTrk", b"\x00\xff\x58\x04\x03\x02\x18\x08" + END))
    song = read.song_from_bytes(data.replace(SETUP, SETUP[:7] + b"\x00\xff\x01\x04abcd"), "x")
    assert song.meters == ((0.0, 3, 4),)
    assert song.tempos == ((0.0, 100.0),)


def test_read_logs_what_was_odd(tmp_path, caplog):
    path = tmp_path / "UPPER CASE, комма.KAR"
    path.write_bytes(midi(after=bytes(9)))
    with caplog.at_level(logging.WARNING):
        assert read.read(path).pitch.tolist() == list(range(60, 68))
    [record] = caplog.records
    assert record.getMessage() == f"{path}: 9 bytes after its last track are passed over"
