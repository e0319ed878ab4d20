"""Whether bars and onsets are read right from MIDI files that do not tell where their bars are.

Run: python benchmarks/downbeats.py [--quick] [--folder=FOLDER]
Fit: python benchmarks/downbeats.py --fit --folder=FOLDER
Needs: pip install -e . and the collections `openewld`, `open_hymnal`, `lieder`, and `groove` in
FOLDER; without it, the traditional tunes of music21 alone

Tunes in 4/4 and 2/2 whose bars are known are rendered as MIDI files, alone or with chords, a bass
and drums, in the ways that files are found: on the declared grid, with an upbeat that nobody
declared, later by any constant, in 1/4, recorded by hand with an unsteady tempo, swung. A song
is tested if its name's hash says so; `downbeats.csv` and `rhythm.csv` are fitted to the others.
Prints for each way the share of files whose downbeats are right, and of onsets that are where they
were written, as the file declares its bars and as they are found; as its last line JSON.
"""

import argparse
import dataclasses
import json
import pathlib
import zlib
from collections.abc import Callable, Iterator

import downbeat_weights
import music21
import numpy as np
import renditions
import rhythm_tables
from downbeat_weights import Example
from renditions import Part

from musicvae_jax.midi import extraction
from musicvae_jax.midi import read as midi_read
from musicvae_jax.midi.analysis import downbeats
from musicvae_jax.midi.reading import AS_FOUND, Reading
from musicvae_jax.midi.song import Song, seconds_at
from musicvae_jax.music.grid import SIXTEENTHS
from musicvae_jax.notation import read
from musicvae_jax.system.errors import UserError

COLLECTIONS = {"openewld": "**/*.mxl", "open_hymnal": "**/*.abc", "lieder": "**/*.mxl"}
FOLDS, TEST_FOLD = 5, 0
DECLARED = Reading(as_declared=True)
BPM = 120  # what files say that were recorded by hand


@dataclasses.dataclass(frozen=True)
class Tune:
    """A song whose bars are known: a bar line stands at quarter note 0 and each fourth one.

    Attributes:
      kind: where it is from.
      parts: its melody alone, or all of its parts if they are written out.
      rng: of its renditions.
    """

    kind: str
    parts: list[Part]
    rng: np.random.Generator


def tunes(folder: str | None, step: int, fold: int | None = None) -> Iterator[Tune]:
    """Tunes of 16 bars or more in 4/4 or 2/2, of every so many files or tunes of a file."""
    corpus = pathlib.Path(music21.__file__).parent / "corpus"
    sources = {"folk": [corpus / name for name in ("oneills1850", "ryansMammoth", "airdsAirs")]}
    patterns = {"folk": "**/*.abc"} | COLLECTIONS
    if folder:
        sources |= {kind: [pathlib.Path(folder).expanduser() / kind] for kind in COLLECTIONS}
    for kind, roots in sources.items():
        paths = [path for root in roots for path in sorted(root.glob(patterns[kind]))]
        for path in paths[:: step if len(paths) > 100 else 1]:
            if kind != "folk" and fold not in (None, fold_of(path, 0)):
                continue
            try:
                songs = read.songs_from_bytes(read.content(path), str(path))
            except UserError:
                continue
            for number, song in enumerate(songs):
                is_chosen = kind != "folk" or number % step == 0
                is_duple = {(n, d) for _, n, d in song.meters} <= {(4, 4), (2, 2)}
                if is_chosen and is_duple and fold in (None, fold_of(path, number)):
                    yield from _tune(kind, zlib.crc32(f"{path.name}:{number}".encode()), song)


def fold_of(path: pathlib.Path, number: int) -> int:
    """The fold of a song in a file."""
    return zlib.crc32(f"{path.name}:{number}".encode()) % FOLDS


