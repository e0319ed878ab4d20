"""From songs to melodies."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from musicvae_jax.midi.analysis import melody_track, top_line
from musicvae_jax.midi.analysis.endings import with_whole_end
from musicvae_jax.midi.song import Song, Track
from musicvae_jax.music.grid import METER_NAMES, METERS, SIXTEENTHS, Grid, best_grid, mean_move
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, Melody
from musicvae_jax.system.errors import UserError

MIN_NOTES = 4


class Stretch(NamedTuple):
    """A part of a song whose bars follow each other evenly.

    Attributes:
      start, end: in quarter notes.
      grids: on which it can be read, the usual one first.
    """

    start: float
    end: float
    grids: tuple[Grid, ...] = (SIXTEENTHS,)

    @property
    def meter(self) -> str:
        """As it is read."""
        return self.grids[0].meter

    def on(self, steps_per_bar: int) -> "Stretch":
        """The same, to be read on a grid of that many steps a bar; such a one must exist."""
        fitting = tuple(grid for grid in self.grids if grid.steps_per_bar == steps_per_bar)
        return self._replace(grids=fitting)

    def contains(self, quarters: np.ndarray) -> np.ndarray:
        """Which positions lie in it."""
        return (quarters >= self.start - 1e-6) & (quarters < self.end - 1e-6)


@dataclasses.dataclass(frozen=True)
class TrackReport:
    """What became of a track.

    Attributes:
      track: the track.
      score: by which tracks are ranked; 0 for drums.
      decision: for people; "taken" for the melody's.
      number: of the track in the song, counted from 1.
    """

    track: Track
    score: float
    decision: str
    number: int


@dataclasses.dataclass(frozen=True)
class Extraction:
    """How the melody of a song was found, or why none was.

    Attributes:
      tracks: the likeliest first, drums last.
      span: the stretch that was read; None if no meter fits.
      melody: None if there is no usable one.
      refusal: why not; empty if there is one.
      origin: where the melody's step 0 lies in the song, in quarter notes as those of its
        tracks; it may be before 0. None if there is no melody.
    """

    tracks: tuple[TrackReport, ...]
    span: Stretch | None
    melody: Melody | None
    refusal: str
    origin: float | None = None


def stretches(song: Song) -> list[Stretch]:
    """The stretches of a song in meters that can be read, in order.

    Neighbouring stretches whose bars are read alike, such as those of 4/4 and 2/2, count as one
    where the change stands on a bar line of the first. Changes of tempo divide nothing:
    positions are on the beat grid.
    """
    end = max((float(track.end.max()) for track in song.tracks), default=0.0)
    starts = [start for start, _, _ in song.meters] + [end]
    found: list[Stretch] = []
    for (start, numerator, denominator), stop in zip(song.meters, starts[1:], strict=True):
        grids = METERS.get((numerator, denominator))
        if grids is None or stop <= start:
            continue
        found.append(Stretch(start, stop, grids))
        if len(found) > 1 and _go_on(*found[-2:]):
            found[-2:] = [found[-2]._replace(end=stop)]
    return found


def _go_on(first: Stretch, second: Stretch) -> bool:
    """Whether the bars of a stretch go on in the next one."""
    bar = first.grids[0].quarters_per_bar
    is_on_line = (second.start - first.start) % bar < 1e-6
    return first.end == second.start and first.grids == second.grids and is_on_line


def highest_line(
    track: Track, start: float, end: float, grid: Grid = SIXTEENTHS
) -> list[tuple[int, int, int]]:
    """The top line of a track on a grid, as `(pitch, start, end)` in steps.

    As MusicVAE's extraction does: of notes that begin together the highest is
    taken, and each note ends at the latest where the next begins.

    Args:
      track: the track to read.
      start, end: the stretch to read, in quarter notes; step 0 is at `start`.
      grid: to whose steps onsets and ends move.
    """
    inside = (track.start >= start - 1e-6) & (track.start < end - 1e-6)
    pitch = track.pitch[inside]
    onset = grid.played(grid.nearest(track.start[inside] - start))
    release = grid.played(grid.nearest(np.minimum(track.end[inside], end) - start))
    order = np.lexsort((-pitch, onset))
    pitch, onset, release = pitch[order], onset[order], release[order]
    is_top = np.diff(onset, prepend=-1) > 0
    pitch, onset, release = pitch[is_top], onset[is_top], release[is_top]
    release = np.maximum(release, onset + 1)
    release[:-1] = np.minimum(release[:-1], onset[1:])
    onset, release = grid.step_of(onset), grid.step_of(release)
    return list(zip(pitch.tolist(), onset.tolist(), release.tolist(), strict=True))


def _line(song: Song, track: Track, span: Stretch) -> tuple[list[tuple[int, int, int]], Grid]:
    """The top line of a track of a song in a stretch, without what can only accompany it.

    It is on that grid of the stretch's which moves its onsets least.
    """
    line = top_line.melodic(track)
    grid = best_grid(line.start[span.contains(line.start)] - span.start, span.grids)
    line = line if song.is_exact else with_whole_end(line, span.start, grid)
    return highest_line(line, span.start, span.end, grid), grid


class _Ranked(NamedTuple):
    number: int
    track: Track
    score: float


def extract(
    song: Song,
    span: Stretch | None = None,
    track: str | None = None,
    grid: Grid | None = None,
) -> Extraction:
    """Finds the melody of a song: its likeliest track's top line in a stretch of it.

    Bars before the first note are dropped. Of a song with words below its notes only what is
    sung is a melody, not the accompaniment of a stretch in which nobody sings.

    Args:
      song: the song.
      span: one of its `stretches`; by default the longest.
      track: the number or the name of the track that is the melody, whatever it looks like;
        by default the likeliest one.
      grid: on which it is to be read, however its notes fit; by default the one of the
        stretch's that moves them least.

    Raises:
      UserError: there is no such track.
    """
    ranked = _ranked(song)
    wanted = None if track is None else find_track(song, track)
    is_sung = any(one.num_syllables for one in song.tracks)
    decisions: list[str] = []
    for number, one, _ in ranked:
        if wanted is not None:
            decisions.append("" if wanted == number else "not asked for")
        elif one.is_drum:
            decisions.append("drums")
        else:
            decisions.append("not sung" if is_sung and not one.num_syllables else "")
    if span is None:
        span = max(stretches(song), key=lambda s: s.end - s.start, default=None)
    if span is not None and grid is not None:
        span = span._replace(grids=(grid,))
    refusal = ""
    if "" not in decisions:
        refusal = f"the file has {'only drum tracks' if ranked else 'no notes'}"
    elif span is None:
        meters = ", ".join(sorted({f"{n}/{d}" for _, n, d in song.meters}))
        refusal = f"the meter is {meters}; valid are {METER_NAMES}"
        decisions = [decision or "not looked at" for decision in decisions]
    if refusal or span is None:
        return Extraction(_reports(ranked, decisions), None, None, refusal)
    return _first_usable(song, span, ranked, decisions)


def find_track(song: Song, wanted: str) -> int:
    """The number, from 1, of a track that is called by its number or its name.

    Of several tracks of that name the one that looks most like a melody.

    Raises:
      UserError: there is none; lists those that there are.
    """
    named = [
        number
        for number, one, _ in _ranked(song)
        if one.name.casefold() == wanted.strip().casefold() != ""
    ]
    if named:
        return named[0]
    if re.fullmatch(r"\s*[1-9][0-9]{0,3}\s*", wanted) and int(wanted) <= len(song.tracks):
        return int(wanted)
    tracks = ", ".join(f"{n} {t.name}".strip() for n, t in enumerate(song.tracks, start=1))
    raise UserError(f"track={wanted}: no such track; there are {tracks or 'none'}", "track")


def _ranked(song: Song) -> list[_Ranked]:
    """The tracks of a song with their scores, the likeliest melody first, drums last."""
    numbered = list(enumerate(song.tracks, start=1))
    drums = [_Ranked(number, track, 0.0) for number, track in numbered if track.is_drum]
    pitched = [(number, track) for number, track in numbered if not track.is_drum]
    if not pitched:
        return drums
    scores = melody_track.scores([track for _, track in pitched], song.syllables).tolist()
    scored = [_Ranked(*pair, score) for pair, score in zip(pitched, scores, strict=True)]
    return sorted(scored, key=lambda ranked: ranked.score, reverse=True) + drums


def _reports(ranked: Sequence[_Ranked], decisions: Sequence[str]) -> tuple[TrackReport, ...]:
    return tuple(
        TrackReport(one.track, one.score, decision, one.number)
        for one, decision in zip(ranked, decisions, strict=True)
    )


def _first_usable(
    song: Song,
    span: Stretch,
    ranked: Sequence[_Ranked],
    decisions: list[str],
) -> Extraction:
    """The melody of the first track that has one, of those without a decision."""
    refused: list[str] = []
    melody = origin = None
    for index, (_, track, _) in enumerate(ranked):
        if decisions[index]:
            continue
        if melody is not None:
            decisions[index] = "not needed"
            continue
        notes, grid = _line(song, track, span)
        refusal = _refusal(notes, grid)
        decisions[index] = refusal or "taken"
        if refusal:
            label = f"{track.name!r}, " if track.name else ""
            refused.append(f"track ({label}program {track.program}) {refusal}")
            continue
        tempo_bpm = song.tempo_bpm_at(span.start + float(grid.quarters(notes[0][1])))
        blank = notes[0][1] // grid.steps_per_bar * grid.steps_per_bar
        melody = _trimmed(notes, blank, tempo_bpm, track.program, grid)
        origin = span.start + float(grid.quarters(blank))
    refusal = "" if melody else "; ".join(refused)
    return Extraction(_reports(ranked, decisions), span, melody, refusal, origin)


def explain_changes(song: Song, extraction: Extraction) -> tuple[str, ...]:
    """What happened to a track's notes on their way into the melody, step by step.

    Args:
      song: the song.
      extraction: of that song, with a melody.
    """
    [track] = [report.track for report in extraction.tracks if report.decision == "taken"]
    span, melody = extraction.span, extraction.melody
    assert span is not None and melody is not None
    line = top_line.melodic(track)
    grid = melody.grid
    notes, _ = _line(song, track, span._replace(grids=(grid,)))
    melodic = np.count_nonzero(span.contains(line.start))
    inside = span.contains(track.start)
    onsets = track.start[inside] - span.start
    positions = onsets * grid.steps_per_quarter
    off_grid = np.abs(positions - np.round(positions)) / grid.steps_per_quarter
    others = "".join(
        f" ({other.name}: {mean_move(onsets, other):.3f})" for other in span.grids if other != grid
    )
    shortened = sum(end == start for (_, _, end), (_, start, _) in itertools.pairwise(notes))
    blank = notes[0][1] // grid.steps_per_bar
    return (
        f"{track.pitch.size} notes in the track, {inside.sum()} of them in quarter notes "
        f"{span.start:g} to {span.end:g}, a stretch in {span.meter}",
        f"read on the grid of {grid.name}, {grid.steps_per_bar} steps a bar: onsets moved by "
        f"{off_grid.mean():.3f} quarter notes on average{others}, {off_grid.max():.3f} at most; "
        f"{len(song.tempos)} tempos in the file, the grid follows them",
        f"{inside.sum() - melodic} notes dropped that accompany or adorn others of the track, "
        f"{melodic - len(notes)} below another that begins with them; "
        f"{len(notes)} are left, {shortened} of which end where the next begins",
        f"{blank} blank bars dropped at the beginning; {melody.num_bars} bars of {grid.meter} are "
        "left",
    )


def extract_melody(
    song: Song, source: str, track: str | None = None, grid: Grid | None = None
) -> Melody:
    """The melody of a song; see `extract`.

    Args:
      song: the song.
      source: the file's name, for messages.
      track, grid: as for `extract`.

    Raises:
      UserError: there is no usable melody; says which track was looked at and why
        it was refused. Or there is no such track.
    """
    return melody_and_origin(song, source, track, grid)[0]


def melody_and_origin(
    song: Song, source: str, track: str | None = None, grid: Grid | None = None
) -> tuple[Melody, float]:
    """`extract_melody`, and where in the song it begins; see `Extraction.origin`."""
    extraction = extract(song, track=track, grid=grid)
    if extraction.melody is None or extraction.origin is None:
        raise UserError(f"{source}: no usable melody: {extraction.refusal}")
    return extraction.melody, extraction.origin


def _refusal(notes: list[tuple[int, int, int]], grid: Grid) -> str | None:
    if len(notes) < MIN_NOTES:
        return f"has {len(notes)} notes in {grid.meter}, {MIN_NOTES} are needed"
    low, high = min(n[0] for n in notes), max(n[0] for n in notes)
    if low < MIN_PITCH or high > MAX_PITCH:
        return f"has pitches {low}..{high}, outside of the piano's {MIN_PITCH}..{MAX_PITCH}"
    return None


def _trimmed(
    notes: list[tuple[int, int, int]], blank: int, tempo_bpm: float, program: int, grid: Grid
) -> Melody:
    """The melody of notes without the first `blank` steps."""
    num_steps = -(-(notes[-1][2] - blank) // grid.steps_per_bar) * grid.steps_per_bar
    shifted = [(pitch, start - blank, end - blank) for pitch, start, end in notes]
    told = {"tempo_bpm": tempo_bpm, "program": program, "grid": grid}
    return Melody.from_notes(shifted, num_steps, **told)
