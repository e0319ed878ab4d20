"""Where files and bridges lie on the tracks and channels of a medley."""

import dataclasses
from typing import Any

from musicvae_jax.midi.whole import channel_state
from musicvae_jax.midi.whole.channel_state import State
from musicvae_jax.midi.whole.cutting import Stretch
from musicvae_jax.midi.whole.events import DRUM_CHANNEL, Event


@dataclasses.dataclass(frozen=True)
class File:
    """What became of a file in a medley; ticks are those of the medley's resolution.

    Attributes:
      title: for people.
      shift: by how many ticks its events are moved.
      semitones: by how much its pitches are moved; drums are never moved.
      channels: for each of its channels with notes the medley's.
      start, stop: the bar lines, in the file's ticks, between which it is played; None for
        its own beginning and end.
      num_cut, num_struck: see `cutting.Stretch`.
    """

    title: str
    shift: int
    semitones: int
    channels: dict[int, int]
    start: int | None
    stop: int | None
    num_cut: int
    num_struck: int

    def summary(self, resolution: int) -> dict[str, Any]:
        """For JSON, in quarter notes of the file."""
        names = ("start", "stop")
        lines = {f"{name}_at_quarter": getattr(self, name) for name in names}
        return {
            "title": self.title,
            **{n: None if v is None else round(v / resolution, 4) for n, v in lines.items()},
            "moved_by_quarters": round(self.shift / resolution, 4),
            "moved_by_semitones": self.semitones,
            "channels": {str(own + 1): new + 1 for own, new in self.channels.items()},
            "notes_cut_at_its_end": self.num_cut,
            "notes_struck_at_its_beginning": self.num_struck,
        }


class Layout:
    """The tracks of a medley while they are being filled.

    Attributes:
      resolution: ticks a quarter note.
      files: those that were added.
    """

    # Of what stands on one tick of a track, what a bridge adds comes after what the file
    # before it plays, and before what the file after it plays.
    _HEAD, _LEAD_IN, _OWN, _LEAD_OUT = range(4)

    def __init__(self, resolution: int):
        self.resolution = resolution
        self.files: list[File] = []
        self._tracks: list[list[list[tuple[int, int, int, Event]]]] = []
        self._played: dict[int, list[Event]] = {}

    def add_file(self, file: File, played: Stretch) -> None:
        """Places what a file plays by itself."""
        number = len(self.files)
        self.files.append(file)
        self._tracks.append([[] for _ in played.tracks])
        for track, (head, body) in enumerate(zip(played.heads, played.tracks, strict=True)):
            for event in head:
                self._add(number, track, event.at(0), self._HEAD)
            for event in body:
                self._add_own(number, track, event)

    def _add_own(self, number: int, track: int, event: Event) -> None:
        file, channel = self.files[number], event.channel
        if channel is not None:
            if channel not in file.channels and channel in file.channels.values():
                return  # a setting of a channel without notes, whose number another one has
            if file.semitones and event.has_pitch and channel != DRUM_CHANNEL:
                event = event.moved(file.semitones)
            event = event.on(file.channels.get(channel, channel))
        self._add(number, track, event.at(max(event.tick + file.shift, 0)), self._OWN)

    def _add(self, number: int, track: int, event: Event, rank: int) -> None:
        order = 1 + event.begins_note - event.ends_note if rank != self._OWN else 0
        self._tracks[number][track].append((event.tick, rank, order, event))
        if event.channel is not None:
            self._played.setdefault(event.channel, []).append(event)

    def add(self, number: int, track: int, event: Event, side: int) -> None:
        """Adds an event of a bridge to a track of the file before it (0) or after it (1)."""
        self._add(number, track, event, self._LEAD_IN if side else self._LEAD_OUT)

    def state(self, channel: int, tick: int) -> State:
        """What a channel is set to just before a tick, by what has been added so far."""
        earlier = [event for event in self._played.get(channel, ()) if event.tick < tick]
        return channel_state.state(sorted(earlier, key=lambda event: event.tick))

    def sorted_tracks(self) -> list[list[Event]]:
        """All tracks, each by time."""
        return [
            [row[-1] for row in sorted(track, key=lambda row: row[:3])]
            for tracks in self._tracks
            for track in tracks
        ]
