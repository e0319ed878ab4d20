import io
import xml.etree.ElementTree as ET
import zipfile

import hypothesis
import hypothesis.strategies as st
import music21
import numpy as np
import pytest

from musicvae_jax.midi import convert, musicxml, write
from musicvae_jax.music import assembly
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import Key
from musicvae_jax.notation import read
from tests import helpers

ODE, REEL = example_melodies().values()
SPLICED = assembly.splice(ODE, ODE.window(0, 5), REEL.transpose(-3), key_path="keep")


def read_back(data):
    """`(pitch, start, end)` in steps and the tempos of the one track, by the project's reader."""
    song = read.song_from_bytes(data, "x.musicxml")
    rows = []
    for track in song.tracks:
        table = np.stack([track.start * 4, track.end * 4], axis=1).round().astype(int)
        rows += [(p, *place) for p, place in zip(track.pitch.tolist(), table.tolist(), strict=True)]
    return rows, song


@hypothesis.given(helpers.chains())
@hypothesis.settings(max_examples=40)
def test_what_is_written_is_read_again(parts):
    melodies, bridges, programs = parts
    made = assembly.chain(melodies, bridges, programs=programs)
    data = musicxml.to_musicxml(made, "a name")
    rows, song = read_back(data)
    assert rows == made.line.notes()
    if rows:
        assert song.tracks[0].program == made.voices[0].program
        assert song.tracks[0].name == "a name"
    expected = [(step / 4, round(bpm, 2)) for step, bpm in made.tempos]
    told = []  # the reader leaves out a tempo that is the one before, when rounded
    for quarter, bpm in expected:
        if not told or told[-1][1] != bpm:
            told.append((quarter, bpm))
    assert list(song.tempos) == told
    bars = ET.fromstring(data).findall("part/measure")
    assert len(bars) == made.num_bars
    assert {sum(int(d.text) for d in bar.iter("duration")) for bar in bars} == {16}


def test_another_library_reads_the_same(tmp_path):
    write.write(tmp_path / "a.mxl", SPLICED, name="both")
    score = music21.converter.parse(tmp_path / "a.mxl")
    [part] = score.parts
    assert convert.from_music21(part, bars=SPLICED.num_bars).notes() == SPLICED.line.notes()
    assert part.partName == "both"
    marks = [mark.content for mark in part.recurse().getElementsByClass("RehearsalMark")]
    assert marks == ["melody 1", "bridge", "melody 2"]
    keys = [key.tonic.name for key in part.recurse().getElementsByClass("Key")]
    assert keys == [SPLICED.sections[n].key.split()[0] for n in (0, 2)]
    tempos = part.flatten().getElementsByClass(music21.tempo.MetronomeMark)
    bpm = [round(mark.getQuarterBPM(), 2) for mark in tempos]
    assert bpm == [round(bpm, 2) for _, bpm in SPLICED.tempos]
    assert [mark.offset for mark in tempos] == [step / 4 for step, _ in SPLICED.tempos]
    for bar in part.getElementsByClass("Measure"):
        assert bar.duration.quarterLength == 4
        assert all(n.duration.type != "complex" for n in bar.notesAndRests)


def test_an_archive_holds_the_file(tmp_path):
    write.write(tmp_path / "a.mxl", SPLICED)
    write.write(tmp_path / "a.musicxml", SPLICED)
    data = (tmp_path / "a.mxl").read_bytes()
    plain = zipfile.ZipFile(io.BytesIO(data)).read("score.musicxml")
    assert plain == (tmp_path / "a.musicxml").read_bytes()
    write.write(tmp_path / "b.mxl", SPLICED)
    assert (tmp_path / "b.mxl").read_bytes() == data


@pytest.mark.parametrize(
    ("pitch", "key", "expected"),
    [
        (61, Key(0, False, 1.0), ("C", 1, 4)),
        (63, Key(0, False, 1.0), ("E", -1, 4)),
        (70, Key(0, False, 1.0), ("B", -1, 4)),
        (68, Key(9, True, 1.0), ("G", 1, 4)),
        (63, Key(9, True, 1.0), ("D", 1, 4)),
        (63, Key(3, False, 1.0), ("E", -1, 4)),
        (66, Key(1, False, 1.0), ("G", -1, 4)),
        (61, Key(2, False, 1.0), ("C", 1, 4)),
        (72, Key(6, False, 1.0), ("B", 1, 4)),  # seven fifths up, B sharp is below C
        (59, Key(10, True, 1.0), ("C", -1, 4)),
    ],
)
def test_notes_are_spelled_by_the_key(pitch, key, expected):
    assert musicxml.spelled(pitch, key) == expected


@hypothesis.given(st.integers(0, 127), st.integers(0, 11), st.booleans())
def test_a_spelling_is_the_pitch(pitch, tonic, is_minor):
    key = Key(tonic, is_minor, 1.0)
    letter, alteration, octave = musicxml.spelled(pitch, key)
    assert abs(alteration) <= 2
    assert 12 * (octave + 1) + "C D EF G A B".index(letter) + alteration == pitch
    if (pitch - key.scale_root) % 12 in (0, 2, 4, 5, 7, 9, 11):
        sharps = musicxml.fifths(key)
        signed = "FCGDAEB"[:sharps] if sharps > 0 else "BEADGCF"[:-sharps]
        assert alteration == (np.sign(sharps) if letter in signed else 0)


def test_an_odd_name_is_no_damage():
    data = musicxml.to_musicxml(assembly.single(ODE), 'a<b>&"\x00\udcff')
    assert read_back(data)[0] == ODE.notes()


def test_a_melody_without_notes_is_rests():
    data = musicxml.to_musicxml(assembly.single(Melody.from_notes([], 32)))
    rests = ET.fromstring(data).findall("part/measure/note/rest")
    assert [rest.get("measure") for rest in rests] == ["yes", "yes"]
