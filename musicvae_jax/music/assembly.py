"""Puts pieces together: one melody alone, two with a bridge between them, or a chain of many."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import find_key, glide, plan_keys
from musicvae_jax.music.piece import VELOCITY, Piece, Section, Voice, placed
from musicvae_jax.music.tempo import microseconds_per_quarter, tempo_ramp

MAX_BRIDGE_BARS = 64
# keep: the first melody's instrument plays everything.
# switch: in the middle of a bridge the next melody's instrument takes over.
# crossfade: in a bridge both play the line, and one gives way to the other.
PROGRAM_PATHS = ("keep", "switch", "crossfade")
_MAX_PROGRAMS = 15  # channels of MIDI that are not drums


def single(
    melody: Melody, origin: str = "melody 1", title: str = "", is_bridge: bool = False
) -> Piece:
    """A piece of one melody, or of a bridge alone."""
    key = find_key(melody).name
    return _assemble([Section(origin, title, _whole_bars(melody), 0, is_bridge, key, 0)], "keep")


class MadeBridge(Protocol):
    """A bridge that knows its curve, such as `interpolate` makes.

    Attributes:
      melody: of whole bars.
      curve: [bars] float, how far each bar has come from the first melody to the second.
    """

    @property
    def melody(self) -> Melody: ...

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

    Raises:
      ValueError: see `chain`.
    """
    if isinstance(bridge, Melody):
        melody = bridge
    else:
        melody = bridge.melody
        curve = bridge.curve if curve is None else curve
    return chain(
        [first, second],
        [melody],
        titles=titles,
        key_path=key_path,
        programs=programs,
        curves=None if curve is None else [curve],
    )


def chain(
    melodies: Sequence[Melody],
    bridges: Sequence[Melody],
    *,
    titles: Sequence[str] | None = None,
    key_path: str = "keep",
    programs: str = "crossfade",
    curves: Sequence[np.ndarray] | None = None,
) -> Piece:
    """Melodies one after the other, with a bridge between each two.

    Every melody is played as it was, from bar line to bar line: one that does not fill
    its last bar is followed by silence up to the next. In a bridge the tempo goes from
    that of the melody before it to that of the melody after it; see `tempo_ramp`.

    Args:
      melodies: K of them, as they were read, each with its own tempo and program.
      bridges: K - 1 of whole bars, 1 to 64, or K: the last then leads from the last
        melody back to the first, and the piece can be played round and round. They are
        to be made from `plan_keys(melodies, key_path, loop).pairs`.
      titles: [K] for people.
      key_path: one of `modulation.KEY_PATHS`.
      programs: one of `PROGRAM_PATHS`.
      curves: for each bridge [bars] float, t of each bar, which a gliding key follows;
        see `modulation.glide`.

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
    for bridge in bridges:
        per_bar = bridge.grid.steps_per_bar
        if bridge.num_steps % per_bar or not 1 <= bridge.num_bars <= MAX_BRIDGE_BARS:
            raise ValueError(
                f"a bridge must be 1 to {MAX_BRIDGE_BARS} whole bars, not "
                f"{bridge.num_steps / per_bar:g}"
            )
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
            bridge = glide(bridges[index], keys[index], way, paces[index])
            name = f"bridge {index + 1}" if len(bridges) > 1 else "bridge"
            leads = key if key == after else f"{key} to {after}"
            sections.append(Section(name, "", bridge, 0, True, leads, way))
    return _assemble(sections, programs, loops)


def _whole_bars(melody: Melody) -> Melody:
    return dataclasses.replace(melody, num_steps=melody.num_bars * melody.grid.steps_per_bar)


def _assemble(sections: Sequence[Section], programs: str, loops: bool = False) -> Piece:
    """Sets sections one after the other; adds tempos and voices."""
    sections = placed(sections)
    tempos: list[tuple[int, float]] = []
    for index, section in enumerate(sections):
        before, after = _ends(sections, index)
        melody = section.melody
        ramp = tempo_ramp(before.tempo_bpm, after.tempo_bpm, melody.num_bars, melody.grid)
        for step, bpm in ramp:
            microseconds = microseconds_per_quarter(bpm)
            if not tempos or microseconds != microseconds_per_quarter(tempos[-1][1]):
                tempos.append((section.start_step + step, bpm))
    return Piece(tuple(sections), tuple(tempos), _voices(sections, programs), loops)


def _ends(sections: Sequence[Section], index: int) -> tuple[Melody, Melody]:
    """The melodies before and after a bridge; a melody is both itself."""
    section = sections[index]
    if not section.is_bridge or len(sections) == 1:
        return section.melody, section.melody
    return sections[index - 1].melody, sections[(index + 1) % len(sections)].melody


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
        share = (melody.start + melody.end) / 2 / melody.num_steps
        if programs == "switch":
            half = melody.num_bars // 2 * melody.grid.steps_per_bar
            share = (melody.start >= half).astype(np.float64)
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
