"""The drums of whole files as patterns, and what drums play in a bridge between two files."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from musicvae_jax.midi.whole.accompaniment import Part, Way, bars_beside
from musicvae_jax.midi.whole.arrangement import Note, Source
from musicvae_jax.midi.whole.cutting import early
from musicvae_jax.midi.whole.events import DRUM_CHANNEL
from musicvae_jax.music.drum_kit import NOT_A_PIECE, PIECES, PITCHES, pieces_of
from musicvae_jax.music.drums import STEPS_PER_BAR, STEPS_PER_QUARTER, VELOCITY, Drums, quantized
from musicvae_jax.music.grid import SIXTEENTHS


def _hits(source: Source) -> list[tuple[int, Note]]:
    """The hits of a file, all drum tracks together, each with its piece of the kit."""
    by_track: dict[int, list[Note]] = {}
    for note in source.arrangement.notes:
        if note.channel == DRUM_CHANNEL:
            by_track.setdefault(note.track, []).append(note)
    hits: list[tuple[int, Note]] = []
    for notes in by_track.values():
        pieces = pieces_of(np.array([note.pitch for note in notes])).tolist()
        hits += [(p, n) for p, n in zip(pieces, notes, strict=True) if p != NOT_A_PIECE]
    return hits


def drums_of_source(source: Source) -> Drums:
    """The drums of a file on the bars of its melody, which may be bars without a hit.

    Each hit belongs to the step that it is nearest to, as in `midi.drums`.

    Args:
      source: whose melody is in sixteenths in 4/4.
    """
    per_step = source.arrangement.ticks_per_quarter / STEPS_PER_QUARTER
    num_steps = source.melody.num_bars * STEPS_PER_BAR
    rows = [
        ((note.start - source.start) / per_step, piece, note.velocity)
        for piece, note in _hits(source)
        if -0.5 <= (note.start - source.start) / per_step < num_steps - 0.5
    ]
    position, piece, velocity = np.array(rows, np.float64).reshape(-1, 3).T
    found = quantized(
        position, piece.astype(int), velocity.astype(int), tempo_bpm=source.melody.tempo_bpm
    )
    return dataclasses.replace(found, num_steps=num_steps)


def own_notes(pitches: Iterable[int], pieces: Iterable[int]) -> list[int]:
    """The note with which a file means each piece most often; the usual one of a piece it lacks.

    Args:
      pitches, pieces: of its hits.
    """
    counts = np.zeros((len(PIECES), 128), np.int64)
    np.add.at(counts, (list(pieces), list(pitches)), 1)
    return [
        int(of_piece.argmax()) if of_piece.any() else usual
        for of_piece, usual in zip(counts, PITCHES, strict=True)
    ]


def with_drums(
    parts: tuple[Part, Part], bridge: Drums, sources: tuple[Source, Source], way: Way
) -> tuple[Part, Part]:
    """What both files play in a bridge, with its own drums in the place of theirs.

    Up to the middle the first file's kit plays them, then the second one's: each piece is the
    note with which that file means it. They are as loud as the drums beside the bridge: the mean
    velocity of the bars of one leads to that of the bars of the other.

    Args:
      parts: of `accompaniment.parts`.
      bridge: the hits, in the bars of the way; without any, the drums are silent.
      sources: the files, at the resolution of the piece.
      way: of the bridge.

    Raises:
      ValueError: there are hits, and a file has no drum channel, or the bridge is not in 4/4 in
        sixteenths.
    """
    if any(grid != SIXTEENTHS for grid in way.grids):
        raise ValueError(f"bridges of drums are in {SIXTEENTHS.name}")
    if bridge.piece.size and not all(DRUM_CHANNEL in s.arrangement.channels for s in sources):
        raise ValueError("a bridge of drums is given, and a file has no drums")
    levels = [_level(source, way, side) for side, source in enumerate(sources)]
    first, second = (
        _with_hits(parts[side], bridge, sources[side], way, side, levels) for side in (0, 1)
    )
    return first, second


def _level(source: Source, way: Way, side: int) -> float:
    """The mean velocity of the hits in the bars beside a bridge."""
    beside = drums_of_source(source)
    bars = np.isin(beside.step // STEPS_PER_BAR, bars_beside(source, way.bars, side))
    return float(beside.velocity[bars].mean()) if bars.any() else VELOCITY


def _with_hits(
    part: Part, bridge: Drums, source: Source, way: Way, side: int, levels: Sequence[float]
) -> Part:
    notes = [note for note in part.notes if note.channel != DRUM_CHANNEL]
    events = tuple((track, e) for track, e in part.events if e.channel != DRUM_CHANNEL)
    span = way.span(side)
    inside = np.isin(bridge.step // STEPS_PER_BAR, span)
    if not inside.any():
        return Part(tuple(notes), events, part.begins_at)
    resolution = source.arrangement.ticks_per_quarter
    per_step = resolution / STEPS_PER_QUARTER
    hits = _hits(source)
    pitches = own_notes((note.pitch for _, note in hits), (piece for piece, _ in hits))
    track = source.arrangement.channels[DRUM_CHANNEL]
    wanted = levels[0] + (levels[1] - levels[0]) * way.curve[bridge.step // STEPS_PER_BAR]
    velocity = np.clip(np.rint(bridge.velocity * wanted / bridge.velocity.mean()), 1, 127)
    # Not before the bridge, where the file before plays what it plays.
    start = np.maximum(np.rint((bridge.step + bridge.offset) * per_step), 0).astype(int)
    for piece in range(len(PIECES)):
        mine = np.flatnonzero(inside & (bridge.piece == piece))
        # A drum rings as long as it likes; the next hit of the piece ends this one.
        ends = np.minimum(start[mine] + resolution // 8, np.append(start[mine][1:], np.inf))
        for hit, end in zip(mine, ends, strict=True):
            place = (int(start[hit]), int(end))
            notes.append(Note(track, DRUM_CHANNEL, pitches[piece], int(velocity[hit]), *place))
    begins_at = part.begins_at
    if begins_at is None:
        begins_at = source.bar_line(bars_beside(source, way.bars, side)[span.start])
        begins_at -= early(resolution)
    return Part(tuple(notes), events, begins_at)
