"""To other libraries and back."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import music21
import pretty_midi
import pytest

from musicvae_jax.midi import convert
from musicvae_jax.music import assembly
from musicvae_jax.music.melody import Melody
from musicvae_jax.system.errors import UserError
from tests import helpers


@st.composite
def melodies(draw):
    """Melodies of whole bars with a note, of any tempo and program."""
    melody = draw(helpers.melodies(0, 127).filter(lambda melody: melody.pitch.size))
    return dataclasses.replace(
        melody,
        num_steps=16 * melody.num_bars,
        tempo_bpm=round(draw(st.floats(20, 400)), 2),
        program=draw(st.integers(0, 127)),
    )


def numbers(notes):
    return [(n.pitch, n.velocity, n.start_time, n.end_time) for n in notes]


@hypothesis.given(melodies())
@hypothesis.settings(max_examples=60, deadline=None)
def test_notes_and_back(melody):
    notes = convert.to_notes(melody)
    back = convert.from_notes(notes, tempo_bpm=melody.tempo_bpm, bars=melody.num_bars)
    assert back == melody
    mappings = [note._asdict() for note in reversed(notes)]
    assert convert.from_notes(mappings, tempo_bpm=melody.tempo_bpm).notes() == melody.notes()


@hypothesis.given(melodies())
@hypothesis.settings(max_examples=60, deadline=None)
def test_pretty_midi_and_back(melody):
    midi = convert.to_pretty_midi(melody)
    assert convert.from_pretty_midi(midi, bars=melody.num_bars) == melody


@hypothesis.given(melodies())
@hypothesis.settings(max_examples=30, deadline=None)
def test_music21_and_back(melody):
    score = convert.to_music21(melody, "a title")
    assert score.metadata.title == "a title"
    assert score.highestTime == 4 * melody.num_bars
    assert convert.from_music21(score, bars=melody.num_bars) == melody
    in_bars = score.parts[0].makeMeasures().makeTies()
    assert convert.from_music21(in_bars, bars=melody.num_bars).notes() == melody.notes()


@hypothesis.given(helpers.chains())
@hypothesis.settings(max_examples=30, deadline=None)
def test_a_piece_sounds_alike_in_all(parts):
    melodies, bridges, programs = parts
    made = assembly.chain(melodies, bridges, programs=programs)
    notes = convert.to_notes(made)
    assert [note.instrument for note in notes] == sorted(note.instrument for note in notes)

    midi = convert.to_pretty_midi(made)
    theirs = [(n, i.program) for i in midi.instruments for n in i.notes]
    assert len(theirs) == len(notes)
    for (note, program), ours in zip(theirs, notes, strict=True):
        assert (note.pitch, note.velocity, program) == (ours.pitch, ours.velocity, ours.program)
        assert note.start == pytest.approx(ours.start_time, abs=1e-6)
        assert note.end == pytest.approx(ours.end_time, abs=1e-6)

    score = convert.to_music21(made)
    assert len(score.parts) == len(made.voices)
    for part, voice in zip(score.parts, made.voices, strict=True):
        table = [(n.pitch.midi, n.offset * 4, n.volume.velocity) for n in part.notes]
        columns = (voice.pitch.tolist(), voice.start.tolist(), voice.velocity.tolist())
        assert table == list(zip(*columns, strict=True))
    if made.voices:
        marks = score.parts[0].getElementsByClass(music21.tempo.MetronomeMark)
        assert [mark.offset * 4 for mark in marks] == [step for step, _ in made.tempos]


@pytest.mark.parametrize("program", range(0, 128, 7))
def test_every_program_has_a_part(program):
    melody = Melody.from_notes([(60, 0, 4)], 16, program=program)
    assert convert.from_music21(convert.to_music21(melody)).program == program


def test_of_notes_that_overlap_the_highest_and_the_next_are_heard():
    rows = [(60, 0.0, 2.0), (67, 0.0, 2.0), (64, 1.0, 1.5), (62, 1.51, 1.52)]
    notes = [{"pitch": p, "start_time": s, "end_time": e} for p, s, e in rows]
    melody = convert.from_notes(notes, tempo_bpm=60.0, program=40)
    assert melody.notes() == [(67, 0, 4), (64, 4, 6), (62, 6, 7)]
    assert (melody.num_steps, melody.tempo_bpm, melody.program) == (16, 60.0, 40)


def test_several_instruments_are_no_line():
    midi = pretty_midi.PrettyMIDI()
    for program in (0, 40):
        player = pretty_midi.Instrument(program)
        player.notes.append(pretty_midi.Note(80, 60 + program, 0.0, 1.0))
        midi.instruments.append(player)
    with pytest.raises(UserError, match="2 instruments have notes; a melody has one"):
        convert.from_pretty_midi(midi)
    assert len(convert.song_from_pretty_midi(midi).tracks) == 2
    midi.instruments[1].is_drum = True
    assert convert.from_pretty_midi(midi).notes() == [(60, 0, 8)]
    two_voices = assembly.splice(
        Melody.from_notes([(60, 0, 16)], 16),
        Melody.from_notes([(62, 0, 16)], 16),
        Melody.from_notes([(64, 0, 16)], 16, program=40),
    )
    with pytest.raises(UserError, match="2 parts have notes; a melody has one"):
        convert.from_music21(convert.to_music21(two_voices))


def test_nothing_is_no_melody():
    nothing = [
        lambda: convert.from_notes([]),
        lambda: convert.from_pretty_midi(pretty_midi.PrettyMIDI()),
        lambda: convert.from_music21(music21.stream.Score()),
    ]
    for call in nothing:
        with pytest.raises(UserError, match="there are no notes"):
            call()


def test_neither_grace_notes_nor_chord_symbols_sound():
    part = music21.stream.Part()
    part.append(music21.note.Note(72).getGrace())
    part.insert(0, music21.harmony.ChordSymbol("C7"))
    part.append(music21.chord.Chord([60, 64, 67], quarterLength=2))
    assert convert.from_music21(part).notes() == [(67, 0, 8)]


def test_notes_beyond_the_bars_are_an_error():
    notes = convert.to_notes(Melody.from_notes([(60, 16, 20)], 32))
    with pytest.raises(ValueError, match=r"notes must lie in steps 0\.\.16"):
        convert.from_notes(notes, bars=1)
