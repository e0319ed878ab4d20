import dataclasses
import shutil
import wave

import numpy as np
import pytest

from musicvae_jax.midi import audio, write
from musicvae_jax.music import assembly
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.system.errors import UserError

RATE = audio.SAMPLE_RATE_HZ
A4 = Melody.from_notes([(69, 0, 32)], 32, tempo_bpm=120.0)
needs_fluidsynth = pytest.mark.skipif(
    not (shutil.which("fluidsynth") and audio.find_soundfont()),
    reason="FluidSynth or a soundfont is not installed",
)


@pytest.fixture(params=["sine waves", pytest.param("FluidSynth", marks=needs_fluidsynth)])
def synthesizer(request, monkeypatch, tmp_path):
    if request.param == "sine waves":
        monkeypatch.setenv("PATH", str(tmp_path))
    return request.param


def read_wav(path):
    """[samples, channels] float64 in -1..1."""
    with wave.open(str(path), "rb") as file:
        assert (file.getsampwidth(), file.getframerate()) == (2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples.reshape(-1, file.getnchannels()) / 2**15


def rms(samples):
    return float(np.sqrt(np.mean(samples**2)))


def peak_hz(samples):
    spectrum = np.abs(np.fft.rfft(samples.mean(axis=1) * np.hanning(len(samples))))
    return spectrum.argmax() * RATE / len(samples)


def test_a_long_note_has_its_pitch_its_length_and_full_loudness(synthesizer, tmp_path):
    rendering = audio.render(tmp_path / "a.wav", assembly.single(A4))
    assert rendering.synthesizer == synthesizer
    assert str(rendering).startswith(synthesizer)
    samples = read_wav(tmp_path / "a.wav")
    assert samples.shape[1] == (2 if synthesizer == "FluidSynth" else 1)
    assert len(samples) == (4 + audio.TAIL_SEC) * RATE
    assert rendering.duration_sec == 4 + audio.TAIL_SEC
    assert peak_hz(samples[: 2 * RATE]) == pytest.approx(440, abs=2)
    assert np.abs(samples).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    assert rms(samples[:RATE]) > 0.05


def test_a_midi_file_sounds_like_the_piece_in_it(synthesizer, tmp_path):
    made = assembly.single(A4)
    write.write(tmp_path / "a.mid", made)
    audio.render(tmp_path / "file.wav", tmp_path / "a.mid")
    audio.render(tmp_path / "piece.wav", made)
    theirs, ours = read_wav(tmp_path / "file.wav"), read_wav(tmp_path / "piece.wav")
    np.testing.assert_allclose(theirs, ours, atol=1e-3)


def test_the_second_melody_begins_when_the_tempos_say(synthesizer, tmp_path):
    fast = dataclasses.replace(A4, tempo_bpm=240.0)
    silence = Melody.from_notes([], 48)
    slow = dataclasses.replace(A4, tempo_bpm=60.0, num_steps=32)
    made = assembly.splice(slow, silence, fast)
    audio.render(tmp_path / "a.wav", made)
    samples = np.abs(read_wav(tmp_path / "a.wav")).max(axis=1)
    begins = made.seconds_at(made.sections[2].start_step)
    # 3 bars at 60 would take 12 s, and at 240 3 s.
    assert 3 < begins - 8 < 12
    quiet = samples[round((begins - 0.5) * RATE) : round((begins - 0.001) * RATE)]
    assert quiet.max() < 0.1
    onset = np.flatnonzero(samples[round((begins - 0.5) * RATE) :] > 0.2)[0] / RATE - 0.5
    assert onset == pytest.approx(0, abs=0.03)


def test_a_loop_is_as_long_as_its_music_and_rings_on_into_its_beginning(synthesizer, tmp_path):
    begin_silent = Melody.from_notes([(69, 16, 32)], 32, tempo_bpm=120.0)
    to_the_end = Melody.from_notes([(69, 0, 32)], 32)
    made = assembly.chain([begin_silent], [to_the_end])
    audio.render(tmp_path / "a.wav", made)
    samples = read_wav(tmp_path / "a.wav")
    assert len(samples) == 8 * RATE
    if synthesizer == "FluidSynth":  # a sine wave ends with its note
        assert rms(samples[: RATE // 10]) > 1e-3


def test_silence_stays_silent(synthesizer, tmp_path):
    audio.render(tmp_path / "a.wav", assembly.single(Melody.from_notes([], 16)))
    samples = read_wav(tmp_path / "a.wav")
    assert len(samples) == (2 + audio.TAIL_SEC) * RATE
    assert np.abs(samples).max() < 1e-3


@needs_fluidsynth
def test_crossing_instruments_are_heard_at_an_even_level(tmp_path):
    """Flute to violin over a held note, by the power of the two against that of each."""
    long_note = Melody.from_notes([(69, 16 * n, 16 * n + 16) for n in range(8)], 128)
    flute, violin = (dataclasses.replace(long_note, program=program) for program in (73, 40))
    audio.render(tmp_path / "a.wav", assembly.splice(flute, long_note, violin))
    bars = read_wav(tmp_path / "a.wav")[: 24 * 2 * RATE].reshape(24, -1)
    level_db = 20 * np.log10([rms(bar) for bar in bars])
    before, bridge, after = level_db[1:8].mean(), level_db[8:16], level_db[16:].mean()
    assert min(before, after) - 3 < bridge.min()
    assert bridge.max() < max(before, after) + 3


@needs_fluidsynth
def test_instruments_differ(tmp_path):
    for program in (0, 73):
        made = assembly.single(dataclasses.replace(A4, program=program))
        audio.render(tmp_path / f"{program}.wav", made)
    piano, flute = read_wav(tmp_path / "0.wav"), read_wav(tmp_path / "73.wav")
    # A piano dies away, a flute does not.
    assert rms(piano[3 * RATE : 4 * RATE]) < 0.5 * rms(piano[:RATE])
    assert rms(flute[3 * RATE : 4 * RATE]) > 0.5 * rms(flute[:RATE])


def fake_soundfont(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF\x04\x00\x00\x00sfbk")
    return path


def fake_fluidsynth(folder, script):
    program = folder / "fluidsynth"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_a_fluidsynth_that_fails_is_told_of_and_replaced(monkeypatch, tmp_path):
    fake_fluidsynth(tmp_path, "echo out of order >&2; exit 3")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv(audio.SOUNDFONT_VARIABLE, str(fake_soundfont(tmp_path / "a.sf2")))
    rendering = audio.render(tmp_path / "a.wav", assembly.single(A4))
    assert rendering.synthesizer == "sine waves"
    assert str(rendering) == "sine waves (FluidSynth failed with 3: out of order)"
    assert peak_hz(read_wav(tmp_path / "a.wav")) == pytest.approx(440, abs=2)
    with pytest.raises(UserError, match=r"^soundfont=.*: cannot be used: FluidSynth failed"):
        audio.render(tmp_path / "b.wav", assembly.single(A4), tmp_path / "a.sf2")
    assert not (tmp_path / "b.wav").exists()


@needs_fluidsynth
@pytest.mark.parametrize("kept", [12, 100_000])
def test_a_damaged_soundfont_is_told_of(monkeypatch, tmp_path, kept):
    font = tmp_path / "cut.sf2"
    font.write_bytes(audio.bundled_soundfont().read_bytes()[:kept])
    monkeypatch.setenv(audio.SOUNDFONT_VARIABLE, str(font))
    rendering = audio.render(tmp_path / "a.wav", assembly.single(A4))
    assert str(rendering) == f"sine waves (FluidSynth cannot play with {font})"
    assert peak_hz(read_wav(tmp_path / "a.wav")) == pytest.approx(440, abs=2)


def test_a_soundfont_without_fluidsynth_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    font = fake_soundfont(tmp_path / "a.sf2")
    with pytest.raises(UserError, match="the program fluidsynth is not on PATH"):
        audio.render(tmp_path / "a.wav", assembly.single(A4), font)


def test_which_soundfont_is_taken(monkeypatch, tmp_path):
    monkeypatch.delenv(audio.SOUNDFONT_VARIABLE, raising=False)
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "absent"]
    monkeypatch.setattr(audio, "SOUNDFONT_FOLDERS", [str(folder) for folder in folders])
    bundled = fake_soundfont(tmp_path / "bundled" / "small.sf2")
    monkeypatch.setattr(audio, "bundled_soundfont", lambda: bundled)
    assert audio.find_soundfont() == bundled
    small = fake_soundfont(folders[0] / "b.sf2")
    (folders[0] / "notes.sf2").write_bytes(b"not a soundfont, but a large file" * 10)
    assert audio.find_soundfont() == small
    large = fake_soundfont(folders[1] / "a.sf3")
    large.write_bytes(large.read_bytes() + bytes(100))
    assert audio.find_soundfont() == large
    default = fake_soundfont(folders[1] / "default-GM.sf2")
    assert audio.find_soundfont() == default
    monkeypatch.setenv(audio.SOUNDFONT_VARIABLE, str(small))
    assert audio.find_soundfont() == small
    assert audio.find_soundfont(large) == large
    bundled.unlink()
    monkeypatch.setattr(audio, "SOUNDFONT_FOLDERS", [])
    monkeypatch.delenv(audio.SOUNDFONT_VARIABLE)
    assert audio.find_soundfont() is None


@pytest.mark.parametrize("content", [None, b"", b"RIFF\x04\x00\x00\x00WAVE"])
def test_what_is_no_soundfont_is_named(monkeypatch, tmp_path, content):
    path = tmp_path / "x.sf2"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=f"^soundfont={path}: not a readable soundfont"):
        audio.find_soundfont(path)
    monkeypatch.setenv(audio.SOUNDFONT_VARIABLE, str(path))
    with pytest.raises(UserError, match=f"{audio.SOUNDFONT_VARIABLE}={path}"):
        audio.find_soundfont()


def test_what_plays_for_hours_is_refused_before_it_is_made(synthesizer, tmp_path):
    slow = Melody.from_notes([(60, 0, 4)], 16_000, tempo_bpm=4.0)
    with pytest.raises(UserError, match=r"audio of 60000 s .* at most 900 s"):
        audio.render(tmp_path / "a.wav", assembly.single(slow))
    assert not (tmp_path / "a.wav").exists()


def test_what_is_no_midi_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        audio.render(tmp_path / "a.wav", tmp_path / "absent.mid")


def test_the_examples_spliced_are_heard_all_through(synthesizer, tmp_path):
    ode, reel = example_melodies().values()
    made = assembly.splice(ode, reel.window(0, 4), reel)
    audio.render(tmp_path / "a.wav", made)
    samples = read_wav(tmp_path / "a.wav")
    assert len(samples) == round(made.duration_sec * RATE) + RATE
    seconds = samples[: int(made.duration_sec) * RATE].reshape(int(made.duration_sec), -1)
    assert min(rms(second) for second in seconds) > 0.01


def test_synthesize_file_sounds_at_the_notes_pitch(tmp_path):
    write.write(tmp_path / "a.mid", Melody.from_notes([(69, 0, 8)], 8, tempo_bpm=60.0))
    samples = audio.synthesize_file(tmp_path / "a.mid")
    assert samples.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * RATE / samples.size == pytest.approx(440, abs=2)
