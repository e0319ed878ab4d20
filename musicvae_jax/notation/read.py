"""The one reader of music files, MIDI, notation and sound: songs, and the melodies in them.

MusicXML, ABC and Humdrum **kern are parsed by the modules beside this one, in time that
grows with the size of the file alone, so they are read in the caller's own process, as MIDI
is.
"""

import dataclasses
import logging
import os
import re

from musicvae_jax.midi import read as midi_read
from musicvae_jax.midi.analysis import bars, beats
from musicvae_jax.midi.drums import extract_drums
from musicvae_jax.midi.extraction import extract_melody, melody_and_origin
from musicvae_jax.midi.read import MAX_BYTES, MAX_NOTES, MAX_TRACKS, FileError
from musicvae_jax.midi.reading import AS_FOUND, Reading, make_reading
from musicvae_jax.midi.song import Song
from musicvae_jax.midi.whole import arrangement, song_events
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import abc, kern, musicxml
from musicvae_jax.notation.archive import MAX_XML_BYTES
from musicvae_jax.notation.performance import perform
from musicvae_jax.notation.score import Score
from musicvae_jax.voice import sound, transcribe

logger = logging.getLogger(__name__)
_NOTES = dict.fromkeys(midi_read.SUFFIXES, "MIDI") | {
    ".mxl": "MusicXML",
    ".musicxml": "MusicXML",
    ".xml": "MusicXML",
    ".abc": "ABC",
    ".krn": "kern",
}
_FORMATS = _NOTES | dict.fromkeys(sound.SUFFIXES, "sound")
# In lower case: what files of music that can be read are called, and those that have notes.
SUFFIXES, NOTE_SUFFIXES = tuple(_FORMATS), tuple(_NOTES)
# How a sound file begins, if it has no name: WAV, FLAC, Ogg, and MP3 with or without a title.
_SOUNDS = (rb"RIFF....WAVE", rb"fLaC", rb"OggS", rb"ID3", rb"\xff[\xf2\xf3\xfa\xfb]")


def read(
    path: str | os.PathLike,
    *,
    bar_one: float | None = None,
    meter: str | None = None,
    tempo_bpm: float | None = None,
    track: str | int | None = None,
    grid: str | None = None,
) -> Melody:
    """The melody of a music file: the top line of the part that looks most like one.

    That is the part with words below its notes, or else the likeliest track by its notes and
    its name. Repeats are played out. Of several tunes in a file the first
    is taken. A recording of one voice is listened to, if the extra `audio` is installed.

    >>> import musicvae_jax as mv
    >>> mv.write("reel.mid", mv.example_melodies()["reel"])
    >>> melody = mv.read("reel.mid")
    >>> melody == mv.example_melodies()["reel"]
    True

    What was odd about the file is logged as a warning.

    Args:
      path: the file.
      bar_one: where a bar begins, in quarter notes from the beginning of the file.
      meter: such as `4/4`, whatever the file says.
      tempo_bpm: the quarter notes a minute at which the beats lie in time, whatever the file
        says.
      track: the number, from 1, or the name of the track that is the melody.
      grid: a name in `GRIDS`, with its meter; None for the one that moves onsets least.

    Raises:
      UserError: the file cannot be read, or has no usable melody; says why. Or an argument
        is not valid.
    """
    name = None if track is None else str(track)
    return read_melody(path, make_reading(bar_one, meter, tempo_bpm, name, grid))


def read_drums(
    path: str | os.PathLike,
    *,
    bar_one: float | None = None,
    meter: str | None = None,
    tempo_bpm: float | None = None,
) -> Drums:
    """The drums of a MIDI file: all of its drum tracks, in its longest stretch of 4/4.

    The bars of a file of drums alone are those that it tells of, if its hits fit its beats.

    >>> import musicvae_jax as mv
    >>> beat = mv.Drums.from_hits([(0, 0), (2, 0), (1, 4), (2, 8)], num_steps=16)
    >>> mv.write("beat.mid", beat)
    >>> mv.read_drums("beat.mid") == beat
    True

    Args:
      path, bar_one, meter, tempo_bpm: as for `read`.

    Raises:
      UserError: the file cannot be read, or has no usable drums; says why. Or an argument is not
        valid.
    """
    return drums_of_file(path, make_reading(bar_one, meter, tempo_bpm))


