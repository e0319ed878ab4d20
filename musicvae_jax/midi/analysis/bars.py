"""Where the bars of a song lie: as a user or its file says, or as its notes suggest.

A MIDI file says 4/4 from its beginning even if the tune begins with an upbeat, if it was
recorded a moment late, or if nobody thought of bars at all. What its notes suggest is taken
instead only if that is far more probable; see `downbeats` for how. Notation states its bars.
"""

import dataclasses
import math

import numpy as np

from musicvae_jax.midi.analysis import beats, downbeats
from musicvae_jax.midi.analysis.cues import GRID, STEPS_PER_BAR, STEPS_PER_QUARTER
from musicvae_jax.midi.reading import DUPLE_METERS, Reading
from musicvae_jax.midi.song import Song, make_song, seconds_at
from musicvae_jax.music.grid import METERS

QUARTERS_PER_BAR = GRID.quarters_per_bar
_SIXTEENTH = 1 / STEPS_PER_QUARTER
# Quarter notes by which all notes must be late before they are moved, and how much better
# they must fit then, where 1 is perfect and 0 chance.
_MIN_OFFSET, _MIN_GAIN = 1 / 64, 0.1
# Onsets so near to a quarter note of the file are on it; if so many are, it has no offset.
_ON_BEAT, _SHARE_ON_BEAT = 0.015, 0.25
# Onsets so near to a third of a quarter note are triplets; so many make a song one of them.
_NEAR, _SHARE_OF_TRIPLETS = 0.03, 0.15
# In quarter notes, gaps between notes of a 32nd or of its triplets; what share of such is told.
_FINE, _SHARE_OF_FINE = (0.06, 0.15), 0.1
# How likely bars are to begin on a quarter note that a file counts, on an eighth, or between.
_PLACES = np.tile([1.0, 0.02, 0.1, 0.02], 4)
# A song shorter than this says too little of its bars.
_MIN_BARS, _MIN_NOTES = 6, 24
# How many times as probable as the bars that a file declares others must be. In songs whose
# bars are known, this moves 1 in 200 that is right, and mends 7 of 10 upbeats. If all notes are
# late, the file's bars are as little to be relied on.
_MIN_ODDS, _MIN_ODDS_IF_LATE = 20.0, 4.0


def as_told(song: Song, reading: Reading) -> Song:
    """The song with the bars and beats that a user gave; the same if there are none.

    Raises:
      ValueError: at that tempo it is too long.
    """
    if reading.tempo_bpm is not None:
        song = _at_tempo(song, reading.tempo_bpm)
    if reading.bar_one is None and reading.whole_meter is None:
        return song
    meters = song.meters
    if reading.whole_meter is not None:
        meters = ((meters[0][0], *reading.whole_meter),)
    if reading.bar_one is not None:
        kept = [meter for meter in meters if meter[0] <= reading.bar_one + 1e-6][-1:] or meters[:1]
        later = [meter for meter in meters if meter[0] > reading.bar_one + 1e-6]
        bar = bar_quarters(*kept[0][1:])
        meters = ((first_line(reading.bar_one, bar), *kept[0][1:]), *later)
    return dataclasses.replace(song, meters=meters)


def found(song: Song, reading: Reading) -> Song:
    """The song of a MIDI file with its bars where they most probably are.

    What was decided is told of in `Song.warnings`. Where the file is right, nothing changes.

    Args:
      song: as its file has it.
      reading: what a user knows, which is not doubted.

    Raises:
      ValueError: at the given tempo it is too long.
    """
    if not song.tracks:
        return as_told(song, reading)
    has_lines, counting = True, ""
    if reading.tempo_bpm is None and beats.is_without_grid(song):
        tracked = beats.on_tracked_beats(song)
        has_lines = tracked is None
        song = tracked or _warned(
            song, "its notes fit no grid, and no beats were found that they fit better"
        )
    if reading.whole_meter is None:
        song, counting = _with_simple_meters(song)
        has_lines &= not counting
    song = as_told(song, reading)
    if reading.bar_one is None:
        song = _with_found_lines(song, has_lines, counting)
    return dataclasses.replace(_with_word_of_fine_notes(song), is_exact=False)


