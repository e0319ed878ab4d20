"""From a score as written to a song as it sounds."""

import dataclasses

import numpy as np

from musicvae_jax.midi.song import Song, Track, make_song
from musicvae_jax.music.melody import DEFAULT_TEMPO_BPM
from musicvae_jax.music.piece import VELOCITY
from musicvae_jax.notation.repeats import playing_order
from musicvae_jax.notation.score import TICKS_PER_QUARTER, Bar, Score, VoiceInfo

# Two bars of 2/4 make one of the model's, and two of 3/8, so the first bar line is a whole one in.
_FIRST_BAR_LINE = {
    2 * TICKS_PER_QUARTER: 4 * TICKS_PER_QUARTER,
    3 * TICKS_PER_QUARTER // 2: 3 * TICKS_PER_QUARTER,
}
# Files round the lengths of tuplets; a bar that is so nearly full is full.
_TOLERANCE = TICKS_PER_QUARTER // 12


@dataclasses.dataclass
class _Grid:
    """Where the next bar is placed.

    Attributes:
      origin: the bar line at which the present meter begins, in ticks.
      position: where the bar before ends.
      bar: the length of a bar by the meter; 0 before the first one.
    """

    origin: int = 0
    position: int = 0
    bar: int = 0

    @property
    def filled(self) -> int:
        """How much of the present bar has been played."""
        return (self.position - self.origin) % self.bar if self.bar else 0

    @property
    def bar_line(self) -> int:
        """The bar line at the position, or the next one."""
        return self.position + (self.bar - self.filled if self.filled else 0)


def perform(score: Score, most_notes: int) -> Song:
    """Plays a score: repeats played out, ties joined, every bar on the grid of its meter.

    An upbeat stands before its bar line, and the first bar line is at a multiple of the
    bar's length (of two bars in 2/4 and 3/8). A bar that is shorter or longer than its
    meter leaves the grid where it is: the other part of a bar follows directly, any other
    bar at the next bar line. To let it follow directly would move all bars after it off
    the grid of the model's bars. Where a repeated upbeat has no room, the bar before ends
    early.

    Raises:
      ValueError: repeats make more than `most_notes` notes of it, or it is too long.
    """
    order = score.order or playing_order(score.bars)
    count = sum(len(notes) for i in order for notes in score.bars[i].notes.values())
    if count > most_notes:
        raise ValueError(
            f"{count} notes with its repeats, more than the {most_notes} that are read"
        )
    positions, meters, num_odd = _place([score.bars[i] for i in order], _strains(score, order))
    warnings = list(score.warnings)
    if num_odd:
        warnings.append(f"{num_odd} bars are not as long as their meter says; rests fill them up")
    placed = [(position, score.bars[i]) for position, i in zip(positions, order, strict=True)]
    tracks = [_track(key, info, placed) for key, info in score.voices.items()]
    return make_song(
        tracks,
        [(start / TICKS_PER_QUARTER, *meter) for start, meter in meters],
        _tempos(score, order, positions),
        warnings,
        score.title,
    )


def _strains(score: Score, order: list[int]) -> list[bool]:
    """For each bar played, whether a part of the song begins with it."""
    return [
        _begins_strain(score.bars, before, bar)
        for before, bar in zip([None, *order], order, strict=False)
    ]


def _begins_strain(bars: list[Bar], before: int | None, index: int) -> bool:
    bar = bars[index]
    if before is None:
        return True
    if bar.endings and index > before + 1:
        return False  # the second ending goes on as the first did, which is passed over
    is_jump = index != before + 1 or index == 0
    return is_jump or bar.begins_strain or bar.begins_repeat or bar.coda


def _place(
    bars: list[Bar], strains: list[bool]
) -> tuple[list[int], list[tuple[int, tuple[int, int]]], int]:
    """Places bars one after another on the grid of their meters.

    Args:
      bars: in the order in which they are played.
      strains: for each, whether an upbeat may begin it.

    Returns:
      The position of each, the meters with their positions, and how many bars are longer
      or shorter than their meter without being an upbeat, the end before one, or a part.
    """
    grid = _Grid()
    positions: list[int] = []
    meters: list[tuple[int, tuple[int, int]]] = []
    num_odd = 0
    for bar, is_strain in zip(bars, strains, strict=True):
        full, length = bar.full_length, bar.length
        if abs(full - length) < _TOLERANCE:
            length = full
        if bar.meter and (not meters or meters[-1][1] != bar.meter):
            start = grid.bar_line
            meters.append((start, bar.meter))
            grid = _Grid(start, start, full)
            if length < full and is_strain:
                room = full if positions else _FIRST_BAR_LINE.get(full, full)
                grid.position = start + room - length
        elif length == full:
            num_odd += bool(grid.filled) and not is_strain
            grid.position = grid.bar_line
        elif length < full and grid.filled + length == full:
            pass  # the other part of a bar that is written in two
        elif length < full and is_strain and positions:
            grid.position = max(grid.bar_line - length, 0)
        elif length > full or grid.filled + length > full:
            num_odd += 1
            grid.position = grid.bar_line
        positions.append(grid.position)
        grid.position += length
    return positions, meters, num_odd


def _tempos(score: Score, order: list[int], positions: list[int]) -> list[tuple[float, float]]:
    """The changes of tempo; a repeat begins in the tempo of the first time."""
    at_start: list[float | None] = []
    tempo: float | None = None
    for bar in score.bars:
        at_start.append(tempo)
        tempo = bar.tempos[-1][1] if bar.tempos else tempo
    result: list[tuple[int, float]] = []
    for index, position in zip(order, positions, strict=True):
        marks = sorted(score.bars[index].tempos)
        if not marks or marks[0][0]:
            marks.insert(0, (0, at_start[index] or DEFAULT_TEMPO_BPM))
        for offset, bpm in marks:
            while result and result[-1][0] >= position + offset:  # replaced at its own place
                result.pop()
            if not result or result[-1][1] != bpm:
                result.append((position + offset if result else 0, bpm))
    return [(start / TICKS_PER_QUARTER, bpm) for start, bpm in result]


def _track(key: str, info: VoiceInfo, placed: list[tuple[int, Bar]]) -> Track:
    """One voice in the order of time, with tied notes joined."""
    rows: list[list] = []  # [pitch, start, end]
    last: dict[int, list] = {}
    end = 0
    for position, bar in placed:
        if position < end:  # an upbeat over the bar before
            while rows and rows[-1][1] >= position:
                rows.pop()
            last = {pitch: row for pitch, row in last.items() if row[1] < position}
            for row in last.values():
                row[2] = min(row[2], position)
        end = position + bar.length
        for note in sorted(bar.notes.get(key, ()), key=lambda note: note.start):
            start = position + note.start
            before = last.get(note.pitch)
            if note.is_tied and before and abs(before[2] - start) < _TOLERANCE:
                before[2] = start + note.length
                continue
            row = [note.pitch, start, start + note.length]
            rows.append(row)
            last[note.pitch] = row
    rows.sort(key=lambda row: (row[1], row[0]))
    pitch = np.array([row[0] for row in rows], np.int32)
    return Track(
        name=info.name,
        program=info.program,
        is_drum=info.is_drum,
        pitch=pitch,
        velocity=np.full_like(pitch, VELOCITY),
        start=np.array([row[1] for row in rows], np.float64) / TICKS_PER_QUARTER,
        end=np.array([row[2] for row in rows], np.float64) / TICKS_PER_QUARTER,
        num_syllables=info.num_syllables,
    )
