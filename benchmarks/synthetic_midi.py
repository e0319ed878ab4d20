"""MIDI files like those found in the wild: many tracks, chords, tempo changes, loose timing.

Used where no real collection can be had. A file depends on its seed alone.
"""

import hashlib
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
) -> dict[str, np.ndarray]:
    """A part's notes, as symusic takes them: a walk on the scale, with a rest now and then."""
    _, _, is_chordal, lowest = part
    ladder = np.array([12 * octave + degree for octave in range(2) for degree in scale])
    ladder = lowest + (tonic - lowest) % 12 + ladder
    choices = (1.0, 2.0, 4.0) if is_chordal else (0.25, 0.5, 0.5, 1.0)
    size = int(bars * BEATS_PER_BAR / min(choices))
    length = rng.choice(choices, size)
    rest = np.where(rng.random(size) < 0.004, rng.integers(1, 4, size) * BEATS_PER_BAR, 0)
    beat = np.cumsum(length + rest) - length
    kept = beat < bars * BEATS_PER_BAR
    length, beat = length[kept], beat[kept]
    # The walk is folded back at both ends of the ladder.
    top = len(ladder) - 5
    walk = np.abs((np.cumsum(rng.integers(-2, 3, beat.size)) + 4) % (2 * top) - top)
    chord = np.array([0, 2, 4]) if is_chordal else np.array([0])
    degree = (walk[:, None] + chord).ravel()
    beat, length = np.repeat(beat, chord.size), np.repeat(length, chord.size)
    loose = np.clip(rng.normal(0, 8, beat.size), -10, 10)
    # Never into the next note: where two of one pitch overlap, readers disagree about
    # which end belongs to which.
    duration = (length * TICKS_PER_QUARTER - 25) * rng.uniform(0.7, 1.0, beat.size)
    return {
        "time": np.maximum(beat * TICKS_PER_QUARTER + loose, 0).astype(np.int32),
        "duration": duration.astype(np.int32),
        "pitch": ladder[degree].astype(np.int8),
        "velocity": rng.integers(40, 120, beat.size).astype(np.int8),
    }


def _track(name: str, program: int, is_drum: bool, notes: dict[str, np.ndarray]) -> symusic.Track:
    track = symusic.Track(name, program, is_drum)
    track.notes = symusic.Note.from_numpy(**notes)
    return track


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
        name, program, _, _ = PARTS[index]
        notes = _part(rng, bars, tonic, SCALES[mode], PARTS[index])
        score.tracks.append(_track(name, program, False, notes))
    eighth = np.arange(bars * 8, dtype=np.int32)
    drums = {
        "time": eighth * (TICKS_PER_QUARTER // 2),
        "duration": np.full(eighth.size, 60, np.int32),
        "pitch": np.array([36, 42, 38, 42], np.int8)[eighth % 4],
        "velocity": np.full(eighth.size, 90, np.int8),
    }
    score.tracks.append(_track("Drums", 0, True, drums))
    return score


def write_files(folder: pathlib.Path, count: int) -> list[pathlib.Path]:
    """Writes `count` files and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"song_{seed:05d}.mid" for seed in range(count)]
    for seed, path in enumerate(paths):
        make_score(seed).dump_midi(str(path))
    return paths


def write_lakh_tree(folder: pathlib.Path, count: int) -> pathlib.Path:
    """Writes a tree like lmd_full: sixteen folders, files called by their MD5."""
    root = folder / "lmd_full"
    for seed in range(count):
        data = make_score(seed).dumps_midi()
        digest = hashlib.md5(data).hexdigest()
        path = root / digest[0] / f"{digest}.mid"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root
