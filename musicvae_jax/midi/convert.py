"""Melodies and pieces to and from the objects of other libraries.

The libraries are pretty_midi, music21, and note_seq, whose notes are a list with times in
seconds; note_seq itself is not needed. Music is read as one line: of notes that begin
together the highest is taken, and a note ends at the latest where the next begins. Onsets
and ends move to the nearest step of a grid, by default of sixteenths in 4/4.
"""

import functools
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pretty_midi

from musicvae_jax.midi import encode
from musicvae_jax.midi.extraction import highest_line
from musicvae_jax.midi.song import Song, Track, make_song, quarters_at
from musicvae_jax.music.assembly import single
from musicvae_jax.music.grid import SIXTEENTHS, Grid
from musicvae_jax.music.melody import DEFAULT_TEMPO_BPM, Melody
from musicvae_jax.music.piece import VELOCITY, Piece, Voice
from musicvae_jax.system.errors import UserError

if TYPE_CHECKING:  # it takes seconds to import
    import music21


class NoteEvent(NamedTuple):
    """A note as in note_seq's `NoteSequence.notes`: `Note(**event._asdict())` makes it one.

    Attributes:
      pitch, velocity: 0..127.
      start_time, end_time: in seconds.
      program: General MIDI program, 0..127.
      instrument: the number of the voice that plays it.
    """

    pitch: int
    velocity: int
    start_time: float
    end_time: float
    program: int = 0
    instrument: int = 0


def to_notes(music: Melody | Piece) -> list[NoteEvent]:
    """The notes with their times in seconds, by voice and then by time."""
    piece = _piece(music)
    seconds = {
        step: piece.seconds_at(step)
        for voice in piece.voices
        for step in {*voice.start.tolist(), *voice.end.tolist()}
    }
    return [
        NoteEvent(pitch, velocity, seconds[start], seconds[end], voice.program, instrument)
        for instrument, voice in enumerate(piece.voices)
        for pitch, velocity, start, end in _rows(voice)
    ]


def from_notes(
    notes: Iterable[Mapping[str, Any] | Any],
    *,
    tempo_bpm: float = DEFAULT_TEMPO_BPM,
    program: int | None = None,
    bars: int | None = None,
    grid: Grid = SIXTEENTHS,
) -> Melody:
    """A melody of notes with times in seconds.

    Args:
      notes: objects or mappings with `pitch`, `start_time` and `end_time`, in any order.
      tempo_bpm: quarter notes a minute, which place the notes on the grid.
      program: by default that of the first note, or 0.
      bars: the length; by default up to the bar in which the last note ends.
      grid: of the melody, whose first bar begins at 0.

    Raises:
      UserError: there are no notes.
      ValueError: a pitch is not in 0..127, or notes lie outside of `bars`.
    """
    given = list(notes)
    rows = [[_value(note, name) for name in ("start_time", "end_time", "pitch")] for note in given]
    if program is None:
        program = _value(given[0], "program", 0) if given else 0
    table = np.array(rows, np.float64).reshape(-1, 3)
    table[:, :2] *= tempo_bpm / 60
    return _line(_track(table, program), tempo_bpm, bars, grid)


def to_pretty_midi(music: Melody | Piece) -> pretty_midi.PrettyMIDI:
    """As pretty_midi reads the MIDI file of it, changes of tempo included."""
    return pretty_midi.PrettyMIDI(io.BytesIO(encode.piece_bytes(_piece(music))))


def from_pretty_midi(
    midi: pretty_midi.PrettyMIDI, *, bars: int | None = None, grid: Grid = SIXTEENTHS
) -> Melody:
    """The line of the one pitched instrument of a `PrettyMIDI`, from its beginning.

    To find the melody among several instruments as `read` does, give the result of
    `song_from_pretty_midi` to `extraction.extract_melody`.

    Args:
      midi: with one instrument that has notes and is no drum.
      bars: the length; by default up to the bar in which the last note ends.
      grid: of the melody, whose first bar begins at 0.

    Raises:
      UserError: it has no notes, or several instruments have some.
      ValueError: notes lie outside of `bars`.
    """
    song = song_from_pretty_midi(midi)
    tracks = [track for track in song.tracks if not track.is_drum]
    if len(tracks) > 1:
        raise UserError(f"{len(tracks)} instruments have notes; a melody has one")
    return _line(tracks[0] if tracks else None, song.tempo_bpm_at(0.0), bars, grid)


def song_from_pretty_midi(midi: pretty_midi.PrettyMIDI) -> Song:
    """All tracks of a `PrettyMIDI` on the beat grid.

    Raises:
      ValueError: a note lies too far away.
    """
    change_sec, bpm = midi.get_tempo_changes()
    quarters = functools.partial(quarters_at, change_sec=change_sec, bpm=bpm)
    tracks = []
    for instrument in midi.instruments:
        if not instrument.notes:
            continue
        table = np.array([(n.start, n.end, n.pitch, n.velocity) for n in instrument.notes])
        table = table[np.lexsort((table[:, 2], table[:, 0]))]
        tracks.append(
            Track(
                name=instrument.name.strip(),
                program=int(instrument.program),
                is_drum=instrument.is_drum,
                pitch=table[:, 2].astype(np.int32),
                velocity=table[:, 3].astype(np.int32),
                start=quarters(table[:, 0]),
                end=quarters(table[:, 1]),
            )
        )
    meters = [
        (float(quarters(np.array([meter.time]))[0]), meter.numerator, meter.denominator)
        for meter in midi.time_signature_changes
    ]
    tempos = [(float(q), float(t)) for q, t in zip(quarters(change_sec), bpm, strict=True)]
    return make_song(tracks, meters, tempos)


