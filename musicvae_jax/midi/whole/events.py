"""All events of MIDI tracks, byte for byte, with the ticks at which they stand.

A `Song` has notes alone. What a song sounds like is also in its controllers, pitch bends,
program changes and system messages, and those are kept here as the file has them.
"""

import struct
from collections.abc import Iterable, Sequence
from typing import NamedTuple

NOTE_OFF, NOTE_ON, KEY_PRESSURE, CONTROL, PROGRAM, PRESSURE, BEND = range(8, 15)
SYSEX, SYSEX_PART, META = 0xF0, 0xF7, 0xFF
# Kinds of meta events.
TEXT, TRACK_NAME, INSTRUMENT_NAME, LYRIC, MARKER = 0x01, 0x03, 0x04, 0x05, 0x06
CHANNEL_PREFIX, PORT, END_OF_TRACK = 0x20, 0x21, 0x2F
TEMPO, SMPTE_OFFSET, METER, KEY_SIGNATURE = 0x51, 0x54, 0x58, 0x59
DRUM_CHANNEL = 9
# A number of variable length has four bytes.
MAX_DELTA = 2**28 - 1
_DATA_BYTES = {NOTE_OFF: 2, NOTE_ON: 2, KEY_PRESSURE: 2, CONTROL: 2, PROGRAM: 1, PRESSURE: 1}
_DATA_BYTES[BEND] = 2


class Event(NamedTuple):
    """One event of a track.

    Attributes:
      tick: from the beginning of the file.
      message: with its status byte, and without the length of a meta event (`FF`, its kind,
        its content) or of a system message (`F0` or `F7`, its content).
    """

    tick: int
    message: bytes

    @property
    def kind(self) -> int:
        """`NOTE_ON` and so on for an event of a channel, or 15 for another."""
        return self.message[0] >> 4

    @property
    def channel(self) -> int | None:
        """0..15, or None for an event that is of no channel."""
        return self.message[0] & 15 if self.message[0] < SYSEX else None

    @property
    def meta(self) -> int | None:
        """The kind of a meta event, or None for another event."""
        return self.message[1] if self.message[0] == META else None

    @property
    def begins_note(self) -> bool:
        return self.kind == NOTE_ON and self.message[2] > 0

    @property
    def ends_note(self) -> bool:
        return self.kind == NOTE_OFF or (self.kind == NOTE_ON and not self.message[2])

    @property
    def has_pitch(self) -> bool:
        return self.kind in (NOTE_OFF, NOTE_ON, KEY_PRESSURE)

    def at(self, tick: int) -> "Event":
        return self._replace(tick=tick)

    def on(self, channel: int) -> "Event":
        """The same on another channel."""
        return self._replace(message=bytes([self.message[0] & 0xF0 | channel]) + self.message[1:])

    def moved(self, semitones: int) -> "Event":
        """The same at another pitch, an octave off where MIDI has no such pitch."""
        pitch = within_range(self.message[1] + semitones)
        return self._replace(message=self.message[:1] + bytes([pitch]) + self.message[2:])


def within_range(pitch: int) -> int:
    """The pitch, or the nearest one octaves away that MIDI has."""
    if pitch < 0:
        return pitch % 12
    return pitch if pitch <= 127 else 127 - (127 - pitch) % 12


def note_on(tick: int, channel: int, pitch: int, velocity: int) -> Event:
    return Event(tick, bytes([NOTE_ON << 4 | channel, pitch, velocity]))


def note_off(tick: int, channel: int, pitch: int) -> Event:
    return Event(tick, bytes([NOTE_OFF << 4 | channel, pitch, 0]))


def control(tick: int, channel: int, number: int, value: int) -> Event:
    return Event(tick, bytes([CONTROL << 4 | channel, number, value]))


def program_change(tick: int, channel: int, program: int) -> Event:
    return Event(tick, bytes([PROGRAM << 4 | channel, program]))


def meta(tick: int, kind: int, content: bytes) -> Event:
    return Event(tick, bytes([META, kind]) + content)


def meter(tick: int, numerator: int = 4, denominator: int = 4) -> Event:
    """A time signature, with a metronome that clicks quarter notes."""
    content = bytes([min(numerator, 255), denominator.bit_length() - 1, 24, 8])
    return meta(tick, METER, content)


