"""Puts pieces together: one melody alone, two with a bridge between them, or a chain of many."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import Key, find_key, glide, plan_keys
from musicvae_jax.music.piece import VELOCITY, Piece, Section, Voice, parts_of, placed
from musicvae_jax.music.rebar import KEEPS, quarters_of
from musicvae_jax.music.tempo import Stage, microseconds_per_quarter, tempo_ramp

MAX_BRIDGE_BARS = 64
# keep: the first melody's instrument plays everything.
# switch: in the middle of a bridge the next melody's instrument takes over.
# crossfade: in a bridge both play the line, and one gives way to the other.
PROGRAM_PATHS = ("keep", "switch", "crossfade")
_MAX_PROGRAMS = 15  # channels of MIDI that are not drums


def single(
    melody: Melody | Sequence[Melody],
    origin: str = "melody 1",
    title: str = "",
    is_bridge: bool = False,
) -> Piece:
    """A piece of one melody, or of a bridge alone, which may be a melody for each meter."""
    parts = (melody,) if isinstance(melody, Melody) else melody
    told = Section(origin, title, parts[0], 0, is_bridge, "", 0)
    named = [
        dataclasses.replace(section, melody=_whole_bars(section.melody), key=_key(section))
        for section in _bridge(told, parts, find_key(parts[0]), None)
    ]
    return _assemble(named, "keep")


def in_one_voice(piece: Piece) -> Piece:
    """The same, played by the instrument of its first section alone."""
    return dataclasses.replace(piece, voices=_voices(piece.sections, "keep"))


def _key(section: Section) -> str:
    return find_key(section.melody).name


class MadeBridge(Protocol):
    """A bridge that knows its curve, such as `interpolate` makes.

    Attributes:
      parts: of whole bars, one for each meter.
      curve: [bars] float, how far each bar has come from the first melody to the second.
    """

    @property
    def parts(self) -> tuple[Melody, ...]: ...

    @property
    def curve(self) -> np.ndarray: ...


def splice(
    first: Melody,
    bridge: Melody | MadeBridge,
    second: Melody,
    *,
    titles: Sequence[str] | None = None,
    key_path: str = "keep",
    programs: str = "crossfade",
    curve: np.ndarray | None = None,
    keeps: str = "beat",
) -> Piece:
    """Plays two melodies with a bridge between them; `chain` does it with more.

    >>> import musicvae_jax as mv
    >>> model = mv.load_model()
    >>> ode, reel = mv.example_melodies().values()
    >>> [bridge] = mv.interpolate(model, ode, reel, bars=8)
    >>> mv.splice(ode, bridge, reel).num_bars
    40

    Args:
      first, second: the melodies, each with its own tempo and program.
      bridge: from `interpolate`, or any melody of whole bars, 1 to 64.
      titles: two, for people.
      key_path: `keep`, `transpose` or `glide`, the one with which the bridge was made; see
        `modulation.KEY_PATHS`.
      programs: how the instruments change: `keep`, `switch` or `crossfade`, see
        `PROGRAM_PATHS`.
      curve: [bars] float, which a gliding key follows; None for the bridge's own.
      keeps: where the meter changes, as for `chain`.

    Raises:
      ValueError: see `chain`.
    """
    if isinstance(bridge, Melody):
        parts: tuple[Melody, ...] = (bridge,)
    else:
        parts = bridge.parts
        curve = bridge.curve if curve is None else curve
    return chain(
        [first, second],
        [parts],
        titles=titles,
        key_path=key_path,
        programs=programs,
        curves=None if curve is None else [curve],
        keeps=keeps,
    )


def chain(
    melodies: Sequence[Melody],
    bridges: Sequence[Melody | Sequence[Melody]],
    *,
    titles: Sequence[str] | None = None,
    key_path: str = "keep",
    programs: str = "crossfade",
    curves: Sequence[np.ndarray] | None = None,
    keeps: str = "beat",
    as_played: bool = False,
) -> Piece:
    """Melodies one after the other, with a bridge between each two.

    Every melody is played as it was, from bar line to bar line: one that does not fill
    its last bar is followed by silence up to the next. In a bridge the tempo goes from
    that of the melody before it to that of the melody after it; see `tempo_ramp`.

    Args:
      melodies: K of them, as they were read, each with its own tempo and program.
      bridges: K - 1 of whole bars, 1 to 64, or K: the last then leads from the last
        melody back to the first, and the piece can be played round and round. They are
        to be made from `plan_keys(melodies, key_path, loop).pairs`. A bridge that changes its
        meter is several melodies, each on its own grid.
      titles: [K] for people.
      key_path: one of `modulation.KEY_PATHS`.
      programs: one of `PROGRAM_PATHS`.
      curves: for each bridge [bars] float, t of each bar, which a gliding key follows;
        see `modulation.glide`.
      keeps: where the meter changes, whether the `beat` keeps its length or the `bar`; see
        `rebar.quarters_of`.
      as_played: whether the bridges have the pitches that are to be heard, whatever key they
        lead to.

    Raises:
      ValueError: the numbers of melodies and bridges do not match, a bridge is not 1 to
        64 whole bars, a name is unknown, or MIDI cannot express a tempo or that
        many programs.
    """
    count = len(melodies)
    if not melodies or len(bridges) not in (count - 1, count):
        raise ValueError(
            f"{count} melodies need {count - 1} bridges, or {count} to loop; got {len(bridges)}"
        )
    if keeps not in KEEPS:
        raise ValueError(f"unknown keeps {keeps!r}; valid are {', '.join(KEEPS)}")
    lines = [(bridge,) if isinstance(bridge, Melody) else tuple(bridge) for bridge in bridges]
    for parts in lines:
        bars = sum(part.num_steps / part.grid.steps_per_bar for part in parts)
        is_whole = all(0 < part.num_steps == _whole_bars(part).num_steps for part in parts)
        if not is_whole or not 1 <= bars <= MAX_BRIDGE_BARS:
            raise ValueError(f"a bridge must be 1 to {MAX_BRIDGE_BARS} whole bars, not {bars:g}")
    loops = len(bridges) == count
    plan = plan_keys(melodies, key_path, loops)
    keys = [key.transpose(shift) for key, shift in zip(plan.keys, plan.shifts, strict=True)]
    titles = titles or [""] * count
    paces = list(curves) if curves else [None] * len(bridges)
    sections = []
    for index, (melody, title, shift) in enumerate(zip(melodies, titles, plan.shifts, strict=True)):
        moved = _whole_bars(melody).transpose(shift)
        key = keys[index].name
        sections.append(Section(f"melody {index + 1}", title, moved, 0, False, key, shift))
        if index < len(bridges):
            way, after = plan.glides[index], keys[(index + 1) % count].name
            name = f"bridge {index + 1}" if len(bridges) > 1 else "bridge"
            leads = key if key == after else f"{key} to {after}"
            told = Section(name, "", melody, 0, True, leads, way)
            sections += _bridge(told, lines[index], keys[index], paces[index], as_played)
    return _assemble(sections, programs, loops, keeps)


def _bridge(
    told: Section,
    parts: Sequence[Melody],
    key: Key,
    curve: np.ndarray | None,
    as_played: bool = False,
) -> Iterator[Section]:
    """The sections of a bridge, one for each meter: as `told`, with their melodies."""
    bars, passed = sum(part.num_bars for part in parts), 0
    if curve is None:
        curve = np.arange(1, bars + 1) / (bars + 1)
    for part in parts:
        own = np.asarray(curve)[passed : passed + part.num_bars]
        melody = part if as_played else glide(part, key, told.semitones, own)
        passed += part.num_bars
        yield dataclasses.replace(
            told, melody=melody, bars_before=passed - part.num_bars, bars_after=bars - passed
        )


def _whole_bars(melody: Melody) -> Melody:
    return dataclasses.replace(melody, num_steps=melody.num_bars * melody.grid.steps_per_bar)


def _assemble(
    sections: Sequence[Section], programs: str, loops: bool = False, keeps: str = "beat"
) -> Piece:
    """Sets sections one after the other; adds tempos and voices."""
    sections = placed(sections)
    tempos: list[tuple[int, float]] = []
    for index, section in enumerate(sections):
        if section.bars_before:
            continue  # told with the first section of its bridge
        parts = parts_of(sections, index)
        before, after = _ends(sections, index)
        for part, ramp in zip(parts, bridge_tempos(parts, before, after, keeps), strict=True):
            for step, bpm in ramp:
                microseconds = microseconds_per_quarter(bpm)
                if not tempos or microseconds != microseconds_per_quarter(tempos[-1][1]):
                    tempos.append((part.start_step + step, bpm))
    return Piece(tuple(sections), tuple(tempos), _voices(sections, programs), loops)


def bridge_tempos(
    parts: Sequence[Section], before: Melody, after: Melody, keeps: str
) -> list[list[tuple[int, float]]]:
    """The tempos of each part of a bridge, which lead from one melody's to the other's.

    Args:
      parts: the sections of the bridge, one for each meter.
      before, after: the melodies, or others with their grids and the tempos that count.
      keeps: where the meter changes, one of `rebar.KEEPS`.

    Returns:
      For each part `(step, tempo_bpm)` of each change, from step 0 of the part.
    """
    # In a meter that is neither's, and in one that is both's, quarter notes are counted.
    grids = [section.melody.grid for section in parts] + [before.grid, after.grid]
    pulse_of = dict.fromkeys(grids, 1.0)
    if before.grid != after.grid:
        pulses = quarters_of(before.grid, after.grid, keeps)
        pulse_of |= zip((before.grid, after.grid), pulses, strict=True)
    stages = [
        Stage(part.melody.num_bars, part.melody.grid, pulse_of[part.melody.grid]) for part in parts
    ]
    # The tempos of the melodies as quarter notes of the bridge's first and last meter.
    from_bpm = before.tempo_bpm * (stages[0].pulse / pulse_of[before.grid])
    to_bpm = after.tempo_bpm * (stages[-1].pulse / pulse_of[after.grid])
    return tempo_ramp(from_bpm, to_bpm, stages)


def _ends(sections: Sequence[Section], index: int) -> tuple[Melody, Melody]:
    """The melodies before and after a bridge; a melody is both itself."""
    section = sections[index]
    melodies = [number for number, one in enumerate(sections) if not one.is_bridge]
    if not section.is_bridge or not melodies:
        return section.melody, section.melody
    before = [number for number in melodies if number < index]
    after = [number for number in melodies if number > index]
    return sections[(before or melodies)[-1]].melody, sections[(after or melodies)[0]].melody


def _voices(sections: Sequence[Section], programs: str) -> tuple[Voice, ...]:
    """One voice for each program, in order of appearance.

    Where two instruments cross, both play the line, at velocities that cross with equal
    power: synthesisers take amplitude to be the square of velocity (General MIDI 2, and
    the default of SoundFonts), and two instruments in unison are not in phase. The
    share of the second is that of the bridge passed at the middle of each note.

    Raises:
      ValueError: the name is unknown, or there are more programs than MIDI channels.
    """
    if programs not in PROGRAM_PATHS:
        raise ValueError(f"unknown programs {programs!r}; valid are {', '.join(PROGRAM_PATHS)}")
    rows: dict[int, list[np.ndarray]] = {}
    for index, section in enumerate(sections):
        melody, offset = section.melody, section.start_step
        before, after = (melody.program for melody in _ends(sections, index))
        if programs == "keep":
            before = after = sections[0].melody.program
        per_bar = melody.grid.steps_per_bar
        bars = section.bars_before + melody.num_bars + section.bars_after
        passed = section.bars_before * per_bar
        share = (passed + (melody.start + melody.end) / 2) / (bars * per_bar)
        if programs == "switch":
            share = (passed + melody.start >= bars // 2 * per_bar).astype(np.float64)
        gains = {before: np.cos(share * np.pi / 2), after: np.sin(share * np.pi / 2)}
        if before == after:
            gains = {before: np.ones(melody.pitch.size)}
        for program, gain in gains.items():
            velocity = np.rint(VELOCITY * np.sqrt(gain)).astype(np.int32)
            notes = (melody.pitch, melody.start + offset, melody.end + offset, velocity)
            rows.setdefault(program, []).append(np.stack(notes)[:, velocity > 0])
    if len(rows) > _MAX_PROGRAMS:
        raise ValueError(f"MIDI has channels for {_MAX_PROGRAMS} programs, not {len(rows)}")
    tables = {program: np.concatenate(parts, axis=1) for program, parts in rows.items()}
    return tuple(Voice(program, *table) for program, table in tables.items())
