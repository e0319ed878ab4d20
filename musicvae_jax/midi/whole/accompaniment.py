"""What accompanies the melody of a bridge.

A bar of a bridge lies between a bar of the end of the first file and one of the beginning
of the second (`windows.bridge_ends`). What accompanied those two bars in the files is what
fits the melody of the bridge best.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from musicvae_jax.midi.whole import events
from musicvae_jax.midi.whole.arrangement import Note, Source
from musicvae_jax.midi.whole.channel_state import EXPRESSION, SUSTAIN, VOLUME
from musicvae_jax.midi.whole.cutting import early
from musicvae_jax.midi.whole.events import DRUM_CHANNEL, Event
from musicvae_jax.midi.whole.placement import Placement
from musicvae_jax.music.grid import Grid
from musicvae_jax.music.modulation import Key, fifths_on_the_way, glide_pitches

# none: the melody of the bridge alone.
# fade: what accompanies the last bars of the first file goes on and grows softer; from the
#   middle on, what accompanies the first bars of the second file grows to its own loudness.
# hold: the tonic and the fifth of the key that the bridge is in.
ACCOMPANIMENTS = ("none", "fade", "hold")
# The share of its loudness that an accompaniment has in the middle of a fade.
_SOFTEST = 0.5
# The lowest tonic of a drone, and how loud it is beside the instrument's own notes.
_LOWEST_TONIC, _DRONE_SHARE = 43, 0.75


@dataclasses.dataclass(frozen=True)
class Way:
    """How a bridge gets from one file to the other.

    Attributes:
      curve: [bars] float, how far each bar is.
      keys: of the melody before and of the one after, as the piece plays them.
      semitones: by how much a gliding key moves.
      shifts: semitones by which the piece moves the file before and the file after.
      grids: [bars] of each bar.
    """

    curve: np.ndarray
    keys: tuple[Key, Key]
    semitones: int
    shifts: tuple[int, int]
    grids: tuple[Grid, ...]

    @property
    def bars(self) -> int:
        return len(self.curve)

    @property
    def middle(self) -> int:
        """The first bar that is nearer to the second file, from 0; `bars` if none is."""
        nearer = np.flatnonzero(self.curve >= 0.5)
        return int(nearer[0]) if nearer.size else self.bars

    def line(self, bar: int, ticks_per_quarter: int) -> int:
        """The tick of a bar line, from 0 to the last bar's end, from the bridge's beginning."""
        return round(sum(g.quarters_per_bar for g in self.grids[:bar]) * ticks_per_quarter)

    def span(self, side: int) -> range:
        """The bars in which the accompaniment of a side is heard: 0 before, 1 after."""
        return range(self.middle, self.bars) if side else range(self.middle)


@dataclasses.dataclass(frozen=True)
class Part:
    """What one file plays in a bridge.

    Attributes:
      notes: with ticks from the bridge's beginning; tracks and channels of the file.
      events: controllers and bends among them, by track.
      begins_at: the tick of the file in whose settings the part begins.
    """

    notes: tuple[Note, ...]
    events: tuple[tuple[int, Event], ...]
    begins_at: int | None

    @property
    def channels(self) -> set[int]:
        return {note.channel for note in self.notes}


NOTHING = Part((), (), None)


def lead_channels(source: Source, bars: Iterable[int]) -> tuple[int | None, set[int]]:
    """The channel that plays the melody in some bars, and all that play it with that one.

    A part plays it along if half of its notes there begin with notes of the melody and are
    of the same pitch class.
    """
    first, last = min(bars), max(bars)
    melody = _onsets(source)
    begin, end = source.bar_line(first), source.bar_line(last + 1)
    before = early(source.arrangement.ticks_per_quarter)
    exact: dict[int, int] = {}
    same: dict[int, int] = {}
    total: dict[int, int] = {}
    for note in source.arrangement.notes:
        if note.channel == DRUM_CHANNEL or not begin - before <= note.start < end - before:
            continue
        pitch = melody.get(source.step(note.start))
        total[note.channel] = total.get(note.channel, 0) + 1
        if pitch is not None and pitch % 12 == note.pitch % 12:
            same[note.channel] = same.get(note.channel, 0) + 1
            exact[note.channel] = exact.get(note.channel, 0) + (pitch == note.pitch)
    if not any(exact.values()):
        return None, set()
    lead = max(exact, key=lambda channel: exact[channel])
    return lead, {lead, *(c for c, count in same.items() if 2 * count >= total[c])}


def _onsets(source: Source) -> dict[int, int]:
    """The melody's pitches by the steps at which they begin."""
    melody = source.melody
    return dict(zip(melody.start.tolist(), melody.pitch.tolist(), strict=True))


def bars_beside(source: Source, bridge_bars: int, side: int) -> list[int]:
    """For each bar of a bridge the bar of the file that it lies beside, from 0.

    As `windows.bridge_ends` has it: the last bars of the file before, the first bars of the
    one after; a shorter melody goes round, the second so that it ends with the bridge.
    """
    count = source.melody.num_bars
    taken = min(bridge_bars, count)
    if side == 0:
        return [count - taken + bar % taken for bar in range(bridge_bars)]
    return [(bar - bridge_bars) % taken for bar in range(bridge_bars)]


