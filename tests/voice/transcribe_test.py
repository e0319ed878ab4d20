"""From a sound file to a melody, and which sounds are refused."""

import sys

import numpy as np
import pytest

import musicvae_jax as mv
from musicvae_jax.midi.read import FileError
from musicvae_jax.midi.reading import make_reading
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read
from musicvae_jax.voice import sound, transcribe
from tests.voice import sounds

pytest.importorskip("soundfile")
BPM = 112
# Two phrases; quarters from the first bar line.
RHYTHM = [1, 1, 1, 1, 1.5, 0.5, 2, 1, 0.5, 0.5, 1, 1, 3, 1]
PITCHES = [67, 67, 69, 71, 72, 71, 69, 67, 69, 71, 69, 66, 67, 62]


def tune(first_sec: float = 0.7, times: int = 2) -> list[tuple[float, float, float]]:
    start = np.cumsum([0, *RHYTHM * times]) * 60 / BPM + first_sec
    return list(zip(PITCHES * times, start[:-1].tolist(), start[1:].tolist(), strict=True))


@pytest.fixture(scope="module")
def recording() -> bytes:
    return sounds.file(sounds.melody(tune()))


def written() -> Melody:
    start = np.cumsum([0, *RHYTHM * 2])
    notes = [
        (tone, round(4 * begin), round(4 * end))
        for tone, begin, end in zip(PITCHES * 2, start[:-1], start[1:], strict=True)
    ]
    return Melody.from_notes(notes, 16 * round(start[-1] / 4), tempo_bpm=BPM, program=53)


def test_beats_and_notes_of_a_recording_are_those_that_were_played(recording):
    song = read.song_from_bytes(recording, "a.wav")
    [voice] = song.tracks
    assert voice.pitch.tolist() == PITCHES * 2
    assert song.tempo_bpm_at(8) == pytest.approx(BPM, rel=0.05)
    np.testing.assert_allclose(np.diff(voice.start), (RHYTHM * 2)[:-1], atol=0.1)
    assert "28 notes are heard" in song.warnings[0]
    assert "beats were tracked, 11" in song.warnings[1]


def test_a_recording_is_read_as_a_melody_to_the_token(recording, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(recording)
    melody = mv.read(path, bar_one=0.7 * BPM / 60, tempo_bpm=BPM)
    expected = written()
    assert melody.pitch.tolist() == expected.pitch.tolist()
    assert melody.start.tolist() == expected.start.tolist()
    assert melody.end.tolist() == expected.end.tolist()
    assert mv.read_whole(path, make_reading(None, None, BPM)).arrangement.notes is not None


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3"])
def test_every_format_and_rate_has_the_same_notes(kind):
    stereo = np.stack([sounds.melody(tune(times=1), 44_100)] * 2, axis=1)
    data = sounds.file(stereo, kind, 44_100)
    for name in (f"a.{kind.lower()}", "unnamed"):
        assert read.song_from_bytes(data, name).tracks[0].pitch.tolist() == PITCHES


def test_what_is_not_a_recording_of_one_voice_is_refused(monkeypatch):
    time = np.arange(3 * sound.SAMPLE_RATE_HZ) / sound.SAMPLE_RATE_HZ
    chords = sum(
        np.sign(np.sin(2 * np.pi * hz * time)) * (np.sin(2 * np.pi * time * rate) > -0.8)
        for hz, rate in ((131, 1.0), (165, 1.3), (196, 2.0), (247, 2.9), (349, 0.7))
    )
    noise = np.random.default_rng(0).normal(0, 0.1, time.size)
    refused = {
        "not a readable sound file": b"RIFF\x00\x00\x00\x00WAVEgarbage",
        "nothing is heard in it": sounds.file(np.zeros(10_000)),
        "has one clear pitch; a recording of one voice": sounds.file(0.1 * chords),
        "of what is heard has one clear": sounds.file(noise),
        "the file is empty": b"",
    }
    for words, data in refused.items():
        with pytest.raises(FileError, match=words) as error:
            read.song_from_bytes(data, "a.wav")
        assert str(error.value).startswith("a.wav: ") and "\n" not in str(error.value)
    monkeypatch.setattr(sound, "MAX_SEC", 2.0)
    with pytest.raises(FileError, match=r"longer than .* minutes"):
        read.song_from_bytes(sounds.file(noise), "a.wav")
    monkeypatch.setattr(sound, "MAX_BYTES", 1000)
    with pytest.raises(FileError, match="larger than"):
        read.song_from_bytes(sounds.file(noise), "a.wav")


def test_without_the_extra_a_line_says_how_to_install_it(monkeypatch, recording):
    monkeypatch.setattr(transcribe, "_kept", {})
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(FileError, match=r"^a\.wav: .* pip install 'musicvae-jax\[audio\]'$"):
        read.song_from_bytes(recording, "a.wav")


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_damaged_files_give_a_song_or_one_line(kind):
    rng = np.random.default_rng(3)
    valid = sounds.file(sounds.melody([(60, 0.1, 0.4), (64, 0.4, 0.7)]), kind)
    for _ in range(15):
        data = bytearray(valid[: rng.integers(1, len(valid) + 1)])
        for _ in range(3):
            data[rng.integers(min(len(data), 200))] = rng.integers(256)
        try:
            read.song_from_bytes(bytes(data), f"a.{kind.lower()}")
        except FileError as error:
            assert "\n" not in str(error)


def test_data_sets_leave_sound_to_its_listeners():
    assert ".wav" in read.SUFFIXES and ".wav" not in read.NOTE_SUFFIXES
    assert read.timeout_sec("a.WAV") > read.timeout_sec("a.mid")