def to_music21(music: Melody | Piece, name: str = "melody") -> "music21.stream.Score":
    """A score in the meters of the melodies, with a part for each voice.

    Marks for tempos and sections stand in the first part.

    Args:
      music: what to write down.
      name: the title.
    """
    from music21 import expressions, metadata, stream, tempo

    piece = _piece(music)
    score = stream.Score()
    score.metadata = metadata.Metadata(title=name)
    for number, voice in enumerate(piece.voices):
        part = _part(voice, piece)
        part.id = f"P{number + 1}"
        if number == 0:
            for step, bpm in piece.tempos:
                mark = tempo.MetronomeMark(number=round(bpm, 2), referent=1.0)
                part.insert(piece.quarters_at(step), mark)
            for section in piece.sections if len(piece.sections) > 1 else ():
                letter = expressions.RehearsalMark(section.title or section.origin)
                part.insert(section.start_quarter, letter)
        score.insert(0, part)
    return score


def from_music21(
    score: "music21.stream.Stream", *, bars: int | None = None, grid: Grid = SIXTEENTHS
) -> Melody:
    """The line of the one part of a music21 stream, from its beginning.

    Repeats are not played out (`score.expandRepeats()` does that), and neither grace
    notes nor chord symbols sound.

    Args:
      score: a score, a part or any stream in which one part has notes.
      bars: the length; by default up to the bar in which the last note ends.
      grid: of the melody, whose first bar begins at 0.

    Raises:
      UserError: it has no notes, or several parts have some.
      ValueError: notes lie outside of `bars`.
    """
    from music21 import harmony, instrument, tempo

    parts = [part for part in score.getElementsByClass("Part") if part.recurse().notes]
    if len(parts) > 1:
        raise UserError(f"{len(parts)} parts have notes; a melody has one")
    part = (parts[0] if parts else score).stripTies().flatten()
    heard = [
        note
        for note in part.notes
        if not isinstance(note, harmony.Harmony) and not note.duration.isGrace
    ]
    rows = [
        (float(n.offset), float(n.offset + n.quarterLength), max(p.midi for p in n.pitches))
        for n in heard
    ]
    programs = [i.midiProgram for i in part.getElementsByClass(instrument.Instrument)]
    marks = list(score.recurse().getElementsByClass(tempo.MetronomeMark))
    tempos = [round(bpm, 2) for mark in marks if (bpm := mark.getQuarterBPM())]
    tempo_bpm = tempos[0] if tempos else DEFAULT_TEMPO_BPM
    program = next((p for p in programs if p is not None), 0)
    return _line(_track(np.array(rows).reshape(-1, 3), program), tempo_bpm, bars, grid)


def _part(voice: Voice, piece: Piece) -> "music21.stream.Part":
    """A voice with rests between its notes."""
    from music21 import instrument, meter, note, pitch, stream

    part = stream.Part()
    player = instrument.instrumentFromMidiProgram(voice.program)
    player.midiProgram = voice.program  # that of a relative, where music21 lacks the instrument
    part.insert(0, player)
    for quarter, grid in piece.meters():
        part.insert(quarter, meter.TimeSignature(grid.meter))
    now, last = 0.0, piece.num_steps
    for number, velocity, *edges in [*_rows(voice), (None, 0, last, last)]:
        start, end = (piece.quarters_at(step) for step in edges)
        if start > now:
            part.insert(now, note.Rest(quarterLength=start - now))
        if number is not None:
            sound = note.Note(pitch.Pitch(midi=number))
            sound.quarterLength = end - start
            sound.volume.velocity = velocity
            part.insert(start, sound)
        now = end
    return part


def _value(note: Mapping[str, Any] | Any, name: str, *default: Any) -> Any:
    """A value of a note, which is a mapping or an object."""
    if isinstance(note, Mapping):
        return note.get(name, *default) if default else note[name]
    return getattr(note, name, *default)


def _piece(music: Melody | Piece) -> Piece:
    return music if isinstance(music, Piece) else single(music)


def _rows(voice: Voice) -> list[tuple[int, int, int, int]]:
    """`(pitch, velocity, start, end)` of each note, in steps."""
    table = np.stack([voice.pitch, voice.velocity, voice.start, voice.end], axis=1)
    return [tuple(row) for row in table.tolist()]


def _track(table: np.ndarray, program: int) -> Track | None:
    """A track of `[notes, (start, end, pitch)]`, in quarter notes; None without notes."""
    if not len(table):
        return None
    table = table[np.lexsort((table[:, 2], table[:, 0]))]
    pitch = table[:, 2].astype(np.int32)
    velocity = np.full_like(pitch, VELOCITY)
    return Track("", program, False, pitch, velocity, table[:, 0], table[:, 1])


def _line(track: Track | None, tempo_bpm: float, bars: int | None, grid: Grid) -> Melody:
    if track is None:
        raise UserError("there are no notes, and so no melody")
    notes = highest_line(track, 0.0, float(track.end.max()) + 1, grid)
    bars = bars or -(-notes[-1][2] // grid.steps_per_bar)
    told = {"tempo_bpm": tempo_bpm, "program": track.program, "grid": grid}
    return Melody.from_notes(notes, bars * grid.steps_per_bar, **told)
