"""The files of pairs, read and written in worker processes, which start without JAX."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from musicvae_jax.midi import write
from musicvae_jax.midi.drums import extract_drums
from musicvae_jax.midi.extraction import extract_melody
from musicvae_jax.midi.reading import Reading
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.midi.whole.medley import Medley
from musicvae_jax.music.drum_piece import DrumPiece
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.piece import Piece
from musicvae_jax.notation import read
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Done:
    """What a worker did with one item.

    Attributes:
      music: what was read, melodies or drums; empty if it failed.
      sources: the files whole, if they were asked for.
      error: why it failed, or empty.
      midi_sec, disk_sec: how long it took to understand a file or make MIDI, and to read or
        write.
    """

    music: tuple[Any, ...] = ()
    sources: tuple[Source, ...] = ()
    error: str = ""
    midi_sec: float = 0.0
    disk_sec: float = 0.0


def _melody(data: bytes, path: str, reading: Reading) -> Melody:
    song = read.song_from_bytes(data, path, reading)
    return extract_melody(song, path, reading.track, reading.grid)


def _drums(data: bytes, path: str, reading: Reading) -> Drums:
    return extract_drums(read.song_with_drums(data, path, reading), path)


# What is read of a file's content, its path and what is known of it.
READERS: Mapping[str, Callable[[bytes, str, Reading], Source | Melody | Drums]] = {
    "whole": read.whole_from_bytes,
    "melody": _melody,
    "drums": _drums,
}


def read_pair(item: tuple[Sequence[str], Sequence[Reading], str]) -> Done:
    """The music of two files, and if asked for the files whole.

    Args:
      item: the paths, what is known of each, and how they are read, a name in `READERS`.
    """
    paths, readings, reader = item
    begin = time.perf_counter()
    try:
        contents = [read.content(path) for path in paths]
        opened = time.perf_counter()
        found = [READERS[reader](*each) for each in zip(contents, paths, readings, strict=True)]
    except UserError as error:
        return Done(error=str(error))
    sources = tuple(one for one in found if isinstance(one, Source))
    music = tuple(one.melody if isinstance(one, Source) else one for one in found)
    return Done(music, sources, midi_sec=time.perf_counter() - opened, disk_sec=opened - begin)


def write_piece(item: tuple[pathlib.Path, Piece | Medley | DrumPiece | Drums, str]) -> Done:
    """Writes a MIDI file of `(path, music, provenance)`."""
    path, piece, provenance = item
    begin = time.perf_counter()
    content = write.midi_bytes(piece, path.stem, provenance)
    made = time.perf_counter()
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)
    return Done(midi_sec=made - begin, disk_sec=time.perf_counter() - made)
