import pathlib

import mido
import numpy as np
import pytest

from musicvae_jax import midi
from musicvae_jax.errors import UserError
from musicvae_jax.melody import Melody
from musicvae_jax.preprocessing import extract_melody
from tests import helpers

MELODY = Melody.from_notes(
    [(60, 0, 4), (64, 4, 5), (64, 5, 16), (67, 20, 30)], 32, tempo_bpm=97.0, program=73
)


def test_round_trip_keeps_notes_tempo_and_program(tmp_path):
    midi.write_melody(tmp_path / "a.mid", MELODY)
    assert extract_melody(midi.read_song(tmp_path / "a.mid"), "a.mid") == MELODY


@pytest.mark.parametrize("tempo_bpm", [33.0, 120.0, 217.3])
def test_round_trip_of_random_melodies(tmp_path, tempo_bpm):
    rng = np.random.default_rng(0)
    for _ in range(10):
        written = helpers.random_melody(rng, 6)
        first_bar = written.notes()[0][1] // 16
        written = Melody.from_notes(written.notes(), 96, tempo_bpm=tempo_bpm, program=1)
        midi.write_melody(tmp_path / "a.mid", written)
        read = extract_melody(midi.read_song(tmp_path / "a.mid"), "a.mid")
        assert first_bar == 0
        assert read.notes() == written.notes()
        assert read.tempo_bpm == tempo_bpm


def test_another_library_reads_what_is_written(tmp_path):
    midi.write_melody(tmp_path / "a.mid", MELODY, name="bridge")
    file = mido.MidiFile(tmp_path / "a.mid")
    step = file.ticks_per_beat // 4
    notes, sounding, tick = [], {}, 0
    for message in mido.merge_tracks(file.tracks):
        tick += message.time
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = tick
        elif message.type in ("note_off", "note_on"):
            notes.append((message.note, sounding.pop(message.note) / step, tick / step))
    assert notes == MELODY.notes()
    assert not sounding
    messages = [message for track in file.tracks for message in track]
    assert [m.program for m in messages if m.type == "program_change"] == [73]
    [tempo] = [m.tempo for m in messages if m.type == "set_tempo"]
    assert mido.tempo2bpm(tempo) == pytest.approx(97.0, abs=1e-3)
    meters = [(m.numerator, m.denominator) for m in messages if m.type == "time_signature"]
    assert meters == [(4, 4)]


def test_notes_lie_on_the_beat_grid_through_tempo_changes(tmp_path):
    file = mido.MidiFile(ticks_per_beat=96)
    track = file.add_track("lead")
    for beat, bpm in ((0, 120), (0, 61)):
        track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=beat))
        for pitch in (60, 62, 64, 65):
            track.append(mido.Message("note_on", note=pitch, velocity=64, time=24))
            track.append(mido.Message("note_off", note=pitch, time=72))
    file.save(tmp_path / "a.mid")
    song = midi.read_song(tmp_path / "a.mid")
    np.testing.assert_allclose(song.tracks[0].start, np.arange(8) + 0.25, atol=1e-6)
    np.testing.assert_allclose(song.tracks[0].end, np.arange(8) + 1.0, atol=1e-6)
    assert song.tempos == ((0.0, 120.0), (4.0, 61.0))
    assert song.tempo_bpm_at(3.9) == 120.0
    assert song.tempo_bpm_at(4.0) == 61.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such MIDI file"),
        (b"", "the file is empty"),
        (b"not MIDI at all, whatever its name", "not a readable MIDI file"),
        (
            b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk\x00\x00\x00\x20\x00\x90",
            "not a readable",
        ),
    ],
)
def test_unreadable_files_are_named_in_one_line(tmp_path, content, message):
    path = tmp_path / "x.mid"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        midi.read_song(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.mid"
    midi.write_melody(path, MELODY)
    before = path.read_bytes()

    def fail(self, name):
        pathlib.Path(name).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(mido.MidiFile, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        midi.write_melody(path, MELODY)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.mid"]


def test_synthesizing_silence_gives_silence():
    audio = midi.synthesize(Melody.from_notes([], 8, tempo_bpm=60.0))
    assert audio.shape == (2 * midi.SAMPLE_RATE_HZ,)
    assert not audio.any()


def test_synthesize_sounds_at_the_notes_pitch():
    audio = midi.synthesize(Melody.from_notes([(69, 0, 8)], 8, tempo_bpm=60.0))
    spectrum = np.abs(np.fft.rfft(audio))
    peak_hz = spectrum.argmax() * midi.SAMPLE_RATE_HZ / audio.size
    assert peak_hz == pytest.approx(440, abs=2)
