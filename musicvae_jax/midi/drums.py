"""The drums of songs, of any kit that `drum_kit` knows."""

import numpy as np

from musicvae_jax.midi.extraction import stretches
from musicvae_jax.midi.reading import DUPLE_METERS
from musicvae_jax.midi.song import Song
from musicvae_jax.music.drum_kit import NOT_A_PIECE, pieces_of
from musicvae_jax.music.drums import STEPS_PER_BAR, STEPS_PER_QUARTER, Drums, quantized
from musicvae_jax.music.grid import SIXTEENTHS
from musicvae_jax.system.errors import UserError

MIN_HITS = 4
_METER_NAMES = ", ".join(f"{numerator}/{denominator}" for numerator, denominator in DUPLE_METERS)


def drums_of(
    song: Song, span: tuple[float, float] | None = None
) -> tuple[Drums | None, float, str]:
    """The drums of a song, all drum tracks together.

    Bars before the first hit are dropped. In each track a hit belongs to the step that it is
    nearest to.

    Args:
      song: the song.
      span: a stretch of it in quarter notes, which begins with a bar; by default the longest one
        in a duple meter.

    Returns:
      The drums, where they begin in the song in quarter notes, and an empty text; or None, 0 and
      why there are none.
    """
    tracks = [track for track in song.tracks if track.is_drum]
    if not tracks:
        return None, 0.0, "the file has no drum track"
    if span is None:
        duple = [(s.start, s.end) for s in stretches(song) if SIXTEENTHS in s.grids]
        span = max(duple, key=lambda s: s[1] - s[0], default=None)
    if span is None:
        meters = ", ".join(sorted({f"{n}/{d}" for _, n, d in song.meters}))
        return None, 0.0, f"the meter is {meters}; valid are {_METER_NAMES}"
    parts = []
    for track in tracks:
        piece = pieces_of(track.pitch)
        inside = (track.start >= span[0] - 1e-6) & (track.start < span[1] - 1e-6)
        inside &= piece != NOT_A_PIECE
        position = (track.start[inside] - span[0]) * STEPS_PER_QUARTER
        parts.append((position, piece[inside], track.velocity[inside]))
    position, piece, velocity = (np.concatenate(column) for column in zip(*parts, strict=True))
    if position.size < MIN_HITS:
        return None, 0.0, f"the drum tracks have {position.size} hits of a kit in a duple meter"
    blank = int(np.floor(position.min() + 0.5)) // STEPS_PER_BAR * STEPS_PER_BAR
    origin = span[0] + blank / STEPS_PER_QUARTER
    drums = quantized(
        position - blank,
        piece,
        np.clip(velocity, 1, 127),
        tempo_bpm=song.tempo_bpm_at(origin),
        program=tracks[0].program,
    )
    return drums, origin, ""


def extract_drums(song: Song, source: str) -> Drums:
    """The drums of a song; see `drums_of`.

    Args:
      song: the song.
      source: the file's name, for messages.

    Raises:
      UserError: there are none.
    """
    drums, _, refusal = drums_of(song)
    if drums is None:
        raise UserError(f"{source}: no usable drums: {refusal}")
    return drums
