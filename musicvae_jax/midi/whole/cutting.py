"""A stretch of a music file between two bar lines, event by event."""

import collections
import dataclasses

from musicvae_jax.midi.whole import events
from musicvae_jax.midi.whole.arrangement import Arrangement
from musicvae_jax.midi.whole.events import DRUM_CHANNEL, Event

# Meta events that concern all tracks; MIDI has them in the first one.
OF_ALL_TRACKS = (
    *(events.TEMPO, events.METER, events.KEY_SIGNATURE, events.SMPTE_OFFSET),
    *(events.MARKER, events.MARKER + 1),
)
# Those that say what a track is, wherever it begins.
_OF_A_TRACK = (events.TRACK_NAME, events.INSTRUMENT_NAME, events.CHANNEL_PREFIX, events.PORT)
# What puts a synthesizer back to its beginning: General MIDI, Roland GS, Yamaha XG.
_RESETS = (
    b"\xf0\x7e\x7f\x09",
    b"\xf0\x41\x10\x42\x12\x40\x00\x7f",
    b"\xf0\x43\x10\x4c\x00\x00\x7e",
)


@dataclasses.dataclass(frozen=True)
class Stretch:
    """What a file plays between two bar lines.

    Attributes:
      tracks: the events of each track of the file, at the file's ticks.
      heads: of each track, what stood before the stretch and says what the track is.
      of_all: the events that concern all tracks, by time.
      cut: how many notes were still sounding at the end, and end there.
      struck: how many notes were sounding at the beginning, and begin there.
    """

    tracks: tuple[tuple[Event, ...], ...]
    heads: tuple[tuple[Event, ...], ...]
    of_all: tuple[Event, ...]
    cut: int
    struck: int


def early(ticks_per_quarter: int) -> int:
    """How long before a bar line a note may begin that belongs to the bar after it.

    Half a sixteenth, as on the melody's grid: what is played by hand is never exact.
    """
    return ticks_per_quarter // 8


def stretch(arrangement: Arrangement, start: int | None, stop: int | None) -> Stretch:
    """What is played from one bar line to another.

    An event belongs to the bar on whose side of the cut it stands, and the cut is `early`
    before the bar line. A note that sounds on over the end is ended there. One that has
    been sounding for longer at the beginning, and goes on for a sixteenth, is struck there.

    Args:
      arrangement: the file.
      start, stop: ticks of bar lines; None for the file's own beginning or end.
    """
    before = early(arrangement.ticks_per_quarter)
    low = float("-inf") if start is None else start - before
    high = float("inf") if stop is None else stop - before
    tracks, heads, cut, struck = [], [], 0, 0
    for track in arrangement.tracks:
        inside, numbers = _of_track(track, (start, stop), (low, high), 2 * before)
        tracks.append(tuple(inside))
        heads.append(tuple(e for e in track if e.tick < low and _is_head(e)))
        cut, struck = cut + numbers[0], struck + numbers[1]
    of_all = [e for _, e in arrangement.merged if e.meta in OF_ALL_TRACKS and low <= e.tick < high]
    return Stretch(tuple(tracks), tuple(heads), tuple(of_all), cut, struck)


def _is_head(event: Event) -> bool:
    if event.kind == 15 and event.meta is None:
        return not event.message.startswith(_RESETS)
    return event.meta in _OF_A_TRACK


def _of_track(
    track: tuple[Event, ...],
    lines: tuple[int | None, int | None],
    cuts: tuple[float, float],
    shortest: int,
) -> tuple[list[Event], tuple[int, int]]:
    """The events of a track in a stretch; how many notes were cut, and struck anew.

    Args:
      track: all of its events.
      lines: the bar lines of the stretch.
      cuts: the ticks at which events begin and cease to belong to it.
      shortest: how long a note must go on to be struck anew.
    """
    (start, stop), (low, high) = lines, cuts
    ending = float("inf") if stop is None else stop
    sounding: dict[tuple[int, int], collections.deque[Event]] = {}
    inside: list[Event] = []
    struck: list[Event] = []
    ends: list[Event] = []
    for event in track:
        if event.meta in OF_ALL_TRACKS:
            continue
        key = (event.message[0], 0)
        if event.begins_note or event.ends_note:
            key = (event.message[0] & 15, event.message[1])
        if event.begins_note:
            sounding.setdefault(key, collections.deque()).append(event)
            if low <= event.tick < high:
                inside.append(event)
        elif event.ends_note and sounding.get(key):
            begin = sounding[key].popleft()
            if begin.tick >= high:
                continue
            if begin.tick < low:
                held = start is not None and event.tick >= start + shortest
                if not held or key[0] == DRUM_CHANNEL:
                    continue
                struck.append(begin.at(start or 0))
            if event.tick <= ending:
                inside.append(event)
            else:
                ends.append(event.at(stop or 0))
        elif low <= event.tick < high:
            inside.append(event)
    if stop is not None:
        for (channel, pitch), begun in sounding.items():
            ends += [events.note_off(stop, channel, pitch) for e in begun if low <= e.tick < high]
    # Equal ticks stay in this order: a note struck anew stands before what the file plays.
    ordered = sorted([*struck, *inside, *ends], key=lambda event: event.tick)
    return ordered, (len(ends), len(struck))
