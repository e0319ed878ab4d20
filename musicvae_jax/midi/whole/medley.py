"""Whole songs with bridges between them: all that the files have, on one grid of ticks.

A `Piece` plays the melodies of its files; a `Medley` plays the files. Outside of the bridges
every event of a file is there, moved in time, and in pitch where the key path moves it.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from musicvae_jax.midi.whole import events, song_events
from musicvae_jax.midi.whole.accompaniment import Way
from musicvae_jax.midi.whole.accompaniment import parts as accompaniment_parts
from musicvae_jax.midi.whole.arrangement import Arrangement, Source
from musicvae_jax.midi.whole.channels import assign
from musicvae_jax.midi.whole.crossing import Crossing, Voice, cross
from musicvae_jax.midi.whole.cutting import Stretch, stretch
from musicvae_jax.midi.whole.drum_part import with_drums
from musicvae_jax.midi.whole.events import DRUM_CHANNEL
from musicvae_jax.midi.whole.layout import File, Layout
from musicvae_jax.music.assembly import MadeBridge, chain
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.grid import SIXTEENTHS, Grid
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import KeyPlan, plan_keys
from musicvae_jax.music.piece import VELOCITY, Piece, Section
from musicvae_jax.music.piece import Voice as PieceVoice

MAX_TICKS_PER_QUARTER = 32_767


@dataclasses.dataclass(frozen=True)
class Medley:
    """Whole songs with bridges between them.

    Attributes:
      piece: the line of the melodies and of the bridges, whose bars count from 1 at the first
        melody's beginning.
      arrangement: all events; the first track has those that concern all tracks.
      files: what became of each file.
      accompaniment: of the bridges, one of `accompaniment.ACCOMPANIMENTS`.
      origin: the tick at which the piece's first bar begins; before it is the introduction of
        the first file.
    """

    piece: Piece
    arrangement: Arrangement
    files: tuple[File, ...]
    accompaniment: str
    origin: int

    def _repr_html_(self) -> str:
        """The line of the piece, for notebooks."""
        return self.piece._repr_html_()

    @property
    def end(self) -> int:
        """The tick at which the music ends."""
        quarters = self.piece.quarters_at(self.piece.num_steps)
        return max(self.origin + self._ticks(quarters), self.arrangement.end)

    def _ticks(self, quarters: float) -> int:
        return round(quarters * self.arrangement.ticks_per_quarter)

    def midi_bytes(self, name: str = "melody", provenance: str = "") -> bytes:
        """As a MIDI file of type 1.

        Args:
          name: of the sequence, whose tracks keep their own names.
          provenance: how it was made, kept as a text event.
        """
        head = [events.text(0, events.TRACK_NAME, name)]
        if provenance:
            head.append(events.text(0, events.TEXT, provenance))
        first, *others = self.arrangement.tracks
        tracks = [(*head, *first), *others]
        return events.file_bytes(tracks, self.arrangement.ticks_per_quarter, self.end)

    def seconds_at(self, tick: int) -> float:
        """When a tick is heard."""
        return song_events.seconds_at(self.arrangement, tick)

    def notes_in_bars(self) -> tuple[np.ndarray, np.ndarray]:
        """All notes, for a picture: [notes, 3] float (pitch, start, end), those of drums last.

        Starts and ends are in bars from the piece's first one, and may lie before it.

        Returns:
          The notes of pitched instruments, and those of drums.
        """
        notes = self.arrangement.notes
        rows = np.array([(n.pitch, n.start, n.end, n.channel) for n in notes], np.float64)
        rows = rows.reshape(-1, 4)
        table = np.column_stack([rows[:, 0], *map(self.bars_at, rows[:, 1:3].T)])
        is_drum = rows[:, 3] == DRUM_CHANNEL
        return table[~is_drum], table[is_drum]

    def bars_at(self, ticks: np.ndarray) -> np.ndarray:
        """Where ticks lie in bars from the piece's first one, whatever their meters."""
        resolution = self.arrangement.ticks_per_quarter
        sections = self.piece.sections
        starts = np.array([self.origin + song_events.ticks_before(s, resolution) for s in sections])
        bars = np.array([self._ticks(s.melody.grid.quarters_per_bar) for s in sections])
        index = np.clip(np.searchsorted(starts, ticks, side="right") - 1, 0, None)
        first = starts - bars * np.array([section.start_bar for section in sections])
        return (ticks - first[index]) / bars[index]

    def summary(self) -> dict[str, Any]:
        """The piece, the grid and what became of each file, for JSON."""
        resolution = self.arrangement.ticks_per_quarter
        told = self.piece.summary()
        for section, entry in zip(self.piece.sections, told["sections"], strict=True):
            tick = self.origin + song_events.ticks_before(section, resolution)
            entry["start_sec"] = round(self.seconds_at(tick), 3)
        told["duration_sec"] = round(self.seconds_at(self.end), 3)
        whole = {
            "accompaniment": self.accompaniment,
            "ticks_per_quarter": resolution,
            "bar_1_at_quarter": round(self.origin / resolution, 4),
            "quarters": round(self.end / resolution, 4),
            "files": [file.summary(resolution) for file in self.files],
        }
        return told | {"whole": whole}


