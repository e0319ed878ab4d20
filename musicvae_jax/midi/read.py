"""MIDI files to songs; `notation.read` reads these and all other music files.

symusic parses the files: it is native, about a hundred times as fast as pretty_midi, and
tested against it. It can be used in the caller's own process: the parser gets only plain
files of at most `MAX_BYTES` with correct lengths, and tests with damaged files have found
none that ends it. Callers that read many files, or files of strangers, use
`system.workers.SafePool` with `TIMEOUT_SEC`, which limits time and memory too.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np
import symusic

from musicvae_jax.midi.analysis import bars, lines
from musicvae_jax.midi.analysis.lyrics import syllable_ticks
from musicvae_jax.midi.container import Container, read_container
from musicvae_jax.midi.reading import AS_FOUND, Reading
from musicvae_jax.midi.song import Song, Track, make_song, quarters_at
from musicvae_jax.music.melody import DEFAULT_TEMPO_BPM, STEPS_PER_QUARTER
from musicvae_jax.system.errors import UserError

# In lower case; `.kar` is MIDI with lyrics, `.rmi` is MIDI in a RIFF file.
SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
# A song of six minutes and twelve tracks has about 0.1 MB. The worst files of 2 MiB that
# could be made take 2 s of a processor and 1.1 GB (a change of program before each note),
# a dense one of 260,000 notes 0.1 s and 20 MB; both grow with the size.
MAX_BYTES = 2 << 20
# Twenty minutes of eighty notes a second; what follows the reading takes longer than it.
MAX_NOTES = 100_000
MAX_TRACKS = 1_000
# For a worker that reads one file; it includes the start of the worker's libraries.
TIMEOUT_SEC = 20.0


class FileError(UserError):
    """A music file that cannot be read.

    Attributes:
      kind: what is wrong with it, in the same words for every such file, to count by.
    """

    def __init__(self, message: str, kind: str = ""):
        super().__init__(message)
        self.kind = kind


def _file_error(name: str, kind: str, particulars: str = "") -> FileError:
    """The error of a file: `kind`, or that in the words of this file."""
    return FileError(f"{name}: {particulars or kind}", kind)


def content(path: str | os.PathLike, most_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a music file of at most `most_bytes`.

    Raises:
      FileError: it is missing, not a file, too large, or cannot be opened.
    """
    name = str(path)
    if not os.path.isfile(path):
        if os.path.exists(path):
            raise _file_error(name, "not a file")
        raise _file_error(name, "no such file")
    try:
        with pathlib.Path(path).open("rb") as file:
            if os.fstat(file.fileno()).st_size > most_bytes:
                raise _too_large(name, most_bytes)
            return file.read(most_bytes + 1)
    except OSError as error:
        raise _file_error(name, "cannot be read", f"cannot be read: {error.strerror}") from error


def song_from_bytes(data: bytes, name: str, reading: Reading = AS_FOUND) -> Song:
    """The song in a MIDI file with all of its tracks.

    Damage that can be repaired is told of in `Song.warnings`.

    Args:
      data: the file's content.
      name: what messages call it.
      reading: what is known of its bars and beats.

    Raises:
      FileError: it is empty, too large, not readable as MIDI, or has too many notes or
        tracks.
    """
    if not data:
        raise _file_error(name, "the file is empty", "the file is empty, not MIDI")
    if len(data) > MAX_BYTES:
        raise _too_large(name)
    try:
        container = read_container(data)
        _check_count(name, "tracks", len(container.tracks), MAX_TRACKS)
        _check_count(name, "notes", container.num_struck(), MAX_NOTES)
        score, container = _parse(container)
        # symusic makes a track of each channel and program.
        _check_count(name, "tracks", len(score.tracks), MAX_TRACKS)
        _check_count(name, "notes", sum(len(t.notes) for t in score.tracks), MAX_NOTES)
        song = _song(score, container)
        is_right = reading.as_declared or container.is_ours
        return bars.as_told(song, reading) if is_right else bars.found(song, reading)
    except (RuntimeError, ValueError) as error:
        kind, reason = "not a readable MIDI file", " ".join(str(error).split())
        raise _file_error(name, kind, f"{kind} ({reason or type(error).__name__})") from error