def heard(song: Song, reading: Reading) -> Song:
    """The song of a recording, on the beats and with the bars that its notes suggest.

    Args:
      song: which counts seconds and nothing else, so its own beats and bars say nothing.
      reading: what a user knows, which is not doubted.

    Raises:
      ValueError: at the given tempo it is too long.
    """
    if reading.tempo_bpm is None:
        song = beats.on_tracked_beats(song, has_beats=False) or _warned(
            song,
            f"no beats were found in it: it is read at {song.tempo_bpm_at(0):g} quarter notes a "
            "minute",
        )
    song = as_told(song, reading)
    if reading.bar_one is None:
        song = _with_found_lines(song, False, "")
    return dataclasses.replace(_with_word_of_fine_notes(song), is_exact=False)


def bar_quarters(numerator: int, denominator: int) -> float:
    """How long the bars of a meter are read, in quarter notes; of 2/4 two at a time."""
    grids = METERS.get((numerator, denominator))
    return grids[0].quarters_per_bar if grids else 4 * numerator / max(denominator, 1)


def first_line(bar_one: float, bar: float = QUARTERS_PER_BAR) -> float:
    """The bar line at 0 or the last one before it, of bars one of which begins at `bar_one`."""
    return bar_one - bar * math.ceil(bar_one / bar - 1e-6)


def _at_tempo(song: Song, tempo_bpm: float) -> Song:
    """The same sounds at the same times, counted in beats of one tempo throughout."""

    def moved(quarters: np.ndarray) -> np.ndarray:
        return seconds_at(quarters, song.tempos) * tempo_bpm / 60

    tracks = [
        dataclasses.replace(track, start=moved(track.start), end=moved(track.end))
        for track in song.tracks
    ]
    meters = [(float(moved(np.array(start))), n, d) for start, n, d in song.meters]
    syllables = moved(np.array(song.syllables, np.float64)).tolist()
    return make_song(tracks, meters, [(0.0, tempo_bpm)], song.warnings, song.title, syllables)


def _warned(song: Song, warning: str) -> Song:
    return dataclasses.replace(song, warnings=(*song.warnings, warning))


def _with_simple_meters(song: Song) -> tuple[Song, str]:
    """The song without meters that are none: those of no length, and those that count beats.

    Some programs write 1/4, or 4/2 for two bars of 4/4. A first meter that ends within a bar
    is an upbeat.

    Returns:
      The song, and the meter that only counts beats, so that bars have no lines; or empty.
    """
    end = max(float(track.end.max()) for track in song.tracks)
    starts = [start for start, _, _ in song.meters[1:]] + [max(end, song.meters[-1][0] + 1e-6)]
    lasting = [
        (meter, stop)
        for meter, stop in zip(song.meters, starts, strict=True)
        if stop - meter[0] > 1e-6
    ]
    counted = sum(stop - start for (start, n, _), stop in lasting if n == 1)
    if counted >= 0.5 * end and all(n == 1 or _is_duple(n, d) for (_, n, d), _ in lasting):
        name = ", ".join(sorted({f"1/{d}" for (_, n, d), _ in lasting if n == 1}))
        return dataclasses.replace(song, meters=((0.0, 4, 4),)), name
    meters = [meter for meter, _ in lasting]
    if len(meters) > 1 and _is_read(*meters[1][1:]):
        bar = bar_quarters(*meters[1][1:]) if meters[1][1:] in METERS else QUARTERS_PER_BAR
        if meters[1][0] < bar:
            song = _warned(song, f"an upbeat of {meters[1][0]:g} quarter notes")
            meters[:2] = [(meters[1][0] - bar, *meters[1][1:])]
    odd = sorted(
        {f"{n}/{d}" for _, n, d in meters if _is_duple(n, d) and (n, d) not in DUPLE_METERS}
    )
    if odd:
        song = _warned(song, f"its meter {', '.join(odd)} is read as 4/4 from the same bar lines")
        meters = [(s, 4, 4) if _is_duple(n, d) else (s, n, d) for s, n, d in meters]
    return dataclasses.replace(song, meters=tuple(meters)), ""


def _is_read(numerator: int, denominator: int) -> bool:
    """Whether music in a meter is read, perhaps as 4/4."""
    return (numerator, denominator) in METERS or _is_duple(numerator, denominator)


def _is_duple(numerator: int, denominator: int) -> bool:
    """Whether bars of a meter are as long as some of 4/4, or as half of one."""
    if denominator < 1:  # in a damaged file
        return False
    fills = 4 * numerator % (4 * denominator) == 0
    return (numerator, denominator) in DUPLE_METERS or (numerator > 1 and fills)


