"""How a bridge is put between two files: its line, its accompaniment, its channels."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from musicvae_jax.midi.whole import accompaniment, channel_state, events
from musicvae_jax.midi.whole.accompaniment import Part, Way, bars_beside
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.midi.whole.channel_state import SUSTAIN, State
from musicvae_jax.midi.whole.cutting import early
from musicvae_jax.midi.whole.events import DRUM_CHANNEL, Event
from musicvae_jax.midi.whole.layout import Layout


@dataclasses.dataclass(frozen=True)
class Voice:
    """An instrument that plays the line of a bridge.

    Attributes:
      side: 0 on the channel of the melody before, 1 on that of the melody after.
      program: General MIDI program.
      notes: [notes, 5] float, pitch, start and end in quarter notes from the bridge's beginning,
        the share of the loudness, and the bar, from 0.
    """

    side: int
    program: int
    notes: np.ndarray


@dataclasses.dataclass(frozen=True)
class Crossing:
    """A bridge on the medley's grid: its way, the tick of its bar line, its instruments."""

    way: Way
    line: int
    voices: tuple[Voice, ...]


def cross(
    layout: Layout,
    numbers: tuple[int, int],
    sources: tuple[Source, Source],
    parts: tuple[Part, Part],
    crossing: Crossing,
) -> None:
    """Places a bridge: its line, its accompaniment, and the settings of the channels.

    The file before leaves at the bridge's first bar line: its pedals are released and its
    bends undone. Every channel that sounds in the bridge gets the settings that it has in its
    file where its part comes from, with the volume that it has for most of its notes. At the
    end the file after it finds its channels as if it had been played from its beginning. It
    may use them from the bridge's beginning on, or, if the file before has them too, from its
    middle on.

    Args:
      layout: to which it is added.
      numbers: of the file before and the file after.
      sources: these files.
      parts: what each plays besides the line.
      crossing: where the bridge lies.
    """
    leads = tuple(_lead(source, crossing.way, side) for side, source in enumerate(sources))
    used = [set(layout.files[number].channels.values()) for number in numbers]
    shared = used[0] & used[1]
    velocities = [
        accompaniment.melody_velocity(source, bars_beside(source, crossing.way.bars, side))
        for side, source in enumerate(sources)
    ]
    for side in (0, 1):
        end = _Side(layout, numbers[side], sources[side], parts[side], crossing, side, leads[side])
        voices = [voice for voice in crossing.voices if voice.side == side]
        end.settings(voices, shared)
        end.part()
        for voice in voices:
            end.voice(voice, shared, velocities)
        end.release(voices, shared)


def _lead(source: Source, way: Way, side: int) -> int:
    """The channel of the melody beside a bridge, or else the one with most notes."""
    lead, _ = accompaniment.lead_channels(source, bars_beside(source, way.bars, side))
    if lead is not None:
        return lead
    counts: dict[int, int] = {}
    for note in source.arrangement.notes:
        if note.channel != DRUM_CHANNEL:
            counts[note.channel] = counts.get(note.channel, 0) + 1
    # A user may say that the melody is on the drum channel.
    return max(counts, key=lambda channel: counts[channel], default=DRUM_CHANNEL)