def drums_of_file(path: str | os.PathLike, reading: Reading) -> Drums:
    """`read_drums` with what is known of the file in one value.

    Raises:
      UserError: as for `read_drums`.
    """
    song = song_with_drums(content(path), str(path), reading)
    drums = extract_drums(song, str(path))
    _log_warnings(song, str(path))
    return drums


def song_with_drums(data: bytes, name: str, reading: Reading) -> Song:
    """`song_from_bytes` for drums; see `songs_with_drums`."""
    return songs_with_drums(data, name, reading)[0]


def songs_with_drums(data: bytes, name: str, reading: Reading = AS_FOUND) -> list[Song]:
    """`songs_from_bytes` for drums: a file of drums alone has the bars that it tells of.

    Drummers play to a click: how far they are off it is their timing, and their accents do not
    tell where bars begin as a tune does.

    Raises:
      FileError: as for `songs_from_bytes`.
    """
    if kind_of(data, name) != "MIDI":
        return songs_from_bytes(data, name, reading)
    declared = song_from_bytes(data, name, dataclasses.replace(reading, as_declared=True))
    is_of_drums = all(track.is_drum for track in declared.tracks)
    if is_of_drums and not beats.is_without_grid(declared):
        return [declared]
    return songs_from_bytes(data, name, reading)


def read_melody(path: str | os.PathLike, reading: Reading) -> Melody:
    """`read` with what is known of the file in one value.

    Raises:
      UserError: as for `read`.
    """
    song = read_song(path, reading)
    melody = extract_melody(song, str(path), reading.track, reading.grid)
    _log_warnings(song, str(path))
    return melody


def read_whole(path: str | os.PathLike, reading: Reading = AS_FOUND) -> Source:
    """A music file whole, with the melody of it that `read_melody` gives.

    >>> import musicvae_jax as mv
    >>> mv.write("reel.mid", mv.example_melodies()["reel"])
    >>> whole = mv.read_whole("reel.mid")
    >>> len(whole.arrangement.notes), whole.melody.num_bars
    (124, 16)

    Of MIDI every event is kept; of notation every part is, at the loudness of `read_song`.

    Raises:
      UserError: as for `read`.
    """
    return whole_from_bytes(content(path), str(path), reading)


def whole_from_bytes(data: bytes, name: str, reading: Reading = AS_FOUND) -> Source:
    """`read_whole` of a file's content; `name` is what messages call it.

    Raises:
      UserError: as for `read`.
    """
    song = song_from_bytes(data, name, reading)
    melody, origin = melody_and_origin(song, name, reading.track, reading.grid)
    _log_warnings(song, name)
    if kind_of(data, name) == "MIDI":
        declared = song_from_bytes(data, name, Reading(as_declared=True))
        try:
            whole = arrangement.from_midi(data, song, declared)
        except ValueError as error:
            unreadable = "not a readable MIDI file"
            raise FileError(f"{name}: {unreadable} ({error})", unreadable) from error
        if reading.whole_meter is not None:
            whole = song_events.in_meter(whole, song, melody.grid)
        return Source(melody, origin, whole)
    return Source(melody, origin, arrangement.from_song(song))


def _log_warnings(song: Song, name: str) -> None:
    for warning in song.warnings:
        logger.warning("%s: %s", name, warning)


def read_song(path: str | os.PathLike, reading: Reading = AS_FOUND) -> Song:
    """Reads a music file with all of its parts; of several tunes in it the first.

    >>> import musicvae_jax as mv
    >>> mv.write("reel.mid", mv.example_melodies()["reel"])
    >>> [track.name for track in mv.read_song("reel.mid").tracks]
    ['melody']

    Args:
      path: the file.
      reading: what is known of its bars and beats.

    Raises:
      FileError: it is missing, not a file, empty, too large, not readable as music, or has
        too many notes or tracks.
    """
    return song_from_bytes(content(path), str(path), reading)


