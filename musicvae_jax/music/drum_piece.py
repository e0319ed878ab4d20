"""A piece of drums: patterns with bridges between them, one after the other."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from musicvae_jax.music.drums import STEPS_PER_BAR, STEPS_PER_QUARTER, Drums
from musicvae_jax.music.tempo import Stage, microseconds_per_quarter, tempo_ramp


@dataclasses.dataclass(frozen=True)
class DrumSection:
    """A part of a piece of drums.

    Attributes:
      origin: `drums 1`, `bridge`, `drums 2`; with several bridges `bridge 1`, ...
      title: for people, for example the file's name; may be empty.
      drums: what is played, in whole bars, its steps counted from the section's start.
      start_bar: where it begins.
      is_bridge: whether it leads from one pattern to another.
    """

    origin: str
    title: str
    drums: Drums
    start_bar: int
    is_bridge: bool


@dataclasses.dataclass(frozen=True)
class DrumPiece:
    """Patterns and bridges, each from bar line to bar line.

    Attributes:
      sections: in order, without gaps.
      tempos: `(step, tempo_bpm)` of each change, the first at step 0.
    """

    sections: tuple[DrumSection, ...]
    tempos: tuple[tuple[int, float], ...]

    @property
    def drums(self) -> Drums:
        """All sections together, with the tempo and kit of the first."""
        first, *others = (section.drums for section in self.sections)
        return first.then(*others)

    @property
    def loops(self) -> bool:
        """Whether the last section leads back to the first."""
        return len(self.sections) > 1 and self.sections[-1].is_bridge

    @property
    def num_bars(self) -> int:
        return self.sections[-1].start_bar + self.sections[-1].drums.num_bars

    @property
    def duration_sec(self) -> float:
        starts = np.array([step for step, _ in self.tempos] + [self.num_bars * STEPS_PER_BAR])
        quarters = np.diff(starts) / STEPS_PER_QUARTER
        lengths = [microseconds_per_quarter(bpm) for _, bpm in self.tempos]
        return float(np.dot(quarters, lengths)) / 1e6

    def summary(self) -> dict[str, Any]:
        """The tempo and place of each section, for a JSON report."""
        return {
            "bars": self.num_bars,
            "duration_sec": round(self.duration_sec, 3),
            "sections": [
                {
                    "origin": section.origin,
                    "title": section.title,
                    "start_bar": section.start_bar,
                    "bars": section.drums.num_bars,
                    "tempo_bpm": None if section.is_bridge else section.drums.tempo_bpm,
                }
                for section in self.sections
            ],
        }


def drum_single(drums: Drums, origin: str, *, is_bridge: bool = False) -> DrumPiece:
    """A piece of one pattern, or of a bridge alone."""
    piece = drum_chain([drums], [])
    [section] = piece.sections
    told = dataclasses.replace(section, origin=origin, is_bridge=is_bridge)
    return DrumPiece((told,), piece.tempos)


def drum_chain(
    patterns: Sequence[Drums], bridges: Sequence[Drums], titles: Sequence[str] | None = None
) -> DrumPiece:
    """Patterns one after the other, with a bridge between each two.

    In a bridge the tempo goes from that of the pattern before it to that of the one after it.

    Args:
      patterns: K of them, at least one, each at its own tempo.
      bridges: K - 1, of whole bars, or K: the last then leads from the last pattern back to the
        first, and the piece can be played round and round.
      titles: [K] for people.

    Raises:
      ValueError: the numbers of patterns and bridges do not match.
    """
    count = len(patterns)
    if not patterns or len(bridges) not in (count - 1, count):
        raise ValueError(f"{count} patterns and {len(bridges)} bridges do not match")
    titles = titles or [""] * count
    sections: list[DrumSection] = []
    tempos: list[tuple[int, float]] = []

    def add(section: DrumSection, before: float, after: float) -> None:
        sections.append(section)
        bars = section.drums.num_bars
        [ramp] = tempo_ramp(before, after, [Stage(bars)])
        for step, bpm in ramp:
            microseconds = microseconds_per_quarter(bpm)
            if not tempos or microseconds != microseconds_per_quarter(tempos[-1][1]):
                tempos.append((section.start_bar * STEPS_PER_BAR + step, bpm))

    bar = 0
    for index, (drums, title) in enumerate(zip(patterns, titles, strict=True)):
        whole = drums.window(0, drums.num_bars)
        add(DrumSection(f"drums {index + 1}", title, whole, bar, False), *[drums.tempo_bpm] * 2)
        bar += whole.num_bars
        if index < len(bridges):
            name = f"bridge {index + 1}" if len(bridges) > 1 else "bridge"
            ends = drums.tempo_bpm, patterns[(index + 1) % count].tempo_bpm
            add(DrumSection(name, "", bridges[index], bar, True), *ends)
            bar += bridges[index].num_bars
    return DrumPiece(tuple(sections), tuple(tempos))
