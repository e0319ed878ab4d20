"""`--mode=interpolate --pairs`: many pairs of music files, streamed through in batches."""

import collections
import csv
import dataclasses
import itertools
import json
import logging
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from musicvae_jax import __version__
from musicvae_jax.commands.options import Options
from musicvae_jax.commands.pair_files import Done, read_pair, write_piece
from musicvae_jax.commands.pair_kinds import Kind, Pair
from musicvae_jax.inference.batching import MAX_BATCH
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi.reading import Reading
from musicvae_jax.music.melody import Melody
from musicvae_jax.notation import read
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.progress import progress
from musicvae_jax.system.workers import SafePool, WorkerFailure
from musicvae_jax.transitions.maker import Bridge, Plan, maker_of
from musicvae_jax.transitions.meters import MeterBridgeMaker

logger = logging.getLogger(__name__)
WRITE_TIMEOUT_SEC = 60.0


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
      name: of its files.
      paths: of its two music files.
      tracks: the number or the name of the track of each that is the melody; empty for the
        one that is found.
    """

    name: str
    paths: tuple[str, str]
    tracks: tuple[str, str] = ("", "")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a table of pairs.

    Attributes:
      pairs: how many lines it has.
      failures: why pairs were left out, by their names.
      seconds: of each kind of work. Those of MIDI and disk are the sums over all worker
        processes.
      workers: how many worker processes there were.
      means: of each score over all bridges, by strategy.
    """

    pairs: int
    failures: dict[str, str]
    seconds: dict[str, float]
    workers: int
    means: dict[str, dict[str, float]]

    def report(self) -> dict[str, Any]:
        """The same for JSON."""
        return {
            "pairs": self.pairs,
            "failures": self.failures,
            "seconds": self.seconds | {"worker_processes": self.workers},
            "means": self.means,
        }


class _Tally:
    """What was done so far."""

    def __init__(self, strategies: Sequence[str]):
        self.seconds: collections.Counter[str] = collections.Counter()
        self.failures: dict[str, str] = {}
        self.scores: dict[str, list[dict[str, float]]] = {name: [] for name in strategies}

    def count(self, result: Done | WorkerFailure) -> str:
        """Adds a worker's seconds; returns why it failed, or an empty text."""
        if isinstance(result, WorkerFailure):
            return result.reason
        self.seconds["midi"] += result.midi_sec
        self.seconds["disk"] += result.disk_sec
        return result.error

    def leave_out(self, pair: str, error: str) -> None:
        """Counts a pair of which there will be no bridge."""
        logger.warning("pair %s is left out: %s", pair, error)
        self.failures[pair] = error

    def means(self) -> dict[str, dict[str, float]]:
        return {
            strategy: {
                name: round(float(np.mean([scores[name] for scores in of_all])), 4)
                for name in of_all[0]
            }
            for strategy, of_all in self.scores.items()
        }