def fade(source: Source, way: Way, side: int) -> Part:
    """The accompaniment of the bars beside which the bridge's bars lie, without the melody.

    Args:
      source: the file, at the resolution of the piece.
      way: of the bridge.
      side: 0 for the file before the bridge, 1 for the file after it.
    """
    beside = bars_beside(source, way.bars, side)
    span = way.span(side)
    if not span:
        return NOTHING
    lead, doubled = lead_channels(source, [beside[bar] for bar in span])
    melody = _onsets(source)
    resolution = source.arrangement.ticks_per_quarter
    last = way.line(span.stop, resolution)
    notes: list[Note] = []
    played: list[tuple[int, Event]] = []
    for bar in span:
        placed, line = Placement(source, beside[bar], way.grids[bar]), way.line(bar, resolution)
        share, low, high = _loudness(bar, span, side), placed.low, placed.high
        for note in source.arrangement.notes:
            if not low <= note.start < high:
                continue
            pitch = melody.get(source.step(note.start))
            if note.channel in doubled and pitch is not None and pitch % 12 == note.pitch % 12:
                continue
            moved = note.pitch
            if note.channel != DRUM_CHANNEL:
                moved = _moved(note.pitch, way, side, float(way.curve[bar]))
            velocity = max(1, round(note.velocity * share))
            for start, stop in placed.spans(note):
                begin, end = max(line + start, 0), min(line + stop, last)
                if end > begin:
                    notes.append(Note(note.track, note.channel, moved, velocity, begin, end))
        for track, event in source.arrangement.merged:
            if low <= event.tick < high and _is_pattern(event, lead):
                played.append((track, event.at(max(line + placed.place(event.tick), 0))))
    begins_at = source.bar_line(beside[span.start]) - early(resolution)
    return Part(tuple(notes), tuple(played), begins_at)


def _loudness(bar: int, span: range, side: int) -> float:
    """The share of its loudness that a bar of a fade has."""
    distance = (span.stop - bar if side == 0 else bar + 1 - span.start) / (len(span) + 1)
    return _SOFTEST + (1 - _SOFTEST) * distance


def _is_pattern(event: Event, lead: int | None) -> bool:
    """Whether an event belongs to the way in which a part is played.

    Loudness is that of the fade, and the melody's channel must not bend the bridge.
    """
    if event.channel is None or event.begins_note or event.ends_note:
        return False
    if event.kind == events.CONTROL:
        number = event.message[1]
        return number == SUSTAIN or (event.channel != lead and number not in (VOLUME, EXPRESSION))
    return event.channel != lead and event.kind in (events.BEND, events.PRESSURE, events.PROGRAM)


def _moved(pitch: int, way: Way, side: int, t: float) -> int:
    """A pitch of a file in a bar of the bridge, on the way of its key."""
    own = pitch + way.shifts[side] - (way.semitones if side else 0)
    if not way.semitones:
        return events.within_range(own)
    gone = glide_pitches(np.array([own]), np.array([t]), way.keys[0], way.semitones)
    return events.within_range(int(gone[0]))


def hold(source: Source, way: Way, side: int) -> Part:
    """A drone on the tonic and the fifth of each bar's key, struck with each bar.

    It is played by the instrument that accompanies the bars beside with the longest notes.

    Args: as of `fade`.
    """
    span = way.span(side)
    if not span:
        return NOTHING
    bars = sorted(set(bars_beside(source, way.bars, side)))
    begin, end = source.bar_line(bars[0]), source.bar_line(bars[-1] + 1)
    _, doubled = lead_channels(source, bars)
    lengths: dict[int, int] = {}
    for note in source.arrangement.notes:
        if begin <= note.start < end and note.channel != DRUM_CHANNEL:
            heard = note.end - note.start if note.channel not in doubled else 1
            lengths[note.channel] = lengths.get(note.channel, 0) + heard
    if not lengths:
        return NOTHING
    channel = max(lengths, key=lambda number: lengths[number])
    own = [n.velocity for n in source.arrangement.notes if n.channel == channel]
    velocity = max(1, round(float(np.median(own)) * _DRONE_SHARE))
    track = source.arrangement.channels[channel]
    resolution = source.arrangement.ticks_per_quarter
    notes = []
    for bar in span:
        tonic = _LOWEST_TONIC + (_tonic(way, side, float(way.curve[bar])) - _LOWEST_TONIC) % 12
        for pitch in (tonic, tonic + 7):
            place = (way.line(bar, resolution), way.line(bar + 1, resolution))
            notes.append(Note(track, channel, pitch, velocity, *place))
    return Part(tuple(notes), (), begin if side == 0 else source.bar_line(bars[0] + 1))


def _tonic(way: Way, side: int, t: float) -> int:
    """The pitch class of the tonic in a bar."""
    whole, gone = (int(fifths_on_the_way(np.array(share), way.semitones)) for share in (1.0, t))
    return (way.keys[side].tonic + 7 * (gone - (whole if side else 0))) % 12


def parts(kind: str, before: Source, after: Source, way: Way) -> tuple[Part, Part]:
    """What the file before and the file after play in a bridge, besides its melody.

    Args:
      kind: one of `ACCOMPANIMENTS`.
      before, after: the files, at the resolution of the piece.
      way: of the bridge.

    Raises:
      ValueError: the kind is unknown.
    """
    if kind not in ACCOMPANIMENTS:
        raise ValueError(f"unknown accompaniment {kind!r}; valid are {', '.join(ACCOMPANIMENTS)}")
    if kind == "none":
        return NOTHING, NOTHING
    make = fade if kind == "fade" else hold
    return make(before, way, 0), make(after, way, 1)


def melody_velocity(source: Source, bars: Sequence[int]) -> int:
    """How loud the melody is in some bars: the median velocity of its notes there."""
    lead, _ = lead_channels(source, bars)
    begin, end = source.bar_line(min(bars)), source.bar_line(max(bars) + 1)
    melody = _onsets(source)
    own = [
        note.velocity
        for note in source.arrangement.notes
        if note.channel == lead
        and begin <= note.start < end
        and melody.get(source.step(note.start)) == note.pitch
    ]
    return int(np.median(own)) if own else 80