def _too_large(name: str, most_bytes: int = MAX_BYTES) -> FileError:
    kind = f"larger than {most_bytes >> 20} MiB"
    return _file_error(name, kind, f"{kind}, which no song is")


def _check_count(name: str, what: str, count: int, most: int) -> None:
    if count > most:
        message = f"{count} {what}, more than the {most} that are read"
        raise _file_error(name, f"more than {most} {what}", message)


def _parse(container: Container) -> tuple[symusic.Score, Container]:
    """Parses a file, and one that is damaged once more as far as it can be repaired."""
    problem = "a track is cut off"
    if not container.is_cut:
        try:
            return symusic.Score.from_midi(container.file()), container
        except RuntimeError as error:
            problem = str(error)
    repaired = container.repaired()
    score = symusic.Score.from_midi(repaired.file())
    if not any(len(track.notes) for track in score.tracks):
        raise ValueError(problem)
    return score, repaired


def _song(score: symusic.Score, container: Container) -> Song:
    warnings = list(container.warnings)
    tempos = score.tempos.numpy()
    if not (tempos["mspq"] > 0).all():
        warnings.append("a tempo of 0 microseconds a quarter note is passed over")
        tempos = {name: values[tempos["mspq"] > 0] for name, values in tempos.items()}
    bpm = 60e6 / tempos["mspq"]
    quarters = _beat_grid(container, tempos["time"], bpm)
    tracks = [_track(track, quarters) for track in score.tracks]
    if any((track.end <= track.start).any() for track in tracks):
        warnings.append("notes of no length are taken as sixteenths")
        tracks = [_with_lengths(track) for track in tracks]
    tracks, changes = lines.as_meant(tracks)
    warnings += changes
    meters = score.time_signatures.numpy()
    return make_song(
        tracks,
        list(
            zip(
                quarters(meters["time"]).tolist(),
                meters["numerator"].tolist(),
                meters["denominator"].tolist(),
                strict=True,
            )
        ),
        list(zip(quarters(tempos["time"]).tolist(), bpm.tolist(), strict=True)),
        warnings,
        syllables=quarters(np.array(syllable_ticks(container.tracks), np.float64)).tolist(),
    )


def _beat_grid(
    container: Container, change: np.ndarray, bpm: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """The function from ticks to quarter notes.

    In a file that counts quarter notes no tempo matters; in one that counts seconds, the
    tempos place the beats.

    Args:
      container: which has the resolution.
      change, bpm: [tempos] the tick of each change of tempo, and the tempo from there.
    """
    if not container.ticks_per_sec:
        return lambda tick: tick / container.ticks_per_quarter
    is_first = bool(change.size) and change[0] <= 0
    change_sec = np.concatenate([[] if is_first else [0.0], change / container.ticks_per_sec])
    bpm = np.concatenate([[] if is_first else [DEFAULT_TEMPO_BPM], bpm])
    return lambda tick: quarters_at(tick / container.ticks_per_sec, change_sec, bpm)


def _track(track: symusic.Track, quarters: Callable[[np.ndarray], np.ndarray]) -> Track:
    notes = track.notes.numpy()
    order = np.lexsort((notes["pitch"], notes["time"]))
    start = notes["time"][order].astype(np.float64)
    return Track(
        name=track.name.strip(),
        program=track.program,
        is_drum=track.is_drum,
        pitch=notes["pitch"][order].astype(np.int32),
        velocity=notes["velocity"][order].astype(np.int32),
        start=quarters(start),
        end=quarters(start + notes["duration"][order]),
    )


def _with_lengths(track: Track) -> Track:
    has_length = track.end > track.start
    end = np.where(has_length, track.end, track.start + 1 / STEPS_PER_QUARTER)
    return dataclasses.replace(track, end=end)
