"""From songs to melodies."""

import dataclasses
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from musicvae_jax.midi.analysis import melody_track, top_line
from musicvae_jax.midi.analysis.endings import with_whole_end
from musicvae_jax.midi.reading import DUPLE_METERS, METER_NAMES
from musicvae_jax.midi.song import Song, Track
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, STEPS_PER_BAR, STEPS_PER_QUARTER, Melody
from musicvae_jax.system.errors import UserError

MIN_NOTES = 4


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
      span: the stretch that was read, in quarter notes; None if no meter fits.
      melody: None if there is no usable one.
      refusal: why not; empty if there is one.
      origin: where the melody's step 0 lies in the song, in quarter notes as those of its
        tracks; it may be before 0. None if there is no melody.
    """

    tracks: tuple[TrackReport, ...]
    span: tuple[float, float] | None
    melody: Melody | None
    refusal: str
    origin: float | None = None


def duple_stretches(song: Song) -> list[tuple[float, float]]:
    """Start and end in quarter notes of the stretches in a duple meter, in order.

    Neighbouring stretches count as one where the change stands on a bar line of the
    first. Changes of tempo divide nothing: positions are on the beat grid.
    """
    end = max((float(track.end.max()) for track in song.tracks), default=0.0)
    starts = [start for start, _, _ in song.meters] + [end]
    stretches: list[tuple[float, float]] = []
    for (start, numerator, denominator), stop in zip(song.meters, starts[1:], strict=True):
        if (numerator, denominator) not in DUPLE_METERS or stop <= start:
            continue
        if stretches and stretches[-1][1] == start and (start - stretches[-1][0]) % 4 < 1e-6:
            stretches[-1] = (stretches[-1][0], stop)
        else:
            stretches.append((start, stop))
    return stretches


def highest_line(track: Track, start: float, end: float) -> list[tuple[int, int, int]]:
    """The top line of a track on the sixteenth grid, as `(pitch, start, end)` in steps.

    As MusicVAE's extraction does: of notes that begin together the highest is
    taken, and each note ends at the latest where the next begins.

    Args:
      track: the track to read.
      start, end: the stretch to read, in quarter notes; step 0 is at `start`.
    """
    inside = (track.start >= start - 1e-6) & (track.start < end - 1e-6)
    pitch = track.pitch[inside]
    onset = np.floor((track.start[inside] - start) * STEPS_PER_QUARTER + 0.5).astype(np.int64)
    release = np.minimum(track.end[inside], end) - start
    release = np.floor(release * STEPS_PER_QUARTER + 0.5).astype(np.int64)
    order = np.lexsort((-pitch, onset))
    pitch, onset, release = pitch[order], onset[order], release[order]
    is_top = np.diff(onset, prepend=-1) > 0
    pitch, onset, release = pitch[is_top], onset[is_top], release[is_top]
    release = np.maximum(release, onset + 1)
    release[:-1] = np.minimum(release[:-1], onset[1:])
    return list(zip(pitch.tolist(), onset.tolist(), release.tolist(), strict=True))


def _line(song: Song, track: Track, span: tuple[float, float]) -> list[tuple[int, int, int]]:
    """The top line of a track of a song in a stretch, without what can only accompany it."""
    line = top_line.melodic(track)
    return highest_line(line if song.is_exact else with_whole_end(line, span[0]), *span)


class _Ranked(NamedTuple):
    number: int
    track: Track
    score: float


def extract(
    song: Song, span: tuple[float, float] | None = None, track: str | None = None
) -> Extraction:
    """Finds the melody of a song: its likeliest track's top line in a stretch of it.

    Bars before the first note are dropped. Of a song with words below its notes only what is
    sung is a melody, not the accompaniment of a stretch in which nobody sings.

    Args:
      song: the song.
      span: one of its `duple_stretches`; by default the longest.
      track: the number or the name of the track that is the melody, whatever it looks like;
        by default the likeliest one.

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
        span = max(duple_stretches(song), key=lambda s: s[1] - s[0], default=None)
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
    span: tuple[float, float],
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
        notes = _line(song, track, span)
        refusal = _refusal(notes)
        decisions[index] = refusal or "taken"
        if refusal:
            label = f"{track.name!r}, " if track.name else ""
            refused.append(f"track ({label}program {track.program}) {refusal}")
            continue
        tempo_bpm = song.tempo_bpm_at(span[0] + notes[0][1] / STEPS_PER_QUARTER)
        blank = notes[0][1] // STEPS_PER_BAR * STEPS_PER_BAR
        melody = _trimmed(notes, blank, tempo_bpm, track.program)
        origin = span[0] + blank / STEPS_PER_QUARTER
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
    notes = _line(song, track, span)
    melodic = np.count_nonzero((line.start >= span[0] - 1e-6) & (line.start < span[1] - 1e-6))
    inside = (track.start >= span[0] - 1e-6) & (track.start < span[1] - 1e-6)
    positions = (track.start[inside] - span[0]) * STEPS_PER_QUARTER
    off_grid = np.abs(positions - np.round(positions)) / STEPS_PER_QUARTER
    shortened = sum(end == start for (_, _, end), (_, start, _) in itertools.pairwise(notes))
    blank = notes[0][1] // STEPS_PER_BAR
    return (
        f"{track.pitch.size} notes in the track, {inside.sum()} of them in quarter notes "
        f"{span[0]:g} to {span[1]:g}, a stretch in a duple meter",
        f"onsets moved to the nearest sixteenth: by {off_grid.mean():.3f} quarter notes on "
        f"average, {off_grid.max():.3f} at most; {len(song.tempos)} tempos in the file, "
        "the grid follows them",
        f"{inside.sum() - melodic} notes dropped that accompany or adorn others of the track, "
        f"{melodic - len(notes)} below another that begins with them; "
        f"{len(notes)} are left, {shortened} of which end where the next begins",
        f"{blank} blank bars dropped at the beginning; {melody.num_bars} bars of 4/4 are left",
    )