def _with_found_lines(song: Song, has_lines: bool, counting: str) -> Song:
    """The song with a constant offset taken off, and its bar lines where they are likely.

    Args:
      song: with meters that have lines.
      has_lines: whether bar lines are told of at all.
      counting: the meter that counts beats instead, if there is one.
    """
    if not all((n, d) in DUPLE_METERS for _, n, d in song.meters):
        return song  # other meters are refused, or leave stretches that the file knows best
    first = song.meters[0][0]
    if any((start - first) % QUARTERS_PER_BAR > 1e-6 for start, _, _ in song.meters):
        return song
    offset = _offset(song)
    declared = round(first * STEPS_PER_QUARTER) % STEPS_PER_BAR if has_lines else None
    step, probability = _likeliest_line(song, offset, declared)
    if step == declared and not offset:
        return song
    bar_one = offset + step / STEPS_PER_QUARTER
    if offset:
        song = _warned(song, f"all of its notes are {offset:.3f} quarter notes late; taken off")
    if step != declared:
        instead = "" if declared is None else f", not at {first:g}"
        counted = f"its meter {counting} only counts beats, read as 4/4; " if counting else ""
        song = _warned(
            song,
            f"{counted}a bar begins at quarter note {bar_one:g} by its notes (probability "
            f"{probability:.2f}){instead}",
        )
    return dataclasses.replace(song, meters=((first_line(bar_one), 4, 4),))


def _likeliest_line(song: Song, offset: float, declared: int | None) -> tuple[int, float]:
    """The sixteenth of a bar of four quarter notes on which its bars begin.

    Args:
      song: the song.
      offset: by which it is late, in quarter notes.
      declared: what the file says; None if it says nothing.

    Returns:
      The sixteenth, and how probable it is.
    """
    end = max(float(track.end.max()) for track in song.tracks)
    count = sum(track.pitch.size for track in song.tracks)
    is_short = end < _MIN_BARS * QUARTERS_PER_BAR or count < _MIN_NOTES
    if is_short or (declared is not None and not offset and _has_triplets(song)):
        return declared or 0, 1.0
    probability = downbeats.probabilities(song, offset)
    if not offset:  # it counts its beats from 0, so that bars should begin on one
        probability = probability * _PLACES
        probability /= probability.sum()
    best = int(probability.argmax())
    odds = _MIN_ODDS_IF_LATE if offset else _MIN_ODDS
    if declared is not None and probability[best] < odds * probability[declared]:
        best = declared
    return best, float(probability[best])


def _has_triplets(song: Song) -> bool:
    """Whether many onsets lie on the first third of a quarter note, off the sixteenths."""
    place = beats.onsets(song) % 1
    return bool((np.abs(place - 1 / 3) < _NEAR).mean() > _SHARE_OF_TRIPLETS)


def _offset(song: Song) -> float:
    """By how much all notes are late, in quarter notes: from -0.1 to 0.15; 0 if they are not.

    It is the angle of the onsets' resultant on the grid of sixteenths.
    """
    places = beats.onsets(song)
    near = np.abs(places - np.round(places)) < _ON_BEAT
    if near.mean() > _SHARE_ON_BEAT or places.size < _MIN_NOTES:
        return 0.0
    mean = beats.resultant(places, STEPS_PER_QUARTER)
    offset = float(np.angle(mean)) / (2 * np.pi * STEPS_PER_QUARTER)
    if offset < -0.1:
        offset += _SIXTEENTH  # nothing is early by a 32nd
    if abs(offset) < _MIN_OFFSET or abs(mean) - mean.real < _MIN_GAIN:
        return 0.0
    return offset


def _with_word_of_fine_notes(song: Song) -> Song:
    """The song, with a warning if many of its notes are shorter than sixteenths."""
    gaps = np.concatenate([np.diff(track.start) for track in song.tracks])
    count = int(((gaps > _FINE[0]) & (gaps < _FINE[1])).sum())
    if count <= _SHARE_OF_FINE * gaps.size:
        return song
    return _warned(
        song,
        f"{count} of its notes follow another by less than a sixteenth, finer than a melody can "
        "be; of those on one sixteenth the highest is kept",
    )
