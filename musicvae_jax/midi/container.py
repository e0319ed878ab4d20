"""What a MIDI file is wrapped in: its header and its chunks, and repairs of damaged ones.

A parser that gets `Container.file()` sees a plain file of type 0 or 1 whose lengths are
right, whatever the file on disk was. The layout is that of Standard MIDI Files 1.0; RIFF
files (`.rmi`) hold such a file in a chunk called `data`.
"""

import dataclasses
import struct

import numpy as np

_END_OF_TRACK = b"\x00\xff\x2f\x00"
# Data bytes after a status byte, by its upper half.
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
# A sequencer-specific event (of 0x7D, which no company has) in the files that this package
# writes, whose bars are right.
OURS = b"\x7dMusicVAE-JAX"
_META, _SYSEX = 0xFF, (0xF0, 0xF7)


@dataclasses.dataclass(frozen=True)
class Container:
    """The tracks of a MIDI file, as bytes.

    Attributes:
      tracks: the events of each track.
      ticks_per_quarter: the resolution; 0 if the file counts seconds.
      ticks_per_sec: the resolution of a file that counts seconds (SMPTE), else 0.
      is_cut: whether the last track is shorter than it says.
      warnings: what was odd, a line each.
    """

    tracks: tuple[bytes, ...]
    ticks_per_quarter: int
    ticks_per_sec: float
    is_cut: bool
    warnings: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Whether this package wrote it."""
        return bytes([_META, 0x7F, len(OURS)]) + OURS in self.tracks[0][:2_000]

    def file(self) -> bytes:
        """A plain MIDI file of these tracks; seconds are not told of."""
        division = self.ticks_per_quarter or 480
        file_type = 0 if len(self.tracks) == 1 else 1
        header = struct.pack(">IHHH", 6, file_type, len(self.tracks), division)
        chunks = [b"MTrk" + struct.pack(">I", len(track)) + track for track in self.tracks]
        return b"".join([b"MThd", header, *chunks])

    def num_struck(self) -> int:
        """How many notes begin, by a look at the bytes that takes no time beside the parsing.

        An event without a status byte of its own is counted only by chance, after a long pause.
        """
        count = 0
        for track in self.tracks:
            data = np.frombuffer(track, np.uint8)
            status, pitch, velocity = data[:-2], data[1:-1], data[2:]
            is_struck = (status >> 4 == 0x9) & (pitch < 128) & (velocity > 0) & (velocity < 128)
            count += int(is_struck.sum())
        return count

    def repaired(self) -> "Container":
        """The same with whole events alone, each of whose values is in its range.

        A track is read up to the first event that cannot be understood.
        """
        tracks, warnings = [], list(self.warnings)
        for number, track in enumerate(self.tracks, start=1):
            events, clipped = _whole_events(track)
            tracks.append(events + _END_OF_TRACK)
            if clipped:
                warnings.append(f"track {number}: {clipped} values above 127 are taken as 127")
            if len(events) < len(track.removesuffix(_END_OF_TRACK)):
                place = f"after {len(events)} of its bytes"
                warnings.append(
                    f"track {number} is damaged or cut off {place} and read up to there"
                )
        return dataclasses.replace(
            self, tracks=tuple(tracks), is_cut=False, warnings=tuple(warnings)
        )


def read_container(data: bytes) -> Container:
    """Takes a MIDI file apart.

    Of a file of type 2, whose tracks are songs of their own, it takes the first. What is
    neither a header nor a track is passed over.

    Raises:
      ValueError: it has no header, no track, or no resolution.
    """
    data = _without_riff(data)
    if data[:4] != b"MThd" or len(data) < 14:
        raise ValueError("it does not begin with a MIDI header")
    header_bytes, file_type, _, division = struct.unpack_from(">IHHH", data, 4)
    ticks_per_quarter, ticks_per_sec = _resolution(division)
    tracks, is_cut, warnings = _tracks(data, 8 + max(header_bytes, 6))
    if not tracks:
        raise ValueError("it has no track")
    if file_type == 2 and len(tracks) > 1:
        warnings.append(f"{len(tracks)} songs in one file (type 2); the first is read")
        tracks, is_cut = tracks[:1], False
    if ticks_per_sec:
        warnings.append("it counts seconds (SMPTE); beats are placed by its tempo")
    return Container(tuple(tracks), ticks_per_quarter, ticks_per_sec, is_cut, tuple(warnings))


def _without_riff(data: bytes) -> bytes:
    """The MIDI file in a RIFF file of type RMID; any other file as it is."""
    if data[:4] != b"RIFF" or data[8:12] != b"RMID":
        return data
    place = 12
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        if data[place : place + 4] == b"data":
            return data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2  # chunks begin at even places
    raise ValueError("a RIFF file without MIDI in it")


def _resolution(division: int) -> tuple[int, float]:
    """Ticks a quarter note, or ticks a second, of a header's last two bytes."""
    if division < 0x8000:
        if division == 0:
            raise ValueError("0 ticks to a quarter note")
        return division, 0.0
    frames, ticks = 256 - (division >> 8), division & 0xFF
    if not ticks:
        raise ValueError("0 ticks to a frame")
    # 29 stands for the 29.97 frames a second of colour television.
    return 0, (30_000 / 1_001 if frames == 29 else frames) * ticks


def _tracks(data: bytes, place: int) -> tuple[list[bytes], bool, list[str]]:
    """The tracks from a place on, whether the last is cut, and what else was there."""
    tracks, warnings, is_cut = [], [], False
    while place < len(data):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        body = data[place + 8 : place + 8 + size]
        is_whole = place + 8 + size <= len(data)
        if kind == b"MTrk":
            tracks.append(body)
            is_cut = not is_whole
        elif is_whole and kind.isalnum() and kind.isascii():
            warnings.append(f"a chunk {kind.decode('ascii')!r} that is not MIDI is passed over")
        else:
            warnings.append(f"{len(data) - place} bytes after its last track are passed over")
            break
        place += 8 + size
    if len(warnings) > 3:
        warnings[3:] = [f"{len(warnings) - 3} more chunks that are not MIDI"]
    return tracks, is_cut, warnings


def _whole_events(track: bytes) -> tuple[bytes, int]:
    """A track's events up to its end or to one that is not understood.

    Returns:
      The events without the end of track, and how many values above 127 in them were
      lowered to it.
    """
    data, place, whole, status, clipped = bytearray(track), 0, 0, 0, 0
    size = len(data)
    while True:
        is_short = place < size and data[place] < 0x80
        after = place + 1 if is_short else _after_number(data, place)
        if after is None or after >= size:
            break
        place = after
        if data[place] >= 0x80:
            status = data[place]
            place += 1
        if status == _META or status in _SYSEX:
            if status == _META and data[place : place + 1] == b"\x2f":
                break
            begin = place + (status == _META)
            after = _after_number(data, begin)
            if after is None:
                break
            place = after + _number(data[begin:after])
            status = 0  # such an event ends the running status
        elif (count := _DATA_BYTES.get(status >> 4)) is not None:
            if max(data[place : place + count], default=0) > 127:
                for at in range(place, min(place + count, size)):
                    if data[at] > 127:
                        data[at] = 127
                        clipped += 1
            place += count
        else:
            break
        if place > size:
            break
        whole = place
    return bytes(data[:whole]), clipped


def _after_number(data: bytes | bytearray, place: int) -> int | None:
    """Where a number of variable length ends; None if it does not."""
    for at in range(place, min(place + 4, len(data))):
        if data[at] < 0x80:
            return at + 1
    return None


def _number(data: bytes | bytearray) -> int:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value