def extract_melody(song: Song, source: str, track: str | None = None) -> Melody:
    """The melody of a song; see `extract`.

    Args:
      song: the song.
      source: the file's name, for messages.
      track: as for `extract`.

    Raises:
      UserError: there is no usable melody; says which track was looked at and why
        it was refused. Or there is no such track.
    """
    return melody_and_origin(song, source, track)[0]


def melody_and_origin(song: Song, source: str, track: str | None = None) -> tuple[Melody, float]:
    """`extract_melody`, and where in the song it begins; see `Extraction.origin`."""
    extraction = extract(song, track=track)
    if extraction.melody is None or extraction.origin is None:
        raise UserError(f"{source}: no usable melody: {extraction.refusal}")
    return extraction.melody, extraction.origin


def _refusal(notes: list[tuple[int, int, int]]) -> str | None:
    if len(notes) < MIN_NOTES:
        return f"has {len(notes)} notes in a duple meter, {MIN_NOTES} are needed"
    low, high = min(n[0] for n in notes), max(n[0] for n in notes)
    if low < MIN_PITCH or high > MAX_PITCH:
        return f"has pitches {low}..{high}, outside of the piano's {MIN_PITCH}..{MAX_PITCH}"
    return None


def _trimmed(
    notes: list[tuple[int, int, int]], blank: int, tempo_bpm: float, program: int
) -> Melody:
    """The melody of notes without the first `blank` steps."""
    num_bars = -(-(notes[-1][2] - blank) // STEPS_PER_BAR)
    shifted = [(pitch, start - blank, end - blank) for pitch, start, end in notes]
    return Melody.from_notes(
        shifted, num_bars * STEPS_PER_BAR, tempo_bpm=tempo_bpm, program=program
    )
