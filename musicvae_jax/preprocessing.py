"""From songs to melodies, and from melodies to windows worth learning from."""

import dataclasses
import itertools

import numpy as np

from musicvae_jax.errors import UserError
from musicvae_jax.melody import (
    MAX_PITCH,
    MIN_PITCH,
    STEPS_PER_BAR,
    STEPS_PER_QUARTER,
    Melody,
)
from musicvae_jax.song import Song, Track
from musicvae_jax.tokens import MelodyCodec

# Meters whose bars, one or two at a time, are 16 sixteenths long.
DUPLE_METERS = ((4, 4), (2, 2), (2, 4))
_MELODY_NAMES = ("melod", "lead", "vocal", "voice", "solo", "tune", "right hand")
MIN_NOTES = 4


@dataclasses.dataclass(frozen=True)
class WindowRules:
    """Which windows are music enough to keep.

    Attributes:
      bars: the length of a window.
      max_silent_steps: the longest silence within a window.
      min_unique_pitches: how many different pitches it has at least.
    """

    bars: int = 16
    max_silent_steps: int = STEPS_PER_BAR
    min_unique_pitches: int = 3


def _span(song: Song) -> tuple[float, float] | None:
    """Start and end in quarter notes of the longest stretch in a duple meter.

    Neighbouring stretches in the same meter count as one where the change stands
    on a bar line of the first.
    """
    end = max(float(track.end.max()) for track in song.tracks)
    starts = [start for start, _, _ in song.meters] + [end]
    spans: list[list[float]] = []
    for (start, numerator, denominator), stop in zip(song.meters, starts[1:], strict=True):
        if (numerator, denominator) not in DUPLE_METERS or stop <= start:
            continue
        if spans and spans[-1][1] == start and (start - spans[-1][0]) % 4 < 1e-6:
            spans[-1][1] = stop
        else:
            spans.append([start, stop])
    return max(spans, key=lambda span: span[1] - span[0], default=None)


def _melody_score(track: Track) -> float:
    """How much a track looks like the melody: its name, one voice, register, activity."""
    overlaps = track.start[1:] < track.end[:-1] - 0.1
    one_voice = 1.0 - overlaps.mean() if overlaps.size else 1.0
    named = any(word in track.name.lower() for word in _MELODY_NAMES)
    bass = 32 <= track.program < 40
    activity = min(track.pitch.size / 64, 1.0)
    return 2.0 * named + one_voice + float(track.pitch.mean()) / 64 + activity - 2.0 * bass


def rank_tracks(song: Song) -> list[Track]:
    """Tracks that may carry the melody, the likeliest first; no drums."""
    pitched = [track for track in song.tracks if not track.is_drum]
    return sorted(pitched, key=_melody_score, reverse=True)


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


def extract_melody(song: Song, source: str) -> Melody:
    """The melody of a song: its likeliest track's top line in its longest duple stretch.

    Bars before the first note are dropped.

    Args:
      song: the song.
      source: the file's name, for messages.

    Raises:
      UserError: there is no usable melody; says which track was looked at and why
        it was refused.
    """
    tracks = rank_tracks(song)
    if not tracks:
        kind = "only drum tracks" if song.tracks else "no notes"
        raise UserError(f"{source}: no usable melody: the file has {kind}")
    span = _span(song)
    if span is None:
        meters = ", ".join(sorted({f"{n}/{d}" for _, n, d in song.meters}))
        raise UserError(
            f"{source}: no usable melody: the meter is {meters}; 4/4, 2/2 or 2/4 is needed"
        )
    refused = []
    for track in tracks:
        notes = highest_line(track, *span)
        reason = _refusal(notes)
        if reason is None:
            return _trimmed(notes, song.tempo_bpm_at(span[0] + notes[0][1] / 4), track.program)
        label = f"{track.name!r}, " if track.name else ""
        refused.append(f"track ({label}program {track.program}) {reason}")
    raise UserError(f"{source}: no usable melody: " + "; ".join(refused))


def _refusal(notes: list[tuple[int, int, int]]) -> str | None:
    if len(notes) < MIN_NOTES:
        return f"has {len(notes)} notes in a duple meter, {MIN_NOTES} are needed"
    low, high = min(n[0] for n in notes), max(n[0] for n in notes)
    if low < MIN_PITCH or high > MAX_PITCH:
        return f"has pitches {low}..{high}, outside of the piano's {MIN_PITCH}..{MAX_PITCH}"
    return None


def _trimmed(notes: list[tuple[int, int, int]], tempo_bpm: float, program: int) -> Melody:
    blank = notes[0][1] // STEPS_PER_BAR * STEPS_PER_BAR
    num_bars = -(-(notes[-1][2] - blank) // STEPS_PER_BAR)
    shifted = [(pitch, start - blank, end - blank) for pitch, start, end in notes]
    return Melody.from_notes(
        shifted, num_bars * STEPS_PER_BAR, tempo_bpm=tempo_bpm, program=program
    )


def window_refusal(window: Melody, rules: WindowRules) -> str | None:
    """Why a window is not kept, or None if it is."""
    if window.pitch.size == 0:
        return "silent"
    if window.pitch.min() < MIN_PITCH or window.pitch.max() > MAX_PITCH:
        return "pitches outside of the piano"
    silences = np.append(window.start, window.num_steps) - np.append(0, window.end)
    if silences.max() > rules.max_silent_steps:
        return f"over {rules.max_silent_steps} steps of silence"
    if np.unique(window.pitch).size < rules.min_unique_pitches:
        return f"fewer than {rules.min_unique_pitches} different pitches"
    return None


def melody_windows(
    melody: Melody, rules: WindowRules
) -> tuple[list[tuple[int, np.ndarray]], list[str]]:
    """Every window of a melody, sliding by one bar.

    Returns:
      `(start_bar, tokens: [bars * 16] uint8 of MelodyCodec)` of those kept, and the
      reasons of those that were not.
    """
    codec = MelodyCodec()
    kept, refusals = [], []
    for start_bar in range(melody.num_bars - rules.bars + 1):
        window = melody.window(start_bar, rules.bars)
        reason = window_refusal(window, rules)
        if reason is None:
            kept.append((start_bar, codec.encode(window).astype(np.uint8)))
        else:
            refusals.append(reason)
    return kept, refusals


def first_window(melody: Melody, bars: int, source: str) -> Melody:
    """The first window without a long silence, or else simply the first.

    Raises:
      UserError: the melody is shorter than `bars`.
    """
    if melody.num_bars < bars:
        raise UserError(
            f"{source}: its melody has {melody.num_bars} bars of 4/4, {bars} are needed"
        )
    rules = WindowRules(bars=bars)
    starts = range(melody.num_bars - bars + 1)
    windows = (melody.window(start_bar, bars) for start_bar in starts)
    good = (window for window in windows if window_refusal(window, rules) is None)
    return next(itertools.chain(good, [melody.window(0, bars)]))
