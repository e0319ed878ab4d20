"""How many files of the published collections are read to a melody, and why the others are not.

Run: python benchmarks/reading.py --folder=FOLDER [--examples=N]
Needs: pip install -e . and the collections in FOLDER, each in a folder of its name

Reads each file as `--input` does, in processes of its own; of files with several tunes every
tune. Prints for each collection how many give a melody, of all files and of those with a meter
that is read, and the reasons of the others; as its last line JSON.
"""

import argparse
import collections
import dataclasses
import json
import re

from musicvae_jax.datasets.melodies.music_files import MusicFile, ReadingRules
from musicvae_jax.datasets.melodies.sources import COLLECTIONS, find_source
from musicvae_jax.midi import extraction
from musicvae_jax.midi.read import TIMEOUT_SEC, FileError
from musicvae_jax.music.grid import METERS
from musicvae_jax.music.windows import WindowRules
from musicvae_jax.notation import read
from musicvae_jax.system.workers import WorkerFailure, map_in_processes


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a tune.

    Attributes:
      id: of its file in the collection.
      meters: of the tune, as they were read.
      refusal: why there is no melody; empty if there is one.
    """

    id: str
    meters: frozenset[tuple[int, int]]
    refusal: str

    @property
    def is_known(self) -> bool:
        """Whether a stretch of it is in a meter that is read; so, too, if nothing was read."""
        return not self.meters or bool(self.meters & set(METERS))


def outcomes(file: MusicFile) -> list[Outcome]:
    """What becomes of each tune of a file."""
    try:
        songs = read.songs_from_bytes(read.content(file.path), str(file.path))
    except FileError as error:
        return [Outcome(file.id, frozenset(), error.kind)]
    results = []
    for song in songs:
        found = extraction.extract(song)
        meters = frozenset((numerator, denominator) for _, numerator, denominator in song.meters)
        results.append(Outcome(file.id, meters, found.refusal))
    return results


def kind_of(refusal: str) -> str:
    """A refusal without what belongs to one file alone."""
    return re.sub(r"\d+ notes", "too few notes", re.sub(r"\([^)]*\) |;.*", "", refusal))


def measure(name: str, folder: str) -> list[Outcome]:
    """The outcomes of a collection, in the order of its files."""
    files = find_source(name, ReadingRules(WindowRules(16)), folder).files()
    told = map_in_processes(outcomes, files, name, len(files), TIMEOUT_SEC)
    results: list[Outcome] = []
    for file, made in zip(files, told, strict=True):
        if isinstance(made, WorkerFailure):
            made = [Outcome(file.id, frozenset(), made.reason)]
        results += made
    return results


def table(found: dict[str, list[Outcome]], num_examples: int) -> tuple[list[str], dict]:
    """Lines for people, and the figures."""
    lines = ["| collection | tunes | read | in a meter that is read | read |", "|-|-|-|-|-|"]
    figures: dict[str, list[int]] = {}
    reasons: dict[str, list[str]] = collections.defaultdict(list)
    for name, all_of in found.items():
        known = [one for one in all_of if one.is_known]
        figures[name] = [len(all_of), _num_read(all_of), len(known), _num_read(known)]
        total, some, of_known, some_known = figures[name]
        shares = f"{some / total:.1%} | {of_known:,} | {some_known / max(of_known, 1):.1%}"
        lines.append(f"| {name} | {total:,} | {shares} |")
        for one in all_of:
            if one.refusal:
                reasons[f"{name}: {kind_of(one.refusal)}"].append(one.id)
    for reason, ids in sorted(reasons.items(), key=lambda entry: -len(entry[1])):
        lines.append(f"{len(ids):5} {reason}  {', '.join(ids[:num_examples])}")
    return lines, figures | {"reasons": {reason: len(ids) for reason, ids in reasons.items()}}


def _num_read(some: list[Outcome]) -> int:
    return sum(not one.refusal for one in some)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--examples", type=int, default=0, help="files named for each reason")
    told = parser.parse_args()
    # Of drums there is no melody.
    found = {name: measure(name, told.folder) for name in COLLECTIONS if name != "groove"}
    lines, figures = table(found, told.examples)
    print(*lines, sep="\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