def medley(
    sources: Sequence[Source],
    bridges: Sequence[Melody | MadeBridge],
    *,
    titles: Sequence[str] | None = None,
    key_path: str = "keep",
    programs: str = "crossfade",
    curves: Sequence[np.ndarray] | None = None,
    accompaniment: str = "fade",
    keeps: str = "beat",
    drums: Sequence[Drums] | None = None,
    as_played: bool = False,
) -> Medley:
    """Plays whole files with a bridge between each two.

    >>> import musicvae_jax as mv
    >>> ode, reel = mv.example_melodies().values()
    >>> mv.write("ode.mid", ode)
    >>> mv.write("reel.mid", reel)
    >>> first, second = mv.read_whole("ode.mid"), mv.read_whole("reel.mid")
    >>> whole = mv.medley([first, second], [ode.window(0, 8)], accompaniment="none")
    >>> mv.write("both.mid", whole)
    >>> whole.piece.num_bars
    40

    The first file is played from its beginning to the bar line with which its melody ends,
    the last one from the bar in which its melody begins to its end; one that bridges lead to
    and from, from its melody's first bar line to its last. `cutting.stretch` says what
    happens at these bar lines.

    In a bridge the melody is played by the instruments of both melodies, each on its own
    channel, as loud as the melodies are beside the bridge. Files may be in different meters:
    a bridge in two meters changes where its second part begins, and `placement.Placement` says
    how an accompaniment goes with it.

    Args:
      sources: the files.
      bridges: melodies as of `assembly.chain`, or what `interpolate` made, with their curves.
      titles, key_path, programs, curves, keeps, as_played: as of `assembly.chain`; the programs'
        `keep` is about the bridges' instrument.
      accompaniment: of the bridges, one of `accompaniment.ACCOMPANIMENTS`.
      drums: for each bridge what the drums play in it, see `drum_part.with_drums`, if both files
        have some; by default what the accompaniment has of them.

    Raises:
      ValueError: as of `assembly.chain`, or the accompaniment is unknown.
    """
    melodies = [source.melody for source in sources]
    lines = [(bridge,) if isinstance(bridge, Melody) else bridge.parts for bridge in bridges]
    made = [bridge.curve for bridge in bridges if not isinstance(bridge, Melody)]
    if curves is None and made and len(made) == len(bridges):
        curves = made
    piece = chain(
        melodies,
        lines,
        titles=titles,
        key_path=key_path,
        programs=programs,
        curves=curves,
        keeps=keeps,
        as_played=as_played,
    )
    plan = plan_keys(melodies, key_path, piece.loops)
    grids = [section.melody.grid for section in piece.sections]
    resolution = shared_resolution([source.arrangement for source in sources], grids)
    scaled = [
        dataclasses.replace(source, arrangement=source.arrangement.scaled(resolution))
        for source in sources
    ]
    origin = 0 if piece.loops else scaled[0].start
    layout = Layout(resolution)
    stretches = _lay_files(layout, scaled, piece, plan, titles, origin)
    first = song_events.of_medley(layout.files, scaled, stretches, piece, origin, keeps)
    for number, crossing in enumerate(_crossings(scaled, piece, plan, curves, origin)):
        before, after = number, (number + 1) % len(sources)
        pair = (scaled[before], scaled[after])
        parts = accompaniment_parts(accompaniment, *pair, crossing.way)
        if drums is not None:
            parts = with_drums(parts, drums[number], pair, crossing.way)
        cross(layout, (before, after), pair, parts, crossing)
    tracks = [first, *layout.sorted_tracks()]
    laid = Arrangement(resolution, tuple(map(tuple, tracks)))
    return Medley(piece, laid, tuple(layout.files), accompaniment, origin)


