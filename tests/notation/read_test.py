"""The one reader: what it writes comes back, whatever the format, and what it refuses."""

import itertools
import os
import subprocess
import sys
import time
import zipfile

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from musicvae_jax.midi import musicxml, write
from musicvae_jax.music import assembly
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read
from musicvae_jax.notation.archive import MAX_XML_BYTES
from tests import command_line
from tests.notation import musicxml_test


@st.composite
def melodies(draw) -> Melody:
    """Of four notes and more, from within the first bar to within the last."""
    steps = st.lists(st.integers(0, 79), min_size=5, max_size=40, unique=True)
    edges = sorted(draw(steps))
    edges = [edge - edges[0] // 16 * 16 for edge in edges]
    notes = []
    for number, (start, end) in enumerate(itertools.pairwise(edges)):
        if number < 4 or number + 2 == len(edges) or draw(st.booleans()):
            notes.append((draw(st.integers(21, 108)), start, end))
    num_steps = -(-notes[-1][2] // 16) * 16
    program = draw(st.sampled_from([0, 40, 73]))
    tempo_bpm = draw(st.sampled_from([120.0, 66.5, 180.0]))
    return Melody.from_notes(notes, num_steps, tempo_bpm=tempo_bpm, program=program)


@settings(max_examples=30, deadline=None)
@given(melodies())
def test_melodies_come_back_from_musicxml(melody):
    data = musicxml.to_musicxml(assembly.single(melody))
    assert read.extract_melody(read.song_from_bytes(data, "x.musicxml"), "x") == melody


def test_files_that_we_write_come_back(tmp_path):
    for melody in example_melodies().values():
        for suffix in (".mid", ".musicxml"):
            path = tmp_path / f"a{suffix}"
            write.write(path, melody)
            assert read.read(path) == melody


def test_a_kind_of_file_is_known_by_its_name_or_else_by_its_content():
    tune = b"X:1\nK:C\nCDEF\n"
    kern = b"!!!OTL: x\n**kern\n4c\n4d\n4e\n4f\n*-\n"
    xml = musicxml.to_musicxml(assembly.single(example_melodies()["reel"]))
    for data, suffix in ((tune, ".ABC"), (kern, ".krn"), (xml, ".Xml")):
        named = read.song_from_bytes(data, f"dir.d/a{suffix}")
        assert named.tracks[0].pitch.size >= 4
        for name in ("unnamed", "a.txt"):
            unnamed = read.song_from_bytes(data, name)
            assert unnamed.tracks[0].pitch.tolist() == named.tracks[0].pitch.tolist()
    with pytest.raises(
        read.FileError, match=r"not a kind of music file .* \.mid, .*\.abc, .*\.mp3$"
    ):
        read.song_from_bytes(b"%PDF-1.7 ...", "a.pdf")


def test_a_script_without_a_main_guard_reads_notation(tmp_path):
    (tmp_path / "a.abc").write_text("X:1\nL:1/4\nK:C\nCDEF|GABc|\n")
    script = tmp_path / "script.py"
    script.write_text("import musicvae_jax as mv\nprint(mv.read('a.abc').pitch.tolist())\n")
    run = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split("\n") == ["[60, 62, 64, 65, 67, 69, 71, 72]", ""]


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    """A folder of files that no one should send."""
    folder = tmp_path_factory.mktemp("bad")
    good = musicxml_test.GOOD
    contents = {
        "bomb.mxl": musicxml_test.archive(b" " * (MAX_XML_BYTES + 1)),
        "entities.xml": musicxml_test.BOMB.encode(),
        "external.musicxml": musicxml_test.EXTERNAL.encode(),
        "cut.musicxml": good[:-100],
        "cut.mxl": musicxml_test.archive(good)[:-40],
        "garbage.abc": bytes(range(256)) * 9,
        "garbage.krn": bytes(range(256)) * 9,
        "garbage.mxl": bytes(range(256)) * 9,
        "xml.mid": good,
        "midi.abc": b"MThd\x00\x00\x00\x06",
        "tune.pdf": b"%PDF-1.7",
        "empty.krn": b"",
        "fives.abc": b"X:1\nM:5/4\nL:1/4\nK:C\nCDEFG|FGABc|\n",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with zipfile.ZipFile(folder / "no score.mxl", "w") as archive:
        archive.writestr("song.txt", "la la la")
    with (folder / "large.xml").open("wb") as file:
        file.truncate(MAX_XML_BYTES + 1)
    return folder


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("bomb.mxl", "larger than 16 MiB when unpacked"),
        ("entities.xml", "it declares the entity 'a'"),
        ("external.musicxml", "it declares the entity 'a'"),
        ("cut.musicxml", "not a readable MusicXML file"),
        ("cut.mxl", "damaged archive"),
        ("garbage.abc", "not a readable ABC file"),
        ("garbage.krn", "not a readable kern file"),
        ("garbage.mxl", "not a readable MusicXML file"),
        ("xml.mid", "not a readable MIDI file"),
        ("midi.abc", "not a readable ABC file"),
        ("tune.pdf", "not a kind of music file that can be read; these are .mid"),
        ("empty.krn", "the file is empty"),
        ("fives.abc", "no usable melody: the meter is 5/4"),
        ("no score.mxl", "the archive has no score"),
        ("large.xml", "larger than 16 MiB, which no song is"),
        ("missing.mxl", "no such file"),
    ],
)
def test_a_bad_file_is_one_line_and_exit_code_2(bad_files, name, part):
    path = bad_files / name
    run = command_line.run("--mode=complete", f"--input={path}", f"--output={bad_files / 'out'}")
    assert run.returncode == 2
    [line] = [line for line in run.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith(f"error: {path}: ")
    assert part in line
    assert "Traceback" not in run.stderr


def test_inspect_explains_notation(tmp_path):
    (tmp_path / "two.abc").write_text("X:1\nT:One\nK:C\nCDEF\n\nX:2\nT:Two\nK:C\nCDEF\n")
    run = command_line.run(
        "--mode=inspect", f"--input={tmp_path / 'two.abc'}", f"--output={tmp_path / 'out'}"
    )
    assert run.returncode == 0
    assert "it has 2 tunes" in run.stdout
    assert (tmp_path / "out" / "inspect_00.png").exists()


@pytest.mark.slow
def test_the_largest_file_takes_seconds():
    """16 MiB, with nearly as many notes as a file may have."""
    bar = musicxml_test.note(60, 4) * 4
    data = musicxml_test.file([musicxml_test.attributes() + bar, *[bar] * 19_990])
    data += b"\n" * (MAX_XML_BYTES - len(data))
    start = time.process_time()
    with pytest.raises(read.FileError, match="notes beyond 10000 bars"):
        read.song_from_bytes(data, "x.xml")
    assert time.process_time() - start < 20