def read_table(path: str) -> list[Row]:
    """Reads a CSV file of pairs: two music files a line, and if wanted a name and two tracks.

    Relative paths start at the file's folder. A pair without a name is named by its
    number. The tracks are the melodies of the two files. Empty lines, and lines that begin
    with #, are skipped.

    Raises:
      UserError: the file cannot be read or has no pairs, or a line has another form.
    """
    file = pathlib.Path(path).expanduser()
    try:
        lines = list(csv.reader(file.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(f"--pairs={path}: cannot be read: {reason}") from error
    rows: dict[str, Row] = {}
    for number, cells in enumerate(lines, start=1):
        cells = [cell.strip() for cell in cells]
        if not any(cells) or cells[0].startswith("#"):
            continue
        where = f"--pairs={path}: line {number}"
        if not 2 <= len(cells) <= 5 or not all(cells[:2]):
            raise UserError(
                f"{where}: two music files, and if wanted a name and their two tracks, are needed"
            )
        name, *tracks = [*cells[2:], "", "", ""][:3]
        name = name or f"{len(rows) + 1:05d}"
        if name in rows or name != pathlib.Path(name).name or name.startswith("."):
            raise UserError(f"{where}: {name!r} is not a name for files, or that of another pair")
        first, second = (str(file.parent / pathlib.Path(cell).expanduser()) for cell in cells[:2])
        rows[name] = Row(name, (first, second), (tracks[0], tracks[1]))
    if not rows:
        raise UserError(f"--pairs={path}: has no pairs")
    return list(rows.values())


class _Models:
    """The models of the pairs' bars."""

    def __init__(self, model: MelodyModel, other: Callable[[int], MelodyModel]):
        self._models = {model.grid.steps_per_bar: model}
        self._other = other
        self._hashes: dict[int, str] = {}

    def get_ready(self, melodies: Sequence[Melody]) -> str:
        """Has the models of some melodies loaded; returns why that cannot be, or an empty text."""
        for melody in melodies:
            steps = melody.grid.steps_per_bar
            if steps not in self._models:
                try:
                    self._models[steps] = self._other(steps)
                except UserError as error:
                    return str(error)
        return ""

    def maker(self) -> MeterBridgeMaker:
        """Of the models that are loaded."""
        return MeterBridgeMaker({steps: maker_of(model) for steps, model in self._models.items()})

    def provenance(self, melodies: Sequence[Melody]) -> str:
        """What a bridge between melodies is made with."""
        used = dict.fromkeys(melody.grid.steps_per_bar for melody in melodies)
        return f"MusicVAE-JAX {__version__}, checkpoint {' and '.join(map(self._sha256, used))}"

    def _sha256(self, steps_per_bar: int) -> str:
        if steps_per_bar not in self._hashes:
            checkpoint = self._models[steps_per_bar].checkpoint
            self._hashes[steps_per_bar] = checkpoint.sha256()[:12]
        return self._hashes[steps_per_bar]


def write_pairs(
    rows: Sequence[Row],
    model: MelodyModel,
    plan: Plan,
    folder: pathlib.Path,
    options: Options,
    *,
    kind: Kind,
    other: Callable[[int], MelodyModel],
) -> Outcome:
    """Writes the transitions of all pairs, and `pairs.jsonl`, a line for each file.

    Files are read and written by worker processes: the next files are read while the model
    is at work. A pair that cannot be read, or for which there is no model, is left out, with a
    warning.

    Args:
      rows: of `read_table`.
      model: makes the bridges.
      plan: of the bridges.
      folder: where to write.
      options: by which strategies, and how many candidates, of which the best is written; what is
        known of the first and of the second file of each pair.
      kind: what is read, and what is written.
      other: gives a model of bars of another number of steps, when the first pair needs one.

    Raises:
      UserError: no pair can be read, or a file cannot be written.
    """
    begin = time.perf_counter()
    strategies, readings = options.transition.strategies, options.readings_of(2)
    tally = _Tally(strategies)
    models = _Models(model, other)
    asked = {"plan": plan} | options.candidates()
    workers = min(os.cpu_count() or 1, len(rows))
    # Of a pair both files are read.
    timeout_sec = max(sum(map(read.timeout_sec, row.paths)) for row in rows)
    reader, writer = SafePool(workers, timeout_sec), SafePool(workers, WRITE_TIMEOUT_SEC)
    try:
        with files.replacing(folder / "pairs.jsonl") as lines, lines.open("w") as report:
            for pairs in _read_in_batches(rows, reader, readings, kind, models, tally):
                ends = [kind.ends(pair) for pair in pairs]
                numbers = [pair.number for pair in pairs]
                for strategy in strategies:
                    start = time.perf_counter()
                    candidates = models.maker()(ends, strategy, pair_numbers=numbers, **asked)
                    beats: list[Bridge] | list[None] = [None] * len(pairs)
                    if kind.drums is not None:
                        patterns = [pair.drums for pair in pairs if pair.drums is not None]
                        beats = kind.drums.bridges(patterns, strategy, numbers)
                    tally.seconds["model"] += time.perf_counter() - start
                    best = [ranked[0] for ranked in candidates]
                    made = list(zip(pairs, best, beats, strict=True))
                    tally.scores[strategy] += [vars(bridge.scores) for bridge in best]
                    report.writelines(_line(strategy, *each) for each in made)
                    pieces = [
                        (
                            folder / _file(each[0], strategy),
                            kind.piece(*each),
                            models.provenance(each[0].music),
                        )
                        for each in made
                    ]
                    _write(pieces, writer, tally)
            if len(tally.failures) == len(rows):
                name, error = next(iter(tally.failures.items()))
                raise UserError(f"no pair can be read; the first is {name}: {error}")
    finally:
        reader.close()
        writer.close()
    tally.seconds["total"] = time.perf_counter() - begin
    seconds = {name: round(value, 3) for name, value in sorted(tally.seconds.items())}
    logger.info("%d pairs, seconds: %s", len(rows) - len(tally.failures), seconds)
    return Outcome(len(rows), tally.failures, seconds, workers, tally.means())


def _read_in_batches(
    rows: Sequence[Row],
    reader: SafePool,
    readings: Sequence[Reading],
    kind: Kind,
    models: _Models,
    tally: _Tally,
) -> Iterator[list[Pair]]:
    """The pairs that can be read, those of some rows at a time; none where all of them fail."""
    items = [(row.paths, readings_of(row, readings), kind.reader) for row in rows]
    done = reader.map(read_pair, items, len(rows))
    numbered = enumerate(zip(rows, progress(done, "pairs", len(rows)), strict=True))
    while batch := list(itertools.islice(numbered, MAX_BATCH)):
        pairs = []
        for number, (row, result) in batch:
            error = tally.count(result) or models.get_ready(result.music)
            if not error:
                pair = Pair(number, row.name, result.music, result.sources)
                try:
                    pairs.append(kind.with_drums(pair))
                except UserError as refusal:
                    error = str(refusal)
            if error:
                tally.leave_out(row.name, error)
        if pairs:
            yield pairs


def readings_of(row: Row, readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """What is known of the files of a pair, whose own tracks come first."""
    return tuple(
        dataclasses.replace(reading, track=track or reading.track)
        for reading, track in zip(readings, row.tracks, strict=True)
    )


def _file(pair: Pair, strategy: str) -> str:
    return f"{pair.name}_{strategy}.mid"


def _line(strategy: str, pair: Pair, bridge: Bridge, beat: Bridge | None) -> str:
    """Of `pairs.jsonl`."""
    entry = {"pair": pair.name, "strategy": strategy, "output": _file(pair, strategy)}
    entry |= bridge.report()
    return json.dumps(entry if beat is None else entry | {"drums": beat.report()}) + "\n"


def _write(items: Sequence[tuple[pathlib.Path, Any, str]], writer: SafePool, tally: _Tally) -> None:
    """Writes MIDI files, each with its provenance, by worker processes.

    Raises:
      UserError: one cannot be written.
    """
    done = writer.map(write_piece, items, len(items))
    for (path, *_), result in zip(items, done, strict=True):
        if error := tally.count(result):
            raise UserError(f"cannot write {path}: {error}")
