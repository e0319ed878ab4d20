"""A music file whole: all events of its tracks on a grid of ticks."""

import collections
import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from musicvae_jax.midi.container import read_container
from musicvae_jax.midi.song import Song, Track, seconds_at
from musicvae_jax.midi.whole import events
from musicvae_jax.midi.whole.events import DRUM_CHANNEL, Event
from musicvae_jax.music.drum_kit import PITCHES
from musicvae_jax.music.drums import STEPS_PER_QUARTER, Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.piece import VELOCITY
from musicvae_jax.music.tempo import microseconds_per_quarter
from musicvae_jax.music.windows import play_round

# Of music without ticks of its own: exact for sixteenths, triplets and quintuplets.
TICKS_PER_QUARTER = 960
PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)


class Note(NamedTuple):
    """A note of an arrangement; `start` and `end` are ticks."""

    track: int
    channel: int
    pitch: int
    velocity: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """All events of a music file.

    Attributes:
      ticks_per_quarter: the resolution.
      tracks: the events of each track, in order, without the end of the track.
    """

    ticks_per_quarter: int
    tracks: tuple[tuple[Event, ...], ...]

    @property
    def end(self) -> int:
        """The tick of the last event."""
        return max((track[-1].tick for track in self.tracks if track), default=0)

    @functools.cached_property
    def merged(self) -> list[tuple[int, Event]]:
        """All events by time, each with the number of its track."""
        numbered = [(index, e) for index, track in enumerate(self.tracks) for e in track]
        return sorted(numbered, key=lambda pair: pair[1].tick)

    @functools.cached_property
    def notes(self) -> list[Note]:
        """All notes by their starts; of equal ones that overlap the first ends first.

        A note that does not end ends with the file.
        """
        result: list[Note] = []
        for number, track in enumerate(self.tracks):
            sounding: dict[tuple[int, int], collections.deque[Event]] = {}
            for event in track:
                if not (event.begins_note or event.ends_note):
                    continue
                key = (event.message[0] & 15, event.message[1])
                if event.begins_note:
                    sounding.setdefault(key, collections.deque()).append(event)
                elif sounding.get(key):
                    result.append(_note(number, sounding[key].popleft(), event.tick))
            for left in sounding.values():
                result += [_note(number, event, self.end) for event in left]
        return sorted(result, key=lambda note: note.start)

    @functools.cached_property
    def channels(self) -> dict[int, int]:
        """The channels on which notes sound, each with the first track of its notes."""
        homes: dict[int, int] = {}
        for note in self.notes:
            homes[note.channel] = min(note.track, homes.get(note.channel, note.track))
        return dict(sorted(homes.items()))

    @functools.cached_property
    def _by_channel(self) -> dict[int | None, list[Event]]:
        result: dict[int | None, list[Event]] = {}
        for _, event in self.merged:
            result.setdefault(event.channel, []).append(event)
        return result

    def of_channel(self, channel: int) -> list[Event]:
        """The events of a channel by time."""
        return self._by_channel.get(channel, [])

    def of_song(self, kind: int) -> list[Event]:
        """The meta events of a kind, by time."""
        return [event for _, event in self.merged if event.meta == kind]

    def scaled(self, ticks_per_quarter: int) -> "Arrangement":
        """The same at another resolution: every event at the nearest tick."""
        if ticks_per_quarter == self.ticks_per_quarter:
            return self
        mine = self.ticks_per_quarter
        tracks = tuple(
            tuple(e.at((e.tick * ticks_per_quarter + mine // 2) // mine) for e in track)
            for track in self.tracks
        )
        return Arrangement(ticks_per_quarter, tracks)


def _note(track: int, event: Event, end: int) -> Note:
    status, pitch, velocity = event.message
    return Note(track, status & 15, pitch, velocity, event.tick, end)


@dataclasses.dataclass(frozen=True)
class Source:
    """A music file whole, and the melody that was found in it.

    Attributes:
      melody: as it was read.
      origin: where the melody's step 0 lies, in quarter notes from the file's beginning.
      arrangement: all that the file has.
    """

    melody: Melody
    origin: float
    arrangement: Arrangement

    @property
    def start(self) -> int:
        """The tick of the bar line with which the melody begins."""
        return round(self.origin * self.arrangement.ticks_per_quarter)

    @property
    def stop(self) -> int:
        """The tick of the bar line with which the melody's last bar ends."""
        return self.bar_line(self.melody.num_bars)

    def bar_line(self, bar: int) -> int:
        """The tick with which a bar of the melody begins, counted from 0."""
        quarters = self.origin + self.melody.grid.quarters_per_bar * bar
        return round(quarters * self.arrangement.ticks_per_quarter)

    def between(self, first: int, last: int) -> "Source":
        """The same file with the bars of its melody from `first` up to, and without, `last`."""
        origin = self.origin + self.melody.grid.quarters_per_bar * first
        return dataclasses.replace(
            self, melody=self.melody.window(first, last - first), origin=origin
        )

    def step(self, tick: int) -> int:
        """The melody's step that is nearest to a tick."""
        quarters = tick / self.arrangement.ticks_per_quarter - self.origin
        return int(self.melody.grid.nearest(np.array(quarters)))


def from_melody(melody: Melody, drums: Drums | None = None) -> Source:
    """A melody that comes without a file.

    Args:
      melody: the melody.
      drums: that are played with it, round and round, from its first bar on.
    """
    grid = melody.grid
    track = Track(
        name="",
        program=melody.program,
        is_drum=False,
        pitch=melody.pitch,
        velocity=np.full_like(melody.pitch, VELOCITY),
        start=grid.quarters(melody.start),
        end=grid.quarters(melody.end),
    )
    tracks = [track] if drums is None else [track, _drum_track(drums, melody.num_bars)]
    meters = ((0.0, grid.numerator, grid.denominator),)
    song = Song(tuple(tracks), meters, ((0.0, melody.tempo_bpm),))
    return Source(melody, 0.0, from_song(song))


def _drum_track(drums: Drums, bars: int) -> Track:
    drums = play_round(drums, 0, bars)
    start = np.maximum((drums.step + drums.offset) / STEPS_PER_QUARTER, 0.0)
    pitch = np.array(PITCHES)[drums.piece]
    return Track("", drums.program, True, pitch, drums.velocity, start, start + 0.125)


def from_midi(data: bytes, song: Song, declared: Song) -> Arrangement:
    """The events of a MIDI file as they stand in it.

    What is damaged is left out, as `midi.read` does, and so is a tempo or a key that cannot
    be. Events of a file that counts seconds, or
    whose beats are others than it says, are placed on the beats to 1/960 of a quarter note.

    Args:
      data: the file.
      song: as it is read, with the beats that are meant.
      declared: as the file has it.

    Raises:
      ValueError: it is no MIDI file.
    """
    container = read_container(data)
    try:
        tracks = [events.read_track(track) for track in container.tracks]
    except ValueError:
        tracks = [events.read_track(track) for track in container.repaired().tracks]
    tracks = [[event for event in track if events.is_sound(event)] for track in tracks]
    resolution = container.ticks_per_quarter
    has_own_beats = song.tempos == declared.tempos
    if resolution and has_own_beats:
        return Arrangement(resolution, tuple(map(tuple, tracks)))

    ticks = sorted({event.tick for track in tracks for event in track})
    if container.ticks_per_sec:
        sec = np.array(ticks, np.float64) / container.ticks_per_sec
    else:
        sec = seconds_at(np.array(ticks, np.float64) / resolution, declared.tempos)
    start, bpm = np.array(song.tempos, np.float64).T
    starts_sec = seconds_at(start, song.tempos)
    segment = np.clip(np.searchsorted(starts_sec, sec, side="right") - 1, 0, None)
    quarters = start[segment] + (sec - starts_sec[segment]) * bpm[segment] / 60
    places = {tick: _tick(quarter) for tick, quarter in zip(ticks, quarters.tolist(), strict=True)}
    if not has_own_beats:
        tracks = [[event for event in track if event.meta != events.TEMPO] for track in tracks]
    moved = [tuple(event.at(places[event.tick]) for event in track) for track in tracks]
    if not has_own_beats:
        tempos = [
            events.tempo(_tick(start), microseconds_per_quarter(bpm)) for start, bpm in song.tempos
        ]
        merged = sorted([*tempos, *moved[0]], key=lambda event: event.tick)
        moved[0] = tuple(merged)
    return Arrangement(TICKS_PER_QUARTER, tuple(moved))


def from_song(song: Song) -> Arrangement:
    """The tracks of a song as MIDI, each on a channel of its own as far as there are 15.

    Of more pitched tracks those of one program share a channel.
    """
    pitched = [track for track in song.tracks if not track.is_drum]
    programs = list(dict.fromkeys(track.program for track in pitched))
    alone = len(pitched) <= len(PITCHED_CHANNELS)
    used = iter(PITCHED_CHANNELS)
    tracks = [_song_events(song)]
    for track in song.tracks:
        if track.is_drum:
            channel = DRUM_CHANNEL
        elif alone:
            channel = next(used)
        else:
            place = min(programs.index(track.program), len(PITCHED_CHANNELS) - 1)
            channel = PITCHED_CHANNELS[place]
        tracks.append(_track_events(track, channel))
    return Arrangement(TICKS_PER_QUARTER, tuple(map(tuple, tracks)))


def _tick(quarter: float) -> int:
    return max(0, round(quarter * TICKS_PER_QUARTER))


def _song_events(song: Song) -> list[Event]:
    result = [events.text(0, events.TRACK_NAME, song.title)] if song.title else []
    for quarter, numerator, denominator in song.meters:
        result.append(events.meter(_tick(quarter), numerator, denominator))
    for quarter, bpm in song.tempos:
        result.append(events.tempo(_tick(quarter), microseconds_per_quarter(bpm)))
    return sorted(result, key=lambda event: event.tick)


def _track_events(track: Track, channel: int) -> list[Event]:
    head = [events.text(0, events.TRACK_NAME, track.name)] if track.name else []
    head.append(events.program_change(0, channel, track.program))
    rows: Sequence[tuple[int, int, float, float]] = list(
        zip(
            *(track.pitch.tolist(), track.velocity.tolist()),
            *(track.start.tolist(), track.end.tolist()),
            strict=True,
        )
    )
    played = []
    for pitch, velocity, start, end in rows:
        begin = _tick(start)
        played.append((begin, 1, events.note_on(begin, channel, pitch, max(velocity, 1))))
        stop = max(_tick(end), begin + 1)
        played.append((stop, 0, events.note_off(stop, channel, pitch)))
    # On one tick what ends, ends before the next begins.
    return head + [event for *_, event in sorted(played, key=lambda row: row[:2])]