def content(path: str | os.PathLike) -> bytes:
    """The bytes of a music file.

    Raises:
      FileError: it is missing, not a file, too large, or cannot be opened.
    """
    return midi_read.content(path, most_bytes(str(path)))


def most_bytes(name: str) -> int:
    """How large a music file of that name may be; XML takes much room, and sound more."""
    limits = {"MusicXML": MAX_XML_BYTES, "sound": sound.MAX_BYTES}
    return limits.get(_FORMATS.get(_suffix(name), ""), MAX_BYTES)


def timeout_sec(name: str) -> float:
    """For a worker that reads one file of that name; it includes the start of its libraries."""
    is_sound = _FORMATS.get(_suffix(name)) == "sound"
    return transcribe.TIMEOUT_SEC if is_sound else midi_read.TIMEOUT_SEC


def song_from_bytes(data: bytes, name: str, reading: Reading = AS_FOUND) -> Song:
    """`read_song` of a file's content; `name` is what messages call it.

    Raises:
      FileError: as for `songs_from_bytes`.
    """
    return songs_from_bytes(data, name, reading)[0]


def songs_from_bytes(data: bytes, name: str, reading: Reading = AS_FOUND) -> list[Song]:
    """All songs of a file: each tune of ABC or kern, and one of any other.

    What was odd about a song, and how many there are, is told of in `Song.warnings`.

    Args:
      data: the file's content.
      name: what messages call it; its suffix says what it is. Without a suffix the content
        is looked at.
      reading: what is known of its bars and beats.

    Raises:
      FileError: it is empty, too large, not readable, or has too many notes or tracks.
    """
    if not data:
        raise FileError(f"{name}: the file is empty, not music", "the file is empty")
    kind = kind_of(data, name)
    if not kind:
        unknown = "not a kind of music file that can be read"
        raise FileError(f"{name}: {unknown}; these are {', '.join(SUFFIXES)}", unknown)
    if kind == "MIDI":
        return [midi_read.song_from_bytes(data, name, reading)]
    if kind == "sound":
        return [transcribe.song_from_bytes(data, name, reading)]
    limit = MAX_XML_BYTES if kind == "MusicXML" else MAX_BYTES
    if len(data) > limit:
        too_large = f"larger than {limit >> 20} MiB"
        raise FileError(f"{name}: {too_large}, which no song is", too_large)
    try:
        if kind == "MusicXML":
            scores = musicxml.read_scores(data)
        else:
            scores = (abc if kind == "ABC" else kern).read_scores(decoded(data))
        songs = [bars.as_told(_song(score, len(scores)), reading) for score in scores]
    except (ValueError, ArithmeticError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        unreadable = f"not a readable {kind} file"
        raise FileError(f"{name}: {unreadable} ({reason[:200]})", unreadable) from error
    return songs


def kind_of(data: bytes, name: str) -> str:
    """What a file is, by its name, or else by its content; empty if it is no music."""
    return _FORMATS.get(_suffix(name)) or _format(data)


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8 or UTF-16, or else in Latin-1."""
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _suffix(name: str) -> str:
    return "." + name.lower().rpartition(".")[2]


def _format(data: bytes) -> str:
    """What a file is by its content; empty if it is no music."""
    if any(re.match(start, data, re.DOTALL) for start in _SOUNDS):
        return "sound"
    if data.startswith((b"MThd", b"RIFF")):
        return "MIDI"
    if data.startswith(b"PK\x03\x04") or decoded(data[:200]).lstrip().startswith("<"):
        return "MusicXML"
    if re.search(rb"(?m)^\*\*", data[:10_000]):
        return "kern"
    return "ABC" if re.search(rb"(?m)^X:", data[:10_000]) else ""


def _song(score: Score, num_songs: int) -> Song:
    if len(score.voices) > MAX_TRACKS:
        raise ValueError(f"{len(score.voices)} voices, more than the {MAX_TRACKS} that are read")
    if num_songs > 1:
        score.warnings.append(f"it has {num_songs} tunes; this is one of them")
    return perform(score, MAX_NOTES)