def _tune(kind: str, seed: int, song: Song) -> Iterator[Tune]:
    melody = extraction.extract(song).melody
    if melody is None or melody.num_bars < 16:
        return
    if kind in ("open_hymnal", "lieder"):
        parts = [
            Part(
                track.name,
                track.program,
                track.is_drum,
                np.column_stack([track.pitch, track.start, track.end, track.velocity]),
            )
            for track in song.tracks
        ]
    else:
        parts = [renditions.melody_part(melody.pitch, melody.start / 4, melody.end / 4)]
    yield Tune(kind, parts, np.random.default_rng(seed))


# A file, and the second at which quarter note 0 of its tune and each later one is.
Rendition = tuple[bytes, np.ndarray]


def first_onset(parts: list[Part]) -> float:
    return min(part.notes[:, 1].min() for part in parts)


def quarters_of(parts: list[Part]) -> np.ndarray:
    return np.arange(max(part.notes[:, 2].max() for part in parts) + 8)


def as_declared(rng: np.random.Generator, parts: list[Part]) -> Rendition:
    return renditions.midi_bytes(parts, BPM, (4, 4)), quarters_of(parts) * 60 / BPM


def undeclared_upbeat(rng: np.random.Generator, parts: list[Part]) -> Rendition:
    """The first note is at the beginning of the file."""
    cut = first_onset(parts)
    data = renditions.midi_bytes(renditions.cut_before(parts, cut), BPM, (4, 4))
    return data, (quarters_of(parts) - cut) * 60 / BPM


def late_by_a_constant(
    rng: np.random.Generator, parts: list[Part], meter: tuple[int, int] = (4, 4)
) -> Rendition:
    """Recorded to a click, which began any time before."""
    late = rng.uniform(0, 4)
    moved = [
        dataclasses.replace(part, notes=part.notes + np.array([0, late, late, 0])) for part in parts
    ]
    loose = renditions.played(rng, moved, np.append(quarters_of(parts), 1e9), 0.02)
    data = renditions.midi_bytes(loose, BPM, meter)
    return data, (quarters_of(parts) + late) * 60 / BPM


def late_in_1_4(rng: np.random.Generator, parts: list[Part]) -> Rendition:
    return late_by_a_constant(rng, parts, (1, 4))


def by_hand(rng: np.random.Generator, parts: list[Part]) -> Rendition:
    """A tempo that drifts, and breathes every four bars, in a file that says another."""
    quarters = quarters_of(parts)
    drift = np.cumsum(rng.normal(0, 0.008, quarters.size))
    breath = 0.06 * np.sin(2 * np.pi * quarters / 16 + rng.uniform(0, 6))
    seconds = rng.uniform(0.5, 3) + np.cumsum(60 / rng.uniform(70, 150) * np.exp(drift + breath))
    loose = renditions.played(rng, parts, seconds, 0.015)
    return renditions.midi_bytes(
        loose, BPM, (4, 4), renditions.TICKS_PER_QUARTER * BPM / 60
    ), seconds


def swung_upbeat(rng: np.random.Generator, parts: list[Part]) -> Rendition:
    cut = np.floor(first_onset(parts))
    swung = renditions.cut_before(renditions.swung(parts, rng.uniform(0.58, 0.67)), cut)
    return renditions.midi_bytes(swung, BPM, (4, 4)), (quarters_of(parts) - cut) * 60 / BPM


WAYS: dict[str, Callable[[np.random.Generator, list[Part]], Rendition]] = {
    "as declared": as_declared,
    "undeclared upbeat": undeclared_upbeat,
    "late by a constant": late_by_a_constant,
    "late, in 1/4": late_in_1_4,
    "by hand, no grid": by_hand,
    "swung, undeclared upbeat": swung_upbeat,
}


