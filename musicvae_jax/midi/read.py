"""MIDI files to songs, by pretty_midi."""

import io
import os
import pathlib
import warnings
from collections.abc import Callable
from typing import TypeVar

import mido
import numpy as np
import pretty_midi

from musicvae_jax.midi.song import Song, Track, make_song
from musicvae_jax.system.errors import UserError

SAMPLE_RATE_HZ = 44_100
T = TypeVar("T")
# A song of six minutes and twelve tracks has about 0.1 MB. A crafted file of 2 MiB takes
# pretty_midi 10 s and 0.3 GB; both grow with its size.
MAX_BYTES = 2 << 20
MAX_NOTES = 100_000


def read_song(path: str | os.PathLike) -> Song:
    """Reads a MIDI file.

    Raises:
      UserError: the file is missing, empty, too large, or not readable as MIDI.
    """
    return song_from_bytes(_content(path), str(path))


def song_from_bytes(data: bytes, name: str) -> Song:
    """`read_song` of a file's content; `name` is what messages call it.

    Raises:
      UserError: it is empty, too large, or not readable as MIDI.
    """
    song = _parse(data, name, lambda file: _song(pretty_midi.PrettyMIDI(file)))
    notes = sum(track.pitch.size for track in song.tracks)
    if notes > MAX_NOTES:
        raise UserError(f"{name}: {notes} notes, more than the {MAX_NOTES} that are read")
    return song


def _content(path: str | os.PathLike) -> bytes:
    """A file's content, of one that is too large its beginning."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such MIDI file")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _parse(data: bytes, name: str, parse: Callable[[io.BytesIO], T]) -> T:
    """What `parse` makes of a file's content, its failures as one line."""
    if not data:
        raise UserError(f"{name}: the file is empty, not MIDI")
    if len(data) > MAX_BYTES:
        raise UserError(f"{name}: larger than {MAX_BYTES >> 20} MiB, which no song is")
    try:
        with warnings.catch_warnings():
            # pretty_midi warns of type 0 files with tempo changes and reads them well.
            warnings.simplefilter("ignore", RuntimeWarning)
            return parse(io.BytesIO(data))
    except Exception as error:  # mido and pretty_midi raise whatever they trip over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{name}: not a readable MIDI file ({reason})") from error


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
    tempos = [(float(q), float(t)) for q, t in zip(change_quarter, bpm, strict=True)]
    return make_song(tracks, meters, tempos)


def duration_sec(path: str | os.PathLike) -> float:
    """How long a MIDI file plays, until its last track ends.

    Raises:
      UserError: as of `read_song`.
    """
    return float(_parse(_content(path), str(path), lambda file: mido.MidiFile(file=file).length))


def synthesize_file(path: str | os.PathLike) -> np.ndarray:
    """Renders a MIDI file as sine waves.

    Returns:
      [samples] float32 in -1..1, at `SAMPLE_RATE_HZ`.

    Raises:
      UserError: as of `read_song`.
    """

    def synthesize(file: io.BytesIO) -> np.ndarray:
        midi = pretty_midi.PrettyMIDI(file)
        # pretty_midi divides by the loudest sample, also where none sounds.
        midi.instruments = [part for part in midi.instruments if part.notes and not part.is_drum]
        return midi.synthesize(fs=SAMPLE_RATE_HZ)

    return _parse(_content(path), str(path), synthesize).astype(np.float32)


def bundled_soundfont() -> pathlib.Path:
    """The small General MIDI soundfont that comes with pretty_midi; it may be missing."""
    return pathlib.Path(pretty_midi.__file__).with_name("TimGM6mb.sf2")
