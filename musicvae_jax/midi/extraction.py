"""From songs to melodies."""

import dataclasses
import itertools
import re

import numpy as np

from musicvae_jax.midi.endings import with_whole_end
from musicvae_jax.midi.reading import DUPLE_METERS, METER_NAMES
from musicvae_jax.midi.song import Song, Track
from musicvae_jax.music.melody import MAX_PITCH, MIN_PITCH, STEPS_PER_BAR, STEPS_PER_QUARTER, Melody
from musicvae_jax.system.errors import UserError

# In English, and whole words of other languages: "chant" must not be found in "Enchanted".
_MELODY_NAME = re.compile(
    r"melod|lead|vocal|voice|solo|tune|right hand|sopran|"
    r"\b(singstimme|gesang|oberstimme|chant|voix|canto|cantus|cant|voce|voz|zang|sång)\b",
    re.IGNORECASE,
)
MIN_NOTES = 4


@dataclasses.dataclass(frozen=True)
class TrackReport:
    """What became of a track.

    Attributes:
      track: the track.
      score: by which tracks are ranked; 0 for drums.
      decision: for people.
    """

    track: Track
    score: float
    decision: str


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


def _melody_score(track: Track, song_end: float, most_syllables: int) -> float:
    """How much a track looks like the melody.

    Whether it is sung, with half of the words of the wordiest track at least; its name,
    the share of its notes that no other one overlaps, its register (two octaves count as
    one), and the share of the song's bars in which it plays; a bass is marked down.

    Args:
      track: with at least one note.
      song_end: where the song ends, in quarter notes.
      most_syllables: of any track of the song.
    """
    is_sung = 0 < most_syllables <= 2 * track.num_syllables
    overlaps = track.start[1:] < track.end[:-1] - 0.1
    one_voice = 1.0 - overlaps.mean() if overlaps.size else 1.0
    named = _MELODY_NAME.search(track.name) is not None
    bars = np.unique(track.start // 4).size / max(song_end / 4, 1.0)
    bass = 32 <= track.program < 40
    register = float(track.pitch.mean()) / 24
    return 10.0 * is_sung + 2.0 * named + one_voice + register + min(bars, 1.0) - 2.0 * bass


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
    """The top line of a track of a song in a stretch."""
    return highest_line(track if song.is_exact else with_whole_end(track, span[0]), *span)


def extract(song: Song, span: tuple[float, float] | None = None) -> Extraction:
    """Finds the melody of a song: its likeliest track's top line in a stretch of it.

    Bars before the first note are dropped. Of a song with words only what is sung is a melody,
    not the accompaniment of a stretch in which nobody sings.

    Args:
      song: the song.
      span: one of its `duple_stretches`; by default the longest.
    """
    song_end = max((float(track.end.max()) for track in song.tracks), default=0.0)
    most_syllables = max((track.num_syllables for track in song.tracks), default=0)
    scored = [(t, _melody_score(t, song_end, most_syllables)) for t in song.tracks if not t.is_drum]
    pitched = sorted(scored, key=lambda pair: pair[1], reverse=True)
    drums = tuple(TrackReport(t, 0.0, "drums") for t in song.tracks if t.is_drum)
    if not pitched:
        kind = "only drum tracks" if drums else "no notes"
        return Extraction(drums, None, None, f"the file has {kind}")
    if span is None:
        stretches = duple_stretches(song)
        span = max(stretches, key=lambda s: s[1] - s[0], default=None)
    if span is None:
        meters = ", ".join(sorted({f"{n}/{d}" for _, n, d in song.meters}))
        refusal = f"the meter is {meters}; valid are {METER_NAMES}"
        reports = tuple(TrackReport(track, score, "not looked at") for track, score in pitched)
        return Extraction(reports + drums, None, None, refusal)
    looked_at: list[TrackReport] = []
    refused: list[str] = []
    melody = origin = None
    for track, score in pitched:
        decision: str | None
        if melody is not None:
            decision = "not needed"
        elif most_syllables and not track.num_syllables:
            decision = "not sung"
        else:
            notes = _line(song, track, span)
            decision = _refusal(notes)
            if decision is None:
                decision = "taken"
                tempo_bpm = song.tempo_bpm_at(span[0] + notes[0][1] / STEPS_PER_QUARTER)
                blank = notes[0][1] // STEPS_PER_BAR * STEPS_PER_BAR
                melody = _trimmed(notes, blank, tempo_bpm, track.program)
                origin = span[0] + blank / STEPS_PER_QUARTER
            else:
                label = f"{track.name!r}, " if track.name else ""
                refused.append(f"track ({label}program {track.program}) {decision}")
        looked_at.append(TrackReport(track, score, decision))
    refusal = "" if melody else "; ".join(refused)
    return Extraction((*looked_at, *drums), span, melody, refusal, origin)


def explain_changes(song: Song, extraction: Extraction) -> tuple[str, ...]:
    """What happened to a track's notes on their way into the melody, step by step.

    Args:
      song: the song.
      extraction: of that song, with a melody.
    """
    [track] = [report.track for report in extraction.tracks if report.decision == "taken"]
    span, melody = extraction.span, extraction.melody
    assert span is not None and melody is not None
    notes = _line(song, track, span)
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
        f"{inside.sum() - len(notes)} notes dropped below another that begins with them; "
        f"{len(notes)} are left, {shortened} of which end where the next begins",
        f"{blank} blank bars dropped at the beginning; {melody.num_bars} bars of 4/4 are left",
    )


def extract_melody(song: Song, source: str) -> Melody:
    """The melody of a song; see `extract`.

    Args:
      song: the song.
      source: the file's name, for messages.

    Raises:
      UserError: there is no usable melody; says which track was looked at and why
        it was refused.
    """
    return melody_and_origin(song, source)[0]


def melody_and_origin(song: Song, source: str) -> tuple[Melody, float]:
    """`extract_melody`, and where in the song it begins; see `Extraction.origin`."""
    extraction = extract(song)
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
