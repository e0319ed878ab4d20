"""The page's scripts do what the package does, run by Node."""

import base64
import json
import re
import shutil
import subprocess

import jax
import numpy as np
import pytest

pytest.importorskip("onnx", reason="onnx is not installed")

import musicvae_jax as mv
from musicvae_jax.midi import encode
from musicvae_jax.midi.analysis import downbeats, melody_track, top_line
from musicvae_jax.midi.reading import DUPLE_METERS
from musicvae_jax.midi.song import Track
from musicvae_jax.music import windows
from musicvae_jax.music.tokens import MelodyCodec
from musicvae_jax.static_page import export
from tests import helpers
from tests.songs import write_song

NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="Node is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    for name, content in export.site_files().items():
        (folder / name).write_bytes(content)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@pytest.fixture
def js(folder):
    """Evaluates an expression of the functions of a script and of `told`."""

    def evaluate(script: str, expression: str, told=None):
        code = (
            f'import * as it from "./{script}.js"; import * as fs from "node:fs";'
            f"const told = JSON.parse(fs.readFileSync(0));"
            f"console.log(JSON.stringify({expression}));"
        )
        done = subprocess.run(
            [NODE, "--input-type=module", "-e", code],
            cwd=folder,
            input=json.dumps(told),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return evaluate


def told(melody):
    return {
        "notes": melody.notes(),
        "num_steps": melody.num_steps,
        "tempo_bpm": melody.tempo_bpm,
        "program": melody.program,
    }


def some_melodies(count):
    rng = np.random.default_rng(0)
    return [helpers.random_melody(rng, int(rng.integers(1, 7))) for _ in range(count)]


def test_a_seed_means_the_same(js):
    seeds = [0, 1, 2**32 - 1]
    code = """told.map((seed) => { const key = it.foldIn(it.keyOf(seed), 7); return {
      normal: [...it.normal(key, 999)], gumbel: [...it.gumbel(key, 90)],
      integers: [1, 2, 4096, 70001].map((span) => it.integer(key, span)) }; })"""
    for seed, made in zip(seeds, js("random", code, seeds), strict=True):
        key = jax.random.fold_in(jax.random.key(np.uint32(seed)), 7)
        np.testing.assert_allclose(made["normal"], jax.random.normal(key, (999,)), atol=5e-6)
        np.testing.assert_allclose(made["gumbel"], jax.random.gumbel(key, (90,)), atol=2e-6)
        expected = [int(jax.random.randint(key, (), 0, span)) for span in (1, 2, 4096, 70001)]
        assert made["integers"] == expected


def test_melodies_are_cut_joined_and_encoded(js):
    melodies = some_melodies(30)
    code = """told.map((one) => {
      const tokens = it.toTokens(it.toLine(one));
      return { tokens: [...tokens], notes: it.fromTokens(tokens), round: it.playRound(one, 1, 9),
        ends: it.bridgeEnds(one, it.playRound(one, 0, 3), 5) }; })"""
    codec = MelodyCodec()
    for melody, made in zip(melodies, js("notes", code, list(map(told, melodies))), strict=True):
        assert made["tokens"] == codec.encode(melody).tolist()
        assert made["notes"] == list(map(list, melody.notes()))
        expected = windows.play_round(melody, 1, 9)
        assert made["round"]["notes"] == list(map(list, expected.notes()))
        ends = windows.bridge_ends(melody, windows.play_round(melody, 0, 3), 5, is_spliced=True)
        assert [end["notes"] for end in made["ends"]] == [list(map(list, e.notes())) for e in ends]


def test_cut_is_that_of_the_strategy(js):
    """Which needs no model; a note that is held over the cut is struck there."""
    first, second = (
        mv.Melody.from_notes([(pitch, 2, 60)], 64, tempo_bpm=90.0) for pitch in (60, 67)
    )
    options = {"strategy": "cut", "bars": 4, "seed": 0, "temperature": 0, "adherence": 1}
    code = "await it.bridge(null, ...told)"
    made = js("bridges", code, [told(first), told(second), options])
    assert made["notes"] == [[60, 2, 32], [67, 32, 60]]


@pytest.mark.parametrize("other", [{}, {"program": 40, "tempo_bpm": 171.3}])
def test_a_piece_is_written_byte_for_byte(js, other):
    """Of one instrument at one tempo, and of two with a change of tempo."""
    first, second, bridge = (m.window(0, 1) for m in some_melodies(3))
    second = mv.Melody.from_notes(second.notes(), 16, **{"tempo_bpm": 100.0, "program": 5} | other)
    piece = mv.splice(first, bridge, second, titles=["Ä", "B"])
    names = [encode.instrument_name(program) for program in range(128)]
    code = """(() => { const piece = it.splice(...told.slice(0, 3), ["Ä", "B"], [0.5]);
      return { view: it.viewOf(piece), piece }; })()"""
    made = js("piece", code, [told(first), told(bridge), told(second)])
    assert made["view"]["notes"] == list(map(list, piece.notes()))
    assert made["view"]["duration_sec"] == pytest.approx(piece.duration_sec)
    written = js("midi_write", '[...it.midiOf(told[0], "piece", told[1])]', [made["piece"], names])
    assert bytes(written) == encode.piece_bytes(piece, "piece")


def read_by_page(js, path, reading=None):
    code = """(() => {
      const song = it.readSong(Uint8Array.from(atob(told[0]), (c) => c.charCodeAt(0)));
      return { song, ...it.melodyOf(song, told[1], told[2]) }; })()"""
    content = base64.b64encode(path.read_bytes()).decode()
    return js("midi_read", code, [content, reading or {}, export.reading_rules()])


@pytest.mark.parametrize("quarter", [96, 480])
def test_the_melody_of_a_song_is_read(js, tmp_path, quarter):
    """A song with accompaniment and changes of tempo, which the page reads as the package does."""
    melody = some_melodies(1)[0]
    path = write_song(tmp_path / "song.mid", melody, ticks_per_quarter=quarter)
    expected = mv.read(path)
    found = read_by_page(js, path)
    assert found["melody"] == json.loads(json.dumps(told(expected)))
    assert [track["name"] for track in found["song"]["tracks"]] == [
        "Melody",
        "Bass",
        "Piano",
        "Drums",
    ]
    by_hand = read_by_page(js, path, {"track": "2", "bar_one": "2"})
    expected = mv.read(path, track="2", bar_one=2)
    assert by_hand["melody"]["program"] == 32
    assert by_hand["melody"]["notes"] == list(map(list, expected.notes()))


def test_bars_are_found_where_the_package_finds_them(js, tmp_path):
    """In songs of several voices and of one, with what repeats and what does not."""
    rng = np.random.default_rng(1)
    paths = []
    for number, bars in enumerate((2, 9, 24)):
        melody = windows.play_round(helpers.random_melody(rng, bars), 0, 24)
        paths.append(
            write_song(tmp_path / f"song_{number}.mid", melody, before=number, seed=number)
        )
        paths.append(tmp_path / f"line_{number}.mid")
        mv.write(paths[-1], melody)
    code = """(async () => { const { readSong } = await import("./midi_read.js");
      return told[0].map((text) => it.probabilities(
        readSong(Uint8Array.from(atob(text), (c) => c.charCodeAt(0))), told[1])); })()"""
    contents = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    made = js("bar_lines", f"await {code}", [contents, downbeats.weights().tolist()])
    expected = [downbeats.probabilities(mv.read_song(path)) for path in paths]
    np.testing.assert_allclose(made, expected, atol=1e-9)


def random_track(rng, program):
    """Notes by chance, some of them together, short, or held below others."""
    count = int(rng.integers(4, 80))
    start = np.sort(rng.integers(0, 200, count) / 4 + rng.choice([0, 0, 0.02, 0.1], count))
    length = rng.choice([0.08, 0.25, 0.5, 1, 2, 9], count)
    pitch = rng.choice([36, 48, 55, 60, 62, 64, 67, 72, 84], count).astype(np.int32)
    order = np.lexsort((pitch, start))
    start, end, pitch = start[order], (start + length)[order], pitch[order]
    name = str(rng.choice(["", "Melody", "Bass", "Backing vocals", "Enchanted", "Mel"]))
    return Track(name, program, False, pitch, pitch, start, end)


def test_the_likeliest_track_and_its_notes_are_those_of_the_package(js):
    rng = np.random.default_rng(2)
    programs = [0, 34, 50, 90, 115, 47]
    songs = [[random_track(rng, int(p)) for p in rng.permutation(programs)] for _ in range(20)]
    sent = [
        [
            {
                "name": track.name,
                "program": track.program,
                "notes": np.stack([track.pitch, track.start, track.end], axis=1).tolist(),
            }
            for track in tracks
        ]
        for tracks in songs
    ]
    code = "told[0].map((tracks) => it.scores(tracks, told[1]))"
    made = js("melody_track", code, [sent, export.reading_rules()])
    np.testing.assert_allclose(made, [melody_track.scores(tracks) for tracks in songs], atol=1e-9)
    flat = [track for tracks in sent for track in tracks]
    left = js("top_line", "told.map(({ notes }) => it.melodic(notes))", flat)
    lines = [top_line.melodic(track) for tracks in songs for track in tracks]
    assert [len(notes) for notes in left] == [line.pitch.size for line in lines]
    for notes, line in zip(left, lines, strict=True):
        expected = np.stack([line.pitch, line.start, line.end], axis=1)
        np.testing.assert_array_equal(notes, expected)


def test_an_upbeat_that_nothing_tells_of_is_found(js, tmp_path):
    """In a file that does not say who has written it; of our own, the bars are right."""
    ode = mv.example_melodies()["ode_to_joy"].notes()
    late = mv.Melody.from_notes([(pitch, start + 4, end + 4) for pitch, start, end in ode], 272)
    path = tmp_path / "ode.mid"
    mv.write(path, late)
    assert read_by_page(js, path)["melody"]["notes"][0][1] == 4
    path.write_bytes(path.read_bytes().replace(b"MusicVAE-JAX", b"Another-name"))
    assert mv.read(path).start[0] == 0
    assert read_by_page(js, path)["melody"] == json.loads(json.dumps(told(mv.read(path))))


def test_what_the_package_writes_is_read(js, tmp_path):
    path = tmp_path / "melody.mid"
    mv.write(path, mv.Melody.from_notes(some_melodies(1)[0].notes(), 16 * 6, tempo_bpm=97.3))
    assert read_by_page(js, path)["melody"] == json.loads(json.dumps(told(mv.read(path))))


def test_files_that_cannot_be_read_are_explained(js):
    header = b"MThd\0\0\0\6\0\0\0\1\0\1MTrk\0\0\0\4"
    problems = {
        b"": "cut off",
        b"RIFF" + bytes(20): "not a MIDI file",
        header + b"\0\xff\x2f\0": "no notes",
        header + b"\0\x90": "cut off",
        header + b"\0\x10\x10\x10": "damaged",
        header[:-1] + b"\12\0\x90\x40\x40\xff\xff\xff\x7f\x40\0": "years away",
    }
    code = """told.map((content) => {
      try { return it.melodyOf(it.readSong(Uint8Array.from(content)), {}); }
      catch (error) { return error instanceof it.FileProblem && error.message; } })"""
    made = js("midi_read", code, list(map(list, problems)))
    assert all(words in told for words, told in zip(problems.values(), made, strict=True)), made


def test_the_meters_are_those_of_the_package(folder):
    listed = re.search(r"METERS = \[(.*)\]", (folder / "midi_read.js").read_text())[1]
    assert re.findall(r"(\d)/(\d)", listed) == [tuple(map(str, meter)) for meter in DUPLE_METERS]
