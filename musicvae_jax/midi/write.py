"""Melodies and pieces to files of any kind, by the file's suffix."""

import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

from musicvae_jax.midi import audio, encode, musicxml
from musicvae_jax.midi.whole.medley import Medley
from musicvae_jax.music.assembly import single
from musicvae_jax.music.drum_piece import DrumPiece
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.piece import Piece
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

SUFFIXES = (".mid", ".midi", ".musicxml", ".mxl", ".wav")


class _Kind(NamedTuple):
    """How music of a type is written.

    Attributes:
      name: its title, if none is given.
      midi_bytes: makes a MIDI file of the music, its title and how it was made.
      line: what of it can be written as notation; None if nothing can.
    """

    name: str
    midi_bytes: Callable[[Any, str, str], bytes]
    line: Callable[[Any], Piece] | None


_DRUMS = _Kind("drums", encode.drums_bytes, None)
_KINDS: dict[type, _Kind] = {
    Piece: _Kind("melody", encode.piece_bytes, lambda piece: piece),
    Medley: _Kind("melody", Medley.midi_bytes, lambda medley: medley.piece),
    Drums: _DRUMS,
    DrumPiece: _DRUMS,
}


def write(
    path: str | os.PathLike,
    music: Melody | Piece | Medley | Drums | DrumPiece,
    *,
    name: str | None = None,
    provenance: str = "",
    soundfont: str | os.PathLike | None = None,
) -> None:
    """Writes a melody, a piece, a medley or drums as MIDI, MusicXML or sound; whole, or not at all.

    >>> import musicvae_jax as mv
    >>> melody = mv.example_melodies()["ode_to_joy"]
    >>> mv.write("an octave higher.mid", melody.transpose(12))
    >>> mv.write("ode to joy.wav", melody.window(0, 1))

    Args:
      path: where to; `.mid` and `.midi` are MIDI (see `encode.piece_bytes`), `.musicxml`
        and, compressed, `.mxl` are notation, of a medley its line (see
        `musicxml.to_musicxml`), `.wav` is sound (see `audio.render`). Case does not matter.
        What stood there is replaced.
      music: what to write.
      name: the title in MIDI and in notation; by default `melody`, or `drums`.
      provenance: how it was made, kept as a text event in MIDI.
      soundfont: the instruments of the sound; see `audio.find_soundfont`.

    Raises:
      UserError: the suffix is not one of these, the folder is missing, or the soundfont
        cannot be used.
    """
    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{path}: a name ending in {', '.join(SUFFIXES)} is needed")
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")
    if isinstance(music, Melody):
        music = single(music, origin="melody" if name is None else name)
    kind = _KINDS[type(music)]
    name = kind.name if name is None else name
    if suffix == ".wav":
        audio.render(path, music, soundfont)
        return
    if suffix in (".musicxml", ".mxl"):
        if kind.line is None:
            raise UserError(f"{path}: {kind.name} are written as MIDI or sound, not as notation")
        content = musicxml.to_musicxml(kind.line(music), name)
        content = musicxml.packed(content) if suffix == ".mxl" else content
    else:
        content = midi_bytes(music, name, provenance)
    with files.replacing(path) as temporary:
        temporary.write_bytes(content)


def midi_bytes(music: Piece | Medley | Drums | DrumPiece, name: str, provenance: str) -> bytes:
    """Music as a MIDI file; the arguments are those of `write`."""
    return _KINDS[type(music)].midi_bytes(music, name, provenance)
