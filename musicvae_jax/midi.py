"""MIDI files in and out. Only this module knows pretty_midi."""

import os
import pathlib
import warnings

import numpy as np
import pretty_midi

from musicvae_jax import atomic_io
from musicvae_jax.errors import UserError
from musicvae_jax.melody import STEPS_PER_QUARTER, Melody
from musicvae_jax.song import Song, Track, make_song

VELOCITY = 80
SAMPLE_RATE_HZ = 44_100
# A song of six minutes and twelve tracks has about 0.1 MB. A crafted file of 2 MiB takes
# pretty_midi 10 s and 0.3 GB; both grow with its size.
MAX_BYTES = 2 << 20
MAX_NOTES = 100_000


def read_song(path: str | os.PathLike) -> Song:
    """Reads a MIDI file.

    Raises:
      UserError: the file is missing, empty, too large, or not readable as MIDI.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such MIDI file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty, not MIDI")
    if path.stat().st_size > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES >> 20} MiB, which no song is")
    try:
        with warnings.catch_warnings():
            # pretty_midi warns of type 0 files with tempo changes and reads them well.
            warnings.simplefilter("ignore", RuntimeWarning)
            song = _song(pretty_midi.PrettyMIDI(str(path)))
    except Exception as error:  # mido and pretty_midi raise whatever they trip over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{path}: not a readable MIDI file ({reason})") from error
    notes = sum(track.pitch.size for track in song.tracks)
    if notes > MAX_NOTES:
        raise UserError(f"{path}: {notes} notes, more than the {MAX_NOTES} that are read")
    return song


def _song(midi: pretty_midi.PrettyMIDI) -> Song:
    change_sec, bpm = midi.get_tempo_changes()
    # Quarter notes passed at each tempo change; within a tempo, time is linear.
    change_quarter = np.concatenate([[0.0], np.cumsum(np.diff(change_sec) * bpm[:-1] / 60)])

    def quarters(sec: np.ndarray) -> np.ndarray:
        segment = np.clip(np.searchsorted(change_sec, sec, side="right") - 1, 0, None)
        return change_quarter[segment] + (sec - change_sec[segment]) * bpm[segment] / 60

    tracks = []
    for instrument in midi.instruments:
        if not instrument.notes:
            continue
        table = np.array([(n.start, n.end, n.pitch, n.velocity) for n in instrument.notes])
        table = table[np.lexsort((table[:, 2], table[:, 0]))]
        tracks.append(
            Track(
                name=instrument.name.strip(),
                program=instrument.program,
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
    tempos = [(float(q), float(t)) for q, t in zip(change_quarter, bpm, strict=True)]
    return make_song(tracks, meters, tempos)


def _pretty_midi(melody: Melody, name: str) -> pretty_midi.PrettyMIDI:
    midi = pretty_midi.PrettyMIDI(resolution=480, initial_tempo=melody.tempo_bpm)
    midi.time_signature_changes.append(pretty_midi.TimeSignature(4, 4, 0.0))
    instrument = pretty_midi.Instrument(program=melody.program, name=name)
    step_sec = 60 / melody.tempo_bpm / STEPS_PER_QUARTER
    for pitch, start, end in melody.notes():
        instrument.notes.append(pretty_midi.Note(VELOCITY, pitch, start * step_sec, end * step_sec))
    midi.instruments.append(instrument)
    return midi


def write_melody(path: str | os.PathLike, melody: Melody, name: str = "melody") -> None:
    """Writes a melody as a MIDI file of one track, atomically."""
    with atomic_io.replacing(path) as temporary:
        _pretty_midi(melody, name).write(str(temporary))


def synthesize(melody: Melody) -> np.ndarray:
    """Renders a melody as sine waves.

    Returns:
      [samples] float32 in -1..1, at `SAMPLE_RATE_HZ`.
    """
    if not melody.pitch.size:  # pretty_midi divides by the loudest sample
        seconds = melody.num_steps / STEPS_PER_QUARTER * 60 / melody.tempo_bpm
        return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)
    audio = _pretty_midi(melody, "melody").synthesize(fs=SAMPLE_RATE_HZ)
    return audio.astype(np.float32)
