"""MIDI files in and out. Only this module knows pretty_midi and mido.

Files are read with pretty_midi. They are written with mido, on which pretty_midi rests:
it takes ticks as they are, where pretty_midi takes seconds, rounds them back to ticks,
and has no public way to write a change of tempo.
"""

import io
import os
import pathlib
import warnings
from collections.abc import Callable, Iterable
from typing import TypeVar

import mido
import numpy as np
import pretty_midi

from musicvae_jax.midi.song import Song, Track, make_song
from musicvae_jax.music.melody import STEPS_PER_QUARTER, Melody
from musicvae_jax.music.piece import Piece, Voice, single
from musicvae_jax.music.tempo import microseconds_per_quarter
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

SAMPLE_RATE_HZ = 44_100
TICKS_PER_QUARTER = 480
TICKS_PER_STEP = TICKS_PER_QUARTER // STEPS_PER_QUARTER
_CHANNELS = [channel for channel in range(16) if channel != 9]  # 9 plays drums
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


def write_piece(
    path: str | os.PathLike, piece: Piece, name: str = "melody", provenance: str = ""
) -> None:
    """Writes `piece_bytes` to a file, atomically."""
    with files.replacing(path) as temporary:
        temporary.write_bytes(piece_bytes(piece, name, provenance))


def piece_bytes(piece: Piece, name: str = "melody", provenance: str = "") -> bytes:
    """A piece as a MIDI file.

    A file of type 1: first a track with the meter, the tempos, a marker for each section
    and the provenance, then a track for each voice. All end where the piece ends.

    Args:
      piece: what to write.
      name: of the file's sequence, and of its tracks.
      provenance: how the piece was made, kept as a text event.
    """
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_QUARTER, charset="utf-8")
    events = [(0, mido.MetaMessage("track_name", name=_text(name)))]
    if provenance:
        events.append((0, mido.MetaMessage("text", text=_text(provenance))))
    events.append((0, mido.MetaMessage("time_signature", numerator=4, denominator=4)))
    for step, bpm in piece.tempos:
        tempo = microseconds_per_quarter(bpm)
        events.append((step * TICKS_PER_STEP, mido.MetaMessage("set_tempo", tempo=tempo)))
    for section in piece.sections:
        text = f"{section.origin}: {section.title}" if section.title else section.origin
        marker = mido.MetaMessage("marker", text=_text(text))
        events.append((section.start_step * TICKS_PER_STEP, marker))
    end = piece.num_steps * TICKS_PER_STEP
    file.tracks.append(_track(events, end))
    for channel, voice in zip(_CHANNELS, piece.voices, strict=False):
        instrument = pretty_midi.program_to_instrument_name(voice.program)
        title = name if len(piece.voices) == 1 else f"{name}: {instrument}"
        file.tracks.append(_track(_voice_events(voice, channel, title), end))
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def write_melody(
    path: str | os.PathLike, melody: Melody, name: str = "melody", provenance: str = ""
) -> None:
    """Writes a melody as a MIDI file of one voice, atomically; see `write_piece`."""
    write_piece(path, single(melody, origin=name), name, provenance)


def _text(text: str) -> str:
    """Text that can be written: file names may hold bytes that are no characters."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _voice_events(
    voice: Voice, channel: int, title: str
) -> list[tuple[int, mido.MetaMessage | mido.Message]]:
    events = [
        (0, mido.MetaMessage("track_name", name=_text(title))),
        (0, mido.Message("program_change", channel=channel, program=voice.program)),
    ]
    table = np.stack([voice.pitch, voice.start, voice.end, voice.velocity], axis=1)
    # One note sounds at a time, so each ends before the next begins, on the same tick too.
    for pitch, start, end, velocity in table.tolist():
        on = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
        off = mido.Message("note_off", channel=channel, note=pitch, velocity=0)
        events += [(start * TICKS_PER_STEP, on), (end * TICKS_PER_STEP, off)]
    return events


def _track(
    events: Iterable[tuple[int, mido.MetaMessage | mido.Message]], end: int
) -> mido.MidiTrack:
    """A track of `(tick, message)` events, which ends at tick `end`."""
    track, now = mido.MidiTrack(), 0
    ordered = sorted(events, key=lambda event: event[0])  # stable: as given on equal ticks
    for tick, message in [*ordered, (end, mido.MetaMessage("end_of_track"))]:
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def duration_sec(path: str | os.PathLike) -> float:
    """How long a MIDI file plays, until its last track ends.

    Raises:
      UserError: as of `read_song`.
    """
    return float(_parse(_content(path), str(path), lambda file: mido.MidiFile(file=file).length))


def bundled_soundfont() -> pathlib.Path:
    """The small General MIDI soundfont that comes with pretty_midi; it may be missing."""
    return pathlib.Path(pretty_midi.__file__).with_name("TimGM6mb.sf2")


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
