"""Tempos, meters and keys of MIDI files: the events that concern all tracks."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from musicvae_jax.midi.song import Song
from musicvae_jax.midi.whole import events
from musicvae_jax.midi.whole.arrangement import Arrangement, Source
from musicvae_jax.midi.whole.cutting import Stretch, early
from musicvae_jax.midi.whole.events import Event
from musicvae_jax.midi.whole.layout import File
from musicvae_jax.music.assembly import bridge_tempos
from musicvae_jax.music.grid import METERS, Grid
from musicvae_jax.music.piece import Piece, Section
from musicvae_jax.music.tempo import microseconds_per_quarter

_DEFAULT_MICROSECONDS = 500_000
# Over so many bars before and after a bridge, at most, a song's tempo is taken.
_TEMPO_BARS = 8


def ticks_before(section: Section, resolution: int) -> int:
    """The tick at which a section begins, from the piece's first bar."""
    return round(section.start_quarter * resolution)


def in_meter(arrangement: Arrangement, song: Song, grid: Grid) -> Arrangement:
    """The same with the meter that a user told of the song, where its file has another.

    Args:
      arrangement: of a MIDI file.
      song: as it was read, in that meter throughout.
      grid: of its melody.
    """
    declared = [events.meter_of(event) for event in arrangement.of_song(events.METER)] or [(4, 4)]
    if all(grid in METERS.get(told, ()) for told in declared):
        return arrangement
    start, numerator, denominator = song.meters[0]
    # If the song begins within a bar, the first bar line is the next one.
    quarter = start + (grid.quarters_per_bar if start < 0 else 0)
    line = events.meter(round(quarter * arrangement.ticks_per_quarter), numerator, denominator)
    tracks = [tuple(e for e in track if e.meta != events.METER) for track in arrangement.tracks]
    first = sorted([line, *tracks[0]], key=lambda event: event.tick)
    return Arrangement(arrangement.ticks_per_quarter, (tuple(first), *tracks[1:]))


def in_force(source: Source, own: Sequence[Event]) -> list[Event]:
    """The tempo, the meter and the key that hold where a file is entered, as events on its line.

    The meter is that of the melody where the file has another, or would be entered within one
    of its bars. Before the file's own beginning its first tempo and its first meter hold.

    Args:
      source: the file.
      own: what is played of the file from its cut on; what it sets by itself up to the bar
        line is not set once more.
    """
    arrangement, line = source.arrangement, source.start
    low = line - early(arrangement.ticks_per_quarter)
    result = []
    for kind in (events.TEMPO, events.METER, events.KEY_SIGNATURE):
        if any(event.meta == kind and event.tick <= line for event in own):
            continue
        found = arrangement.of_song(kind)
        before = [event for event in found if event.tick < low or line < 0 == event.tick]
        if kind == events.METER:
            result.append(_meter_at(source, before[-1:]))
        elif before:
            result.append(before[-1].at(line))
        elif kind == events.TEMPO:
            result.append(events.tempo(line, _DEFAULT_MICROSECONDS))
    return result


def _on_bars(source: Source, own: Sequence[Event]) -> list[Event]:
    """What is played of a file, without a meter at its beginning that is within a bar."""
    bar = source.bar_line(1) - source.start
    is_inside = source.start < 0 and source.start % bar
    return [e for e in own if not (is_inside and e.meta == events.METER and e.tick == 0)]


def _first_bar(source: Source, own: Sequence[Event]) -> list[Event]:
    """The meter once more where a first bar begins, if the file's own bars lie elsewhere.

    So it is where the reader has found an upbeat that the file does not declare.
    """
    bar = source.bar_line(1) - source.start
    line = source.start if source.start >= 0 else source.start % bar
    told = ([events.meter(0)] + [e for e in own if e.meta == events.METER and e.tick <= line])[-1]
    numerator, denominator = events.meter_of(told)
    own_bar = round(4 * numerator / denominator * source.arrangement.ticks_per_quarter)
    return [told.at(line)] if (line - told.tick) % min(bar, own_bar) else []


def _meter_at(source: Source, declared: Sequence[Event]) -> Event:
    """The meter in which a file goes on from its melody's first bar line.

    Args:
      source: the file.
      declared: the meter that it has set last, or nothing.
    """
    grid, line = source.melody.grid, source.start
    told = declared[0] if declared else events.meter(0)
    numerator, denominator = events.meter_of(told)
    quarters = 4 * numerator / denominator
    passed = (line - told.tick) / source.arrangement.ticks_per_quarter
    is_inside = quarters > grid.quarters_per_bar and passed % quarters > 1e-6
    grids = METERS.get((numerator, denominator))
    is_other = grid not in grids if grids else quarters % grid.quarters_per_bar > 0
    if is_inside or is_other:
        return events.meter(line, grid.numerator, grid.denominator)
    return told.at(line)


