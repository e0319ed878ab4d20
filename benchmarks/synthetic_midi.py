"""MIDI files like those found in the wild: many tracks, chords, tempo changes, loose timing.

Used where no real collection can be had. A file depends on its seed alone.
"""

import pathlib

import numpy as np
import symusic

TICKS_PER_QUARTER = 480
BEATS_PER_BAR = 4
# Name, program, whether it plays chords, lowest pitch.
PARTS = (
    ("Piano", 0, True, 48),
    ("Lead Vocal", 52, False, 60),
    ("Piano Right Hand", 0, False, 67),
    ("Strings", 48, True, 55),
    ("Bass", 33, False, 33),
    ("Guitar", 25, True, 50),
    ("Flute", 73, False, 72),
    ("Brass", 61, True, 55),
    ("Organ", 16, True, 52),
    ("Pad", 89, True, 48),
    ("Marimba", 12, False, 60),
)
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


def _part(
    rng: np.random.Generator, bars: int, tonic: int, scale: tuple[int, ...], part: tuple
) -> list[symusic.Note]:
    _, _, is_chordal, lowest = part
    ladder = np.array([12 * octave + degree for octave in range(2) for degree in scale])
    ladder = lowest + (tonic - lowest) % 12 + ladder
    notes, beat, degree = [], 0.0, 4
    while beat < bars * BEATS_PER_BAR:
        # Whole phrases of silence now and then, and mostly short notes.
        if rng.random() < 0.004:
            beat = (beat // BEATS_PER_BAR + rng.integers(1, 4)) * BEATS_PER_BAR
            continue
        choices = (1.0, 2.0, 4.0) if is_chordal else (0.25, 0.5, 0.5, 1.0)
        length = float(rng.choice(choices))
        degree = int(np.clip(degree + rng.integers(-2, 3), 0, len(ladder) - 5))
        played = (degree, degree + 2, degree + 4) if is_chordal else (degree,)
        for step in played:
            loose = int(np.clip(rng.normal(0, 8), -10, 10))
            start = max(0, int(beat * TICKS_PER_QUARTER) + loose)
            # Never into the next note: where two of one pitch overlap, readers disagree
            # about which end belongs to which.
            duration = int((length * TICKS_PER_QUARTER - 25) * rng.uniform(0.7, 1.0))
            velocity = int(rng.integers(40, 120))
            notes.append(symusic.Note(start, duration, int(ladder[step]), velocity))
        beat += length
    return notes


def make_score(seed: int) -> symusic.Score:
    """A song of 2 to 6 minutes with 5 to 12 tracks, one of them drums."""
    rng = np.random.default_rng(seed)
    bpm = float(rng.uniform(70, 160))
    bars = int(rng.uniform(2, 6) * bpm / BEATS_PER_BAR)
    tonic, mode = int(rng.integers(12)), str(rng.choice(list(SCALES)))
    score = symusic.Score(TICKS_PER_QUARTER)
    score.time_signatures.append(symusic.TimeSignature(0, 4, 4))
    for change in range(int(rng.integers(1, 6))):
        tick = change * (bars // 6) * BEATS_PER_BAR * TICKS_PER_QUARTER
        score.tempos.append(symusic.Tempo(tick, bpm * float(rng.uniform(0.8, 1.25))))
    others = rng.permutation(np.arange(1, len(PARTS)))[: rng.integers(3, 11)]
    for index in (0, *others):
        part = PARTS[index]
        track = symusic.Track(part[0], part[1], False)
        track.notes.extend(_part(rng, bars, tonic, SCALES[mode], part))
        score.tracks.append(track)
    drums = symusic.Track("Drums", 0, True)
    for eighth in range(bars * 8):
        tick = eighth * TICKS_PER_QUARTER // 2
        drums.notes.append(symusic.Note(tick, 60, (36, 42, 38, 42)[eighth % 4], 90))
    score.tracks.append(drums)
    return score


def write_files(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Writes `count` files and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"song_{seed:05d}.mid" for seed in range(count)]
    for seed, path in enumerate(paths):
        make_score(seed).dump_midi(str(path))
    return paths
