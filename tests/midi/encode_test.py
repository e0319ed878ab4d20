import dataclasses

import hypothesis
import mido
import numpy as np
import pytest
import symusic

from musicvae_jax.midi import write
from musicvae_jax.music import assembly, tempo
from musicvae_jax.music.examples import example_melodies
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read
from tests import helpers

MELODY = Melody.from_notes(
    [(60, 0, 4), (64, 4, 5), (64, 5, 16), (67, 20, 30)], 32, tempo_bpm=97.0, program=73
)


def test_another_library_reads_what_is_written(tmp_path):
    write.write(tmp_path / "a.mid", MELODY, name="bridge")
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


def absolute(track):
    """The messages of a mido track with their ticks from the beginning."""
    return list(zip(np.cumsum([m.time for m in track]).tolist(), track, strict=True))


def read_notes(track):
    """(pitch, start, end, velocity) in steps of a mido track, in order; none may be left on."""
    notes, sounding = [], {}
    for tick, message in absolute(track):
        if message.type == "note_on":
            assert message.note not in sounding
            sounding[message.note] = (tick, message.velocity)
        elif message.type == "note_off":
            start, velocity = sounding.pop(message.note)
            notes.append((message.note, start / 120, tick / 120, velocity))
    assert not sounding
    return notes


@hypothesis.given(helpers.chains())
@hypothesis.settings(max_examples=60)
def test_a_piece_is_exact_to_the_tick_for_two_other_libraries(tmp_path_factory, parts):
    melodies, bridges, programs = parts
    made = assembly.chain(melodies, bridges, programs=programs)
    path = tmp_path_factory.mktemp("piece") / "a.mid"
    write.write(path, made, name="both", provenance="seed 1, checkpoint abc, latent")

    file = mido.MidiFile(path)
    assert (file.type, file.ticks_per_beat) == (1, 480)
    first, *tracks = file.tracks
    expected = [
        np.stack([v.pitch, v.start, v.end, v.velocity], axis=1).tolist() for v in made.voices
    ]
    expected = [[tuple(row) for row in rows] for rows in expected]
    assert [read_notes(track) for track in tracks] == expected
    assert {sum(m.time for m in track) for track in file.tracks} == {made.num_bars * 1920}
    assert file.length == pytest.approx(made.duration_sec, abs=1e-6)
    tempos = [(tick, m.tempo) for tick, m in absolute(first) if m.type == "set_tempo"]
    planned = [(step * 120, tempo.microseconds_per_quarter(bpm)) for step, bpm in made.tempos]
    assert tempos == planned
    markers = [(tick / 1920, m.text) for tick, m in absolute(first) if m.type == "marker"]
    assert markers == [(s.start_bar, s.origin) for s in made.sections]
    assert [m.text for m in first if m.type == "text"] == ["seed 1, checkpoint abc, latent"]
    assert sum(m.type == "time_signature" for track in file.tracks for m in track) == 1
    assert [m.program for t in tracks for m in t if m.type == "program_change"] == [
        voice.program for voice in made.voices
    ]

    score = symusic.Score(path)
    assert score.ticks_per_quarter == 480
    assert [(t.time, t.mspq) for t in score.tempos] == planned
    assert [(m.time, m.numerator, m.denominator) for m in score.time_signatures] == [(0, 4, 4)]
    assert [(m.time / 1920, m.text) for m in score.markers] == markers
    theirs = {
        track.program: sorted(
            (n.pitch, n.time / 120, (n.time + n.duration) / 120, n.velocity) for n in track.notes
        )
        for track in score.tracks
        if len(track.notes)
    }
    voices = zip(made.voices, expected, strict=True)
    assert theirs == {voice.program: sorted(rows) for voice, rows in voices if rows}


def test_our_own_reader_finds_the_grid_again_through_all_tempo_changes(tmp_path):
    ode, reel = example_melodies().values()
    made = assembly.splice(ode, ode.window(0, 5), reel)
    write.write(tmp_path / "a.mid", made, name="both")
    song = read.read_song(tmp_path / "a.mid")
    [track] = song.tracks
    notes = np.stack([track.pitch, track.start * 4, track.end * 4], axis=1)
    np.testing.assert_allclose(notes, np.array(made.line.notes()), atol=1e-6)
    assert song.tempo_bpm_at(0) == 120.0
    assert song.tempo_bpm_at(4 * 21) == 180.0
    assert song.meters == ((0.0, 4, 4),)


def test_names_of_tracks_tell_the_instruments_apart(tmp_path):
    ode, reel = example_melodies().values()
    flute = dataclasses.replace(reel, program=73)
    write.write(tmp_path / "a.mid", assembly.splice(ode, ode.window(0, 1), flute), name="both")
    names = [track.name for track in mido.MidiFile(tmp_path / "a.mid").tracks]
    assert names == ["both", "both: Acoustic Grand Piano", "both: Flute"]


def test_any_file_name_can_be_a_title(tmp_path):
    title = "æ—\u672c \udce9.mid"
    made = assembly.single(MELODY, title=title)
    write.write(tmp_path / "a.mid", made)
    [marker] = symusic.Score(tmp_path / "a.mid").markers
    assert marker.text == "melody 1: æ—\u672c ?.mid"


def test_a_melody_keeps_how_it_was_made(tmp_path):
    write.write(tmp_path / "a.mid", MELODY, provenance="seed 7")
    texts = [m.text for m in mido.MidiFile(tmp_path / "a.mid").tracks[0] if m.type == "text"]
    assert texts == ["seed 7"]