def meter_of(event: Event) -> tuple[int, int]:
    """The numerator and the denominator of a time signature."""
    return event.message[2], 2 ** event.message[3]


def tempo(tick: int, microseconds: int) -> Event:
    return meta(tick, TEMPO, microseconds.to_bytes(3, "big"))


def text(tick: int, kind: int, content: str) -> Event:
    """A meta event with text; file names may hold bytes that are no characters."""
    return meta(tick, kind, content.encode("utf-8", "replace"))


# The sizes of meta events whose size is fixed; a sequence number (0) may be left out.
_META_SIZES = {0: (0, 2), CHANNEL_PREFIX: (1,), PORT: (1,), TEMPO: (3,)}
_META_SIZES |= {SMPTE_OFFSET: (5,), METER: (4,), KEY_SIGNATURE: (2,)}


def is_sound(event: Event) -> bool:
    """Whether a meta event says something that it can say; all other events do.

    Other programs refuse a file with a tempo of 0, or a key with more than seven sharps.
    """
    if event.meta is None:
        return True
    content = event.message[2:]
    sizes = _META_SIZES.get(event.meta)
    if sizes is not None and len(content) not in sizes:
        return False
    if event.meta == TEMPO:
        return any(content)
    if event.meta == KEY_SIGNATURE:
        return (content[0] <= 7 or content[0] >= 249) and content[1] <= 1
    return True


def read_track(data: bytes) -> list[Event]:
    """The events of a track without its end.

    Args:
      data: the content of the track's chunk.

    Raises:
      ValueError: it has an event that cannot be understood.
    """
    result: list[Event] = []
    place, tick, running = 0, 0, 0
    while place < len(data):
        delta, place = _number(data, place)
        tick += delta
        status = running
        if place < len(data) and data[place] >= 0x80:
            status = data[place]
            place += 1
        if status in (META, SYSEX, SYSEX_PART):
            head = bytes([status])
            if status == META:
                head, place = head + data[place : place + 1], place + 1
            size, place = _number(data, place)
            message, place = head + data[place : place + size], place + size
            if message[:2] == bytes([META, END_OF_TRACK]):
                break
            # By the standard the running status has ended; some files go on with it.
        elif status >> 4 in _DATA_BYTES:
            running = status
            size = _DATA_BYTES[status >> 4]
            message, place = bytes([status]) + data[place : place + size], place + size
            if max(message[1:], default=0) > 127:
                raise ValueError("a value above 127")
        else:
            raise ValueError(f"an event that is not MIDI (status {status:#x})")
        if place > len(data):
            raise ValueError("a track is cut off")
        result.append(Event(tick, message))
    return result


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A number of variable length, and the place after it."""
    value = 0
    for byte in data[place : place + 4]:
        value, place = value << 7 | byte & 0x7F, place + 1
        if byte < 0x80:
            return value, place
    raise ValueError("a track is cut off")


def file_bytes(tracks: Sequence[Iterable[Event]], ticks_per_quarter: int, end: int) -> bytes:
    """A MIDI file of type 1.

    Args:
      tracks: events in order, at ticks of at least 0.
      ticks_per_quarter: the resolution, 1..32767.
      end: the tick at which all tracks end at the earliest.

    Raises:
      ValueError: two events of a track lie farther apart than MIDI can say.
    """
    chunks = [struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), ticks_per_quarter)]
    for track in tracks:
        body, now = bytearray(), 0
        for event in track:
            body += _variable(event.tick - now) + _written(event.message)
            now = event.tick
        body += _variable(max(end - now, 0)) + bytes([META, END_OF_TRACK, 0])
        chunks.append(struct.pack(">4sI", b"MTrk", len(body)) + body)
    return b"".join(chunks)


def _written(message: bytes) -> bytes:
    head = 2 if message[0] == META else 1
    if message[0] < SYSEX:
        return message
    return message[:head] + _variable(len(message) - head) + message[head:]


def _variable(value: int) -> bytes:
    if not 0 <= value <= MAX_DELTA:
        raise ValueError(f"{value} ticks between two events; MIDI can say up to {MAX_DELTA}")
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))