def in_key(event: Event, semitones: int) -> Event:
    """A key signature moved by semitones; any other event as it is."""
    if event.meta != events.KEY_SIGNATURE or not semitones or len(event.message) < 4:
        return event
    sharps = event.message[2] - 256 * (event.message[2] > 127)
    moved = (sharps + 7 * semitones + 6) % 12 - 6  # a semitone is seven fifths
    return event._replace(message=event.message[:2] + bytes([moved % 256]) + event.message[3:])


def usual_tempo_bpm(source: Source, bars: int, *, at_end: bool) -> float:
    """The median tempo of the melody's first or last bars, by the length of its stretches.

    The tempo at the seam itself may be that of a ritardando.
    """
    count = source.melody.num_bars
    bars = min(bars, count)
    first = count - bars if at_end else 0
    begin, end = source.bar_line(first), source.bar_line(first + bars)
    changes = _tempo_changes(source.arrangement)
    starts = np.clip([tick for tick, _ in changes], begin, end)
    lengths = np.diff([*starts, end])
    if not lengths.sum():
        return source.melody.tempo_bpm
    values = np.array([microseconds for _, microseconds in changes])
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(lengths[order])
    median = values[order][np.searchsorted(passed, passed[-1] / 2)]
    return 60e6 / float(median)


def seconds_at(arrangement: Arrangement, tick: int) -> float:
    """When a tick is heard, by the tempos before it."""
    changes = [(start, value) for start, value in _tempo_changes(arrangement) if start < tick]
    lengths = np.diff([*(start for start, _ in changes), tick])
    microseconds = np.array([value for _, value in changes])
    return float(np.dot(lengths, microseconds)) / arrangement.ticks_per_quarter / 1e6


def tempo_map(arrangement: Arrangement) -> list[tuple[int, float, float]]:
    """The tick, the time in seconds and the seconds a quarter note of each tempo, in order."""
    result, seconds = [], 0.0
    changes = _tempo_changes(arrangement)
    for (tick, microseconds), (following, _) in zip(changes, [*changes[1:], (0, 0)], strict=True):
        result.append((tick, seconds, microseconds / 1e6))
        seconds += (following - tick) / arrangement.ticks_per_quarter * microseconds / 1e6
    return result


def _tempo_changes(arrangement: Arrangement) -> list[tuple[int, int]]:
    """The tick and the microseconds a quarter note of each tempo, the first at tick 0."""
    changes = [
        (event.tick, int.from_bytes(event.message[2:5], "big"))
        for event in arrangement.of_song(events.TEMPO)
    ]
    return [(0, _DEFAULT_MICROSECONDS), *changes]


def of_medley(
    files: Sequence[File],
    sources: Sequence[Source],
    stretches: Sequence[Stretch],
    piece: Piece,
    origin: int,
    keeps: str,
) -> list[Event]:
    """What concerns all tracks: tempos, meters, keys, and a marker for each section.

    Args:
      files: what became of the files.
      sources: the files.
      stretches: what is played of them.
      piece: their melodies, and the bridges.
      origin: the tick of its first bar.
      keeps: where the meter changes, one of `rebar.KEEPS`.
    """
    result: list[Event] = []
    for number, (file, source, played) in enumerate(zip(files, sources, stretches, strict=True)):
        own = list(played.of_all)
        if number:
            own = [event for event in own if event.meta != events.SMPTE_OFFSET]
        if file.start is not None:
            own = in_force(source, own) + _on_bars(source, own)
        else:
            own += _first_bar(source, own)
        result += [
            in_key(event, file.semitones).at(max(event.tick + file.shift, 0)) for event in own
        ]
    resolution = sources[0].arrangement.ticks_per_quarter
    for section in piece.sections:
        tick = origin + ticks_before(section, resolution)
        text = f"{section.origin}: {section.title}" if section.title else section.origin
        result.append(events.text(max(tick, 0), events.MARKER, text))
        if section.is_bridge:
            grid = section.melody.grid
            result.append(events.meter(tick, grid.numerator, grid.denominator))
    for number, parts in enumerate(piece.bridges()):
        beside = (sources[number], sources[(number + 1) % len(sources)])
        result += _tempos(beside, parts, resolution, keeps, origin)
    return sorted(result, key=lambda event: event.tick)


def _tempos(
    beside: tuple[Source, Source],
    parts: Sequence[Section],
    resolution: int,
    keeps: str,
    origin: int,
) -> list[Event]:
    """The tempos of a bridge, from that of the file before it to that of the one after it."""
    bars = min(sum(part.melody.num_bars for part in parts), _TEMPO_BARS)
    before, after = (
        dataclasses.replace(
            source.melody, tempo_bpm=usual_tempo_bpm(source, bars, at_end=side == 0)
        )
        for side, source in enumerate(beside)
    )
    result = []
    for part, ramp in zip(parts, bridge_tempos(parts, before, after, keeps), strict=True):
        line = origin + ticks_before(part, resolution)
        for step, bpm in ramp:
            place = line + round(float(part.melody.grid.quarters(step)) * resolution)
            result.append(events.tempo(place, microseconds_per_quarter(bpm)))
    return result