def scores(rendition: Rendition, parts: list[Part], reading: Reading) -> tuple[float, float]:
    """The share of a file's downbeats, and of its onsets, that are read where they are.

    A downbeat is right within a fifth of a quarter note, an onset if its sixteenth of the bar is
    the one that was written. A file that is refused has none.
    """
    data, seconds = rendition
    song = midi_read.song_from_bytes(data, "x", reading)
    spans = [one for one in extraction.stretches(song) if SIXTEENTHS in one.grids]
    if not spans:
        return 0.0, 0.0
    first = max(spans, key=lambda span: span.end - span.start).start
    declared = midi_read.song_from_bytes(data, "x", DECLARED)
    # Tracked beats count their seconds from the first of them.
    begin, tracked = (
        seconds_at(one.tracks[0].start[:1], one.tempos)[0] for one in (declared, song)
    )
    starts = np.concatenate([track.start for track in song.tracks])
    lines = np.arange(first, starts.max(), 4.0)
    lines = lines[lines >= starts.min()]
    at = seconds_at(lines, song.tempos) + begin - tracked
    true = np.interp(at, seconds, np.arange(seconds.size))
    is_right = np.abs((true + 2) % 4 - 2) < 0.2
    step = np.floor((starts - first) * 4 + 0.5) % 16
    written = np.concatenate([np.floor(part.notes[:, 1] * 4 + 0.5) % 16 for part in parts])
    is_same = step == written if step.size == written.size else np.zeros(1)
    return float(is_right.mean()), float(is_same.mean())


def measure(tested: list[Tune]) -> dict[str, list[float]]:
    """By texture and way: files, downbeats and onsets as declared, and as found, in percent."""
    rows: dict[str, list[tuple[float, ...]]] = {}
    for tune in tested:
        textures = {"alone": tune.parts[:1]}
        if len(tune.parts) > 1:
            textures["with its accompaniment"] = tune.parts
        else:
            textures["with chords and bass"] = renditions.accompany(tune.rng, tune.parts[0])
        for texture, parts in textures.items():
            for way, render in WAYS.items():
                rendition = render(tune.rng, parts)
                before, after = (scores(rendition, parts, r) for r in (DECLARED, AS_FOUND))
                rows.setdefault(f"{texture}: {way}", []).append((*before, *after))
    return {
        name: [len(values), *(100 * np.mean(values, axis=0)).round(1).tolist()]
        for name, values in sorted(rows.items())
    }


def write_weights(folder: str | None) -> None:
    """Fits weights and rhythms to songs that are not tested, and writes them to the package."""
    examples: list[Example] = []
    alone, together = [], []
    for fold in range(FOLDS):
        if fold != TEST_FOLD:
            for tune in tunes(folder, 4, fold):
                examples += downbeat_weights.of_tune(tune.kind, tune.parts, tune.rng)
                alone.append(tune.parts[:1])
                together += _with_accompaniments(tune, 2)
    package = pathlib.Path(downbeats.__file__).parent
    rhythm_tables.write(alone, together, package / "rhythm.csv")
    if folder:
        examples += downbeat_weights.of_drummers(pathlib.Path(folder).expanduser() / "groove")
    downbeat_weights.write(examples, package / "downbeats.csv")
    print(f"wrote the tables of {package}, fitted to {len(examples)} renditions of songs")


def _with_accompaniments(tune: Tune, count: int) -> list[list[Part]]:
    """The tune's own parts, or it alone with so many accompaniments."""
    if len(tune.parts) > 1:
        return [tune.parts]
    return [renditions.accompany(tune.rng, tune.parts[0]) for _ in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer tunes")
    parser.add_argument("--folder", help="where the collections are")
    parser.add_argument("--fit", action="store_true", help="fit the weights to the other songs")
    args = parser.parse_args()
    if args.fit:
        write_weights(args.folder)
        return
    every = 60 if args.quick else 8
    tested = list(tunes(args.folder, every, TEST_FOLD))
    results = measure(tested)
    print(f"{'':46} files  downbeats       onsets (percent)")
    print(f"{'':46}        declared found  declared found")
    for name, (count, *rates) in results.items():
        bars, onsets, found_bars, found_onsets = rates
        figures = f"{bars:7.1f} {found_bars:6.1f}  {onsets:7.1f} {found_onsets:6.1f}"
        print(f"{name:46} {count:5.0f}  {figures}")
    print(json.dumps({name: values for name, values in results.items()}))


if __name__ == "__main__":
    main()
