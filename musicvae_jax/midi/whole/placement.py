"""A bar of a file as it is heard beside a bar of a bridge, which may be in another meter."""

import dataclasses

import numpy as np

from musicvae_jax.midi.whole.arrangement import Note, Source
from musicvae_jax.midi.whole.cutting import early
from musicvae_jax.music.grid import Grid
from musicvae_jax.music.rebar import carried, pulses


@dataclasses.dataclass(frozen=True)
class Placement:
    """Where the events of a bar go, in ticks from the bar line of the bridge.

    In another meter, beats stay beats as in `rebar.rebar`, and what is played by hand stays as far
    from the step that is nearest to it. If the new bar has fewer beats, what begins in the last
    ones is dropped. If it has more, the file's last beat is played once more in each of them, and
    what was struck before it and sounds at the end of the bar is held.

    Attributes:
      source: the file.
      bar: of its melody, counted from 0.
      grid: of the bar of the bridge.
    """

    source: Source
    bar: int
    grid: Grid

    @property
    def line(self) -> int:
        """The tick of the file with which the bar begins."""
        return self.source.bar_line(self.bar)

    @property
    def low(self) -> int:
        """The tick of the file from which on events belong to the bar."""
        return self.line - early(self._resolution)

    @property
    def high(self) -> int:
        """The tick of the file from which on events belong to the next bar."""
        return self.low + round(self._own.quarters_per_bar * self._resolution)

    @property
    def _own(self) -> Grid:
        return self.source.melody.grid

    @property
    def _resolution(self) -> int:
        return self.source.arrangement.ticks_per_quarter

    def place(self, tick: int) -> int:
        """Where what is no note goes, not beyond the bar."""
        if self._own.meter == self.grid.meter:
            return tick - self.line
        end = round(self.grid.quarters_per_bar * self._resolution)
        return min(self._carried(tick - self.line), end - early(self._resolution))

    def spans(self, note: Note) -> list[tuple[int, int]]:
        """The start and the end of each note that becomes of one that begins in the bar."""
        start, end = note.start - self.line, note.end - self.line
        if self._own.meter == self.grid.meter:
            return [(start, end)]
        before, after = pulses(self._own, self.grid)
        pulse = round(after / self.grid.steps_per_quarter * self._resolution)
        lengths = (grid.quarters_per_bar for grid in (self._own, self.grid))
        own_bar, bar = (round(length * self._resolution) for length in lengths)
        margin = early(self._resolution)
        begin = self._carried(start)
        if begin >= bar - margin:
            return []
        count = self._own.played_steps // before
        more = max(bar // pulse - count, 0)
        is_last = begin >= (count - 1) * pulse - margin
        stop = min(self._carried(min(end, own_bar)), bar) + max(end - own_bar, 0)
        if more and not is_last and end >= own_bar - margin:
            stop += more * pulse
        copies = more if is_last else 0
        return [(begin + n * pulse, stop + n * pulse) for n in range(1 + copies)]

    def _carried(self, ticks: int) -> int:
        quarters = np.array([ticks / self._resolution])
        return round(float(carried(quarters, self._own, self.grid)[0]) * self._resolution)
