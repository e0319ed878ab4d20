"""Uploads, read in a process that may hang or die, and that starts without JAX."""

from musicvae_jax.midi import extraction
from musicvae_jax.midi import read as midi_read
from musicvae_jax.midi.extraction import Extraction
from musicvae_jax.midi.song import Song
from musicvae_jax.system.errors import UserError


def read(item: tuple[bytes, str]) -> tuple[Song, Extraction] | str:
    """Reads `(content, name)` of a MIDI file, as the command line reads its inputs.

    Returns:
      The song and how its melody was found, or why it cannot be read.
    """
    content, name = item
    try:
        song = midi_read.song_from_bytes(content, name)
    except UserError as error:
        return str(error)
    return song, extraction.extract(song)
