import pathlib
import wave
import xml.etree.ElementTree as ET

import music21
import numpy as np
import pytest

from musicvae_jax.midi import audio, convert, encode, write
from musicvae_jax.music import assembly
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError

MELODY = Melody.from_notes(
    [(60, 0, 4), (64, 4, 5), (64, 5, 16), (67, 20, 30)], 32, tempo_bpm=97.0, program=73
)


@pytest.mark.parametrize("suffix", [".mid", ".midi", ".MID"])
def test_midi_is_the_encoders(tmp_path, suffix):
    made = assembly.splice(MELODY, MELODY.window(0, 1), MELODY)
    write.write(tmp_path / f"a{suffix}", made, name="both", provenance="seed 1")
    written = (tmp_path / f"a{suffix}").read_bytes()
    assert written == encode.piece_bytes(made, "both", "seed 1")
    write.write(tmp_path / f"a{suffix}", MELODY)
    assert read.read(tmp_path / f"a{suffix}") == MELODY


def test_notation_has_meter_tempos_instruments_and_every_note(tmp_path):
    ode, reel = example_melodies().values()
    made = assembly.splice(ode.window(0, 2), ode.window(0, 4), reel.window(0, 2))
    write.write(tmp_path / "a.musicxml", made, name="both")
    root = ET.parse(tmp_path / "a.musicxml").getroot()
    assert root.tag == "score-partwise"
    assert [root.findtext(".//beats"), root.findtext(".//beat-type")] == ["4", "4"]
    assert root.findtext(".//movement-title") == "both"
    programs = [int(e.text) - 1 for e in root.iter("midi-program")]
    assert programs == [voice.program for voice in made.voices]
    tempos = [float(e.get("tempo")) for e in root.iter("sound") if e.get("tempo")]
    np.testing.assert_allclose(tempos, [bpm for _, bpm in made.tempos], atol=0.01)
    assert all(len(part.findall("measure")) == made.num_bars for part in root.iter("part"))
    score = music21.converter.parse(tmp_path / "a.musicxml")
    [part] = score.parts
    assert convert.from_music21(part, bars=made.num_bars).notes() == made.line.notes()


def test_sound_is_as_long_as_the_music_and_its_tail(tmp_path):
    write.write(tmp_path / "a.wav", MELODY)
    with wave.open(str(tmp_path / "a.wav")) as file:
        length = file.getnframes() / audio.SAMPLE_RATE_HZ
    assert length == pytest.approx(assembly.single(MELODY).duration_sec + audio.TAIL_SEC, abs=1e-3)


@pytest.mark.parametrize("name", ["a.mp3", "a", "mid", "a.mid.txt"])
def test_an_unknown_suffix_is_told_of_with_those_that_are_known(tmp_path, name):
    with pytest.raises(UserError, match=r"\.mid, \.midi, \.musicxml, \.mxl, \.wav") as caught:
        write.write(tmp_path / name, MELODY)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match=r"there is no folder .*/absent"):
        write.write(tmp_path / "absent" / "a.mid", MELODY)


@pytest.mark.parametrize("suffix", [".mid", ".musicxml"])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a{suffix}"
    write.write(path, MELODY)
    before = path.read_bytes()

    written = pathlib.Path.write_bytes

    def fail(self, content):
        written(self, content[: len(content) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(pathlib.Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        write.write(path, MELODY)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]
