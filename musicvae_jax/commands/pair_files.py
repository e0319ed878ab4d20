"""The files of pairs, read and written in worker processes, which start without JAX."""

import dataclasses
import pathlib
import time

from musicvae_jax.midi import encode
from musicvae_jax.midi.extraction import extract_melody
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.piece import Piece
from musicvae_jax.notation import read
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError


@dataclasses.dataclass(frozen=True)
class Done:
    """What a worker did with one item.

    Attributes:
      melodies: what was read; empty if it failed.
      error: why it failed, or empty.
      midi_sec, disk_sec: how long it took to understand a file or make MIDI, and to read or
        write.
    """

    melodies: tuple[Melody, ...] = ()
    error: str = ""
    midi_sec: float = 0.0
    disk_sec: float = 0.0


def read_pair(paths: tuple[str, str]) -> Done:
    """The melodies of two music files."""
    begin = time.perf_counter()
    try:
        contents = [read.content(path) for path in paths]
        opened = time.perf_counter()
        melodies = tuple(
            extract_melody(read.song_from_bytes(content, path), path)
            for content, path in zip(contents, paths, strict=True)
        )
    except UserError as error:
        return Done(error=str(error))
    return Done(melodies, midi_sec=time.perf_counter() - opened, disk_sec=opened - begin)


def write_piece(item: tuple[pathlib.Path, Piece, str]) -> Done:
    """Writes a MIDI file of `(path, piece, provenance)`."""
    path, piece, provenance = item
    begin = time.perf_counter()
    content = encode.piece_bytes(piece, path.stem, provenance)
    made = time.perf_counter()
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)
    return Done(midi_sec=made - begin, disk_sec=time.perf_counter() - made)
