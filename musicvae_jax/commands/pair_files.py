"""The files of pairs, read and written in worker processes, which start without JAX."""

import dataclasses
import pathlib
import time
from collections.abc import Sequence

from musicvae_jax.midi import encode
from musicvae_jax.midi.extraction import extract_melody
from musicvae_jax.midi.reading import Reading
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.midi.whole.medley import Medley
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
      sources: the files whole, if they were asked for.
      error: why it failed, or empty.
      midi_sec, disk_sec: how long it took to understand a file or make MIDI, and to read or
        write.
    """

    melodies: tuple[Melody, ...] = ()
    sources: tuple[Source, ...] = ()
    error: str = ""
    midi_sec: float = 0.0
    disk_sec: float = 0.0


def read_pair(item: tuple[Sequence[str], Sequence[Reading], bool]) -> Done:
    """The melodies of two music files, and if asked for the files whole.

    Args:
      item: the paths, what is known of each, and whether they are wanted whole.
    """
    paths, readings, is_whole = item
    begin = time.perf_counter()
    try:
        contents = [read.content(path) for path in paths]
        opened = time.perf_counter()
        named = list(zip(contents, paths, readings, strict=True))
        sources: tuple[Source, ...] = ()
        if is_whole:
            sources = tuple(read.whole_from_bytes(*each) for each in named)
            melodies = tuple(source.melody for source in sources)
        else:
            melodies = tuple(
                extract_melody(read.song_from_bytes(*each), each[1], each[2].track, each[2].grid)
                for each in named
            )
    except UserError as error:
        return Done(error=str(error))
    return Done(melodies, sources, midi_sec=time.perf_counter() - opened, disk_sec=opened - begin)


def write_piece(item: tuple[pathlib.Path, Piece | Medley, str]) -> Done:
    """Writes a MIDI file of `(path, piece or medley, provenance)`."""
    path, piece, provenance = item
    begin = time.perf_counter()
    if isinstance(piece, Medley):
        content = piece.midi_bytes(path.stem, provenance)
    else:
        content = encode.piece_bytes(piece, path.stem, provenance)
    made = time.perf_counter()
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)
    return Done(midi_sec=made - begin, disk_sec=time.perf_counter() - made)