@dataclasses.dataclass(frozen=True)
class _Side:
    """One of the two files beside a bridge, and what it plays in it."""

    layout: Layout
    number: int
    source: Source
    given: Part
    crossing: Crossing
    side: int
    lead: int

    def _line(self, bar: int) -> int:
        """The tick of a bar line of the bridge."""
        return self.crossing.line + self.crossing.way.line(bar, self.layout.resolution)

    @property
    def _early(self) -> int:
        return early(self.layout.resolution)

    @property
    def _middle(self) -> int:
        """The tick at which a shared channel changes hands."""
        return self._line(self.crossing.way.middle) - self._early

    @property
    def _entry(self) -> int:
        """The tick from which the file after the bridge plays by itself."""
        return self._line(self.crossing.way.bars) - self._early

    def _new(self, channel: int) -> int:
        return self.layout.files[self.number].channels[channel]

    def _set(self, tick: int, channel: int, target: State) -> None:
        """Brings a channel of the file into a state."""
        new = self._new(channel)
        before = self.layout.state(new, tick)
        for event in channel_state.change(tick, new, before, target):
            self.layout.add(
                self.number, self.source.arrangement.channels[channel], event, self.side
            )

    def settings(self, voices: Sequence[Voice], shared: set[int]) -> None:
        """Sets all channels of the file for the bridge."""
        for channel in self.source.arrangement.channels:
            tick = self.crossing.line
            if self.side and self._new(channel) in shared:
                tick = self._middle
            if not self.side or tick < self._entry:
                self._set(tick, channel, self._in_bridge(channel, voices))

    def _in_bridge(self, channel: int, voices: Sequence[Voice]) -> State:
        played = self.source.arrangement.of_channel(channel)
        here = self._own_state(played)
        is_lead = channel == self.lead and bool(voices)
        if channel in self.given.channels and self.given.begins_at is not None:
            begins = [event for event in played if event.tick < self.given.begins_at]
            here = channel_state.state(begins)
        elif not is_lead:
            return channel_state.at_rest(here) if self.side == 0 else here
        if is_lead:
            here = channel_state.at_rest(here)
            program = channel_state.program(voices[0].program)
            if here.get("program", channel_state.program(0)) != program:
                here = here | {"program": program}
        return here | channel_state.usual(played)

    def _own_state(self, played: Sequence[Event]) -> State:
        """What the file has set a channel to where it leaves, or before its first note."""
        if self.side == 0:
            return channel_state.state(e for e in played if e.tick < self.source.stop - self._early)
        cut = self.source.start - self._early
        first = next((e.tick for e in played if e.begins_note and e.tick >= cut), cut)
        return channel_state.state(event for event in played if event.tick <= first)

    def part(self) -> None:
        """Adds the accompaniment."""
        line = self.crossing.line
        for track, event in self.given.events:
            channel = event.channel
            assert channel is not None
            if channel in self.given.channels:
                moved = event.on(self._new(channel)).at(line + event.tick)
                self.layout.add(self.number, track, moved, self.side)
        for note in self.given.notes:
            self._note(note.track, note.channel, note.pitch, note.velocity, note.start, note.end)

    def _note(
        self, track: int, channel: int, pitch: int, velocity: int, start: int, end: int
    ) -> None:
        """Adds a note with ticks from the bridge's beginning."""
        new, line = self._new(channel), self.crossing.line
        start, end = line + start, line + end
        if self.side:  # the file's own first notes may stand just before its bar line
            end = min(end, self._first_own(channel))
        if end <= start:
            return
        self.layout.add(self.number, track, events.note_on(start, new, pitch, velocity), self.side)
        self.layout.add(self.number, track, events.note_off(end, new, pitch), self.side)

    def _first_own(self, channel: int) -> int:
        cut = self.source.start - self._early
        shift = self.layout.files[self.number].shift
        line = self.source.start
        near = (e for e in self.source.arrangement.of_channel(channel) if cut <= e.tick < line)
        return next((event.tick for event in near if event.begins_note), line) + shift

    def voice(self, voice: Voice, shared: set[int], velocities: Sequence[int]) -> None:
        """Adds the line of the bridge, as far as its channel is to be had."""
        is_shared = self._new(self.lead) in shared
        change = self._middle - self.crossing.line
        track = self.source.arrangement.channels[self.lead]
        for pitch, start, end, share, bar in voice.notes.tolist():
            t = self.crossing.way.curve[int(bar)]
            loud = velocities[0] + (velocities[1] - velocities[0]) * t
            velocity = int(np.clip(round(loud * share), 1, 127))
            begin, stop = (round(place * self.layout.resolution) for place in (start, end))
            if is_shared and self.side == 0:
                stop = min(stop, change)
            if is_shared and self.side == 1 and begin < change:
                continue
            self._note(track, self.lead, round(pitch), velocity, begin, stop)

    def release(self, voices: Sequence[Voice], shared: set[int]) -> None:
        """Releases the pedals of the file before; sets the file after as it enters."""
        if self.side == 0:
            for channel in self.given.channels:
                tick = self._line(self.crossing.way.middle)
                now = self.layout.state(self._new(channel), tick)
                if SUSTAIN in now and self._new(channel) not in shared:
                    up = {key: value for key, value in now.items() if key != SUSTAIN}
                    self._set(tick, channel, up)
            return
        for channel in self.source.arrangement.channels:
            self._set(self._entry, channel, self._at_entry(channel))

    def _at_entry(self, channel: int) -> State:
        """What the file after has set a channel to before its entry.

        What it sets between its entry and its first note is left as it is.
        """
        cut = self.source.start - self._early
        played = self.source.arrangement.of_channel(channel)
        first = next((e.tick for e in played if e.begins_note and e.tick >= cut), cut)
        own = channel_state.state(event for event in played if event.tick < cut)
        soon = channel_state.state(event for event in played if cut <= event.tick <= first)
        now = self.layout.state(self._new(channel), self._entry)
        kept = {key: value for key, value in now.items() if key in soon}
        return {key: value for key, value in own.items() if key not in soon} | kept