def shared_resolution(arrangements: Sequence[Arrangement], grids: Sequence[Grid] = ()) -> int:
    """Ticks a quarter note that are exact for all files and for the steps, if MIDI has them.

    Otherwise the largest of the files, as far as it divides into steps; events of the
    others then move by half a tick at most.

    Args:
      arrangements: the files.
      grids: of the piece, whose steps count beside sixteenths.
    """
    each = [arrangement.ticks_per_quarter for arrangement in arrangements]
    steps = math.lcm(*(grid.steps_per_quarter for grid in (SIXTEENTHS, *grids)))
    exact = math.lcm(steps, *each)
    quarters = sum(a.end / a.ticks_per_quarter for a in arrangements) + 4 * 64 * len(each)
    if exact <= MAX_TICKS_PER_QUARTER and exact * quarters < events.MAX_DELTA:
        return exact
    return -(-max(each) // steps) * steps


def _lay_files(
    layout: Layout,
    sources: Sequence[Source],
    piece: Piece,
    plan: KeyPlan,
    titles: Sequence[str] | None,
    origin: int,
) -> list[Stretch]:
    """Places what each file plays outside of the bridges."""
    sections = [section for section in piece.sections if not section.is_bridge]
    stretches = []
    channels: dict[int, int] = {}
    for number, (source, section) in enumerate(zip(sources, sections, strict=True)):
        is_entered = number > 0 or piece.loops
        is_left = number < len(sources) - 1 or piece.loops
        played = stretch(
            source.arrangement,
            source.start if is_entered else None,
            source.stop if is_left else None,
        )
        channels = assign(source, channels)
        file = File(
            title=titles[number] if titles else "",
            shift=origin + song_events.ticks_before(section, layout.resolution) - source.start,
            semitones=plan.shifts[number],
            channels=channels,
            start=source.start if is_entered else None,
            stop=source.stop if is_left else None,
            num_cut=played.cut,
            num_struck=played.struck,
        )
        layout.add_file(file, played)
        stretches.append(played)
    return stretches


def _crossings(
    sources: Sequence[Source],
    piece: Piece,
    plan: KeyPlan,
    curves: Sequence[np.ndarray] | None,
    origin: int,
) -> list[Crossing]:
    """How each bridge gets from one file to the next."""
    result = []
    keys = [key.transpose(shift) for key, shift in zip(plan.keys, plan.shifts, strict=True)]
    resolution = sources[0].arrangement.ticks_per_quarter
    for number, parts in enumerate(piece.bridges()):
        after = (number + 1) % len(sources)
        bars = sum(part.melody.num_bars for part in parts)
        even = np.arange(1, bars + 1) / (bars + 1)
        way = Way(
            curve=np.asarray(curves[number] if curves else even, np.float64),
            keys=(keys[number], keys[after]),
            semitones=plan.glides[number],
            shifts=(plan.shifts[number], plan.shifts[after]),
            grids=tuple(part.melody.grid for part in parts for _ in range(part.melody.num_bars)),
        )
        voices = _voices(piece, parts, sources[after].melody.program, sources[number])
        line = origin + song_events.ticks_before(parts[0], resolution)
        result.append(Crossing(way, line, tuple(voices)))
    return result


def _voices(
    piece: Piece, parts: Sequence[Section], next_program: int, before: Source
) -> list[Voice]:
    """The instruments that play the line of a bridge, with the shares of their loudness."""
    voices = []
    for voice in piece.voices:
        table = np.concatenate([_table(voice, part, parts[0].start_quarter) for part in parts])
        if not table.size:
            continue
        is_next = voice.program == next_program and voice.program != before.melody.program
        voices.append(Voice(int(is_next), voice.program, table))
    return voices


def _table(voice: PieceVoice, part: Section, begin: float) -> np.ndarray:
    """What an instrument plays in a part of a bridge that begins at quarter note `begin`.

    Returns:
      [notes, 5] float64, as `Voice.notes`.
    """
    grid, own = part.melody.grid, voice.start - part.start_step
    inside = (own >= 0) & (own < part.melody.num_steps)
    start, end = own[inside], voice.end[inside] - part.start_step
    before = part.start_quarter - begin
    return np.column_stack(
        [
            voice.pitch[inside],
            before + grid.quarters(start),
            before + grid.quarters(end),
            voice.velocity[inside] / VELOCITY,
            part.bars_before + start // grid.steps_per_bar,
        ]
    )
