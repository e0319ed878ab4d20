"""`--mode=interpolate --pairs`: many pairs of MIDI files, streamed through in batches."""

import collections
import csv
import dataclasses
import itertools
import json
import logging
import os
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from musicvae_jax import __version__
from musicvae_jax.commands.options import Options
from musicvae_jax.commands.pair_files import Done, read_pair, write_piece
from musicvae_jax.inference.batching import MAX_BATCH
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi import read
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import plan_keys
from musicvae_jax.music.piece import single, splice
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError
from musicvae_jax.system.progress import progress
from musicvae_jax.system.workers import SafePool, WorkerFailure
from musicvae_jax.transitions.maker import Bridge, BridgeMaker, Plan

logger = logging.getLogger(__name__)
WRITE_TIMEOUT_SEC = 60.0


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
      name: of its files.
      paths: of its two MIDI files.
    """

    name: str
    paths: tuple[str, str]


def describe(plan: Plan, options: Options) -> dict[str, Any]:
    """The plan of bridges for a JSON report."""
    told = options.transition
    return {
        "bars": plan.bars,
        "spliced": plan.is_spliced,
        "curve": plan.curve,
        "control_curve": plan.control_curve,
        **dataclasses.asdict(plan.settings),
        "candidates": options.num_or(1),
        "key_path": told.key_path,
        "programs": told.programs,
    }


def read_table(path: str) -> list[Row]:
    """Reads a CSV file of pairs: two MIDI files a line, and a name if wanted.

    Relative paths are taken from the file's folder. Without a name, a pair is called by
    its number. Empty lines, and lines that begin with #, are passed over.

    Raises:
      UserError: it cannot be read, has no pairs, or a line is not as described.
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
        if len(cells) not in (2, 3) or not all(cells[:2]):
            raise UserError(f"{where}: two MIDI files, and a name if wanted, are needed")
        name = cells[2] if len(cells) == 3 and cells[2] else f"{len(rows) + 1:05d}"
        if name in rows or name != pathlib.Path(name).name or name.startswith("."):
            raise UserError(f"{where}: {name!r} is not a name for files, or that of another pair")
        first, second = (str(file.parent / pathlib.Path(cell).expanduser()) for cell in cells[:2])
        rows[name] = Row(name, (first, second))
    if not rows:
        raise UserError(f"--pairs={path}: has no pairs")
    return list(rows.values())


def write_pairs(
    rows: Sequence[Row],
    model: MelodyModel,
    plan: Plan,
    folder: pathlib.Path,
    options: Options,
) -> dict[str, Any]:
    """Writes the transitions of all pairs, and `pairs.jsonl`, a line for each file.

    MIDI is read and written by worker processes: the next files are read while the model
    is at work. A pair that cannot be read is told of and left out.

    Returns:
      The report: means by strategy, and the seconds of each kind of work.

    Raises:
      UserError: no pair can be read.
    """
    begin = time.perf_counter()
    seconds: collections.Counter[str] = collections.Counter()
    failures: dict[str, str] = {}
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in options.transition.strategies}
    maker = BridgeMaker(model)
    provenance = f"MusicVAE-JAX {__version__}, checkpoint {model.checkpoint.sha256()[:12]}"
    workers = min(os.cpu_count() or 1, len(rows))
    reader, writer = SafePool(workers, read.TIMEOUT_SEC), SafePool(workers, WRITE_TIMEOUT_SEC)
    try:
        with files.replacing(folder / "pairs.jsonl") as lines, lines.open("w") as report:
            done = reader.map(read_pair, [row.paths for row in rows], len(rows))
            pairs_read = zip(
                itertools.count(), rows, progress(done, "pairs", len(rows)), strict=False
            )
            for batch in iter(lambda: list(itertools.islice(pairs_read, MAX_BATCH)), []):
                pairs: dict[tuple[int, str], tuple[Melody, Melody]] = {}
                for number, row, result in batch:
                    error = _count(result, seconds)
                    if error:
                        logger.warning("pair %s is left out: %s", row.name, error)
                        failures[row.name] = error
                    else:
                        pairs[number, row.name] = result.melodies
                for strategy in options.transition.strategies if pairs else ():
                    start = time.perf_counter()
                    bridges = _make(maker, pairs, strategy, plan, options)
                    seconds["model"] += time.perf_counter() - start
                    items = []
                    for (_, name), (pair, bridge) in bridges.items():
                        path = folder / f"{name}_{strategy}.mid"
                        items.append((path, _piece(pair, bridge, plan, options), provenance))
                        scores[strategy].append(bridge.scores)
                        entry = {"pair": name, "strategy": strategy, "output": path.name}
                        report.write(json.dumps(entry | bridge.report()) + "\n")
                    for result in writer.map(write_piece, items, len(items)):
                        if error := _count(result, seconds):
                            raise UserError(f"cannot write to {folder}: {error}")
            if len(failures) == len(rows):
                name, error = next(iter(failures.items()))
                raise UserError(f"no pair can be read; the first is {name}: {error}")
    finally:
        reader.close()
        writer.close()
    seconds["total"] = time.perf_counter() - begin
    rounded = {name: round(value, 3) for name, value in sorted(seconds.items())}
    logger.info("%d pairs, seconds: %s", len(rows) - len(failures), rounded)
    return {
        "pairs": len(rows),
        "failures": failures,
        # Of MIDI and disk, those of all worker processes together.
        "seconds": rounded | {"worker_processes": workers},
        "means": {strategy: _means(values) for strategy, values in scores.items()},
    }


def _count(result: Done | WorkerFailure, seconds: collections.Counter[str]) -> str:
    """Adds a worker's seconds; returns why it failed, or nothing."""
    if isinstance(result, WorkerFailure):
        return result.reason
    seconds["midi"] += result.midi_sec
    seconds["disk"] += result.disk_sec
    return result.error


def _make(
    maker: BridgeMaker,
    pairs: dict[tuple[int, str], tuple[Melody, Melody]],
    strategy: str,
    plan: Plan,
    options: Options,
) -> dict[tuple[int, str], tuple[tuple[Melody, Melody], Bridge]]:
    """The best bridge of each pair, with the pair."""
    path = options.transition.key_path if plan.is_spliced else "keep"
    ends = [plan_keys(pair, path).pairs[0] for pair in pairs.values()]
    candidates = maker(
        *(ends, strategy, plan),
        num=options.num_or(1),
        seed=options.seed,
        temperature=options.transition_temperature,
        pair_numbers=[number for number, _ in pairs],
    )
    best = [ranked[0] for ranked in candidates]
    return dict(zip(pairs, zip(pairs.values(), best, strict=True), strict=True))


def _piece(pair: tuple[Melody, Melody], bridge: Bridge, plan: Plan, options: Options):
    told = options.transition
    if not plan.is_spliced:
        return single(bridge.melody, origin="bridge", is_bridge=True)
    curves = [next(iter(bridge.by_bar.values()))]
    return splice(
        *(pair[0], bridge.melody, pair[1]),
        key_path=told.key_path,
        programs=told.programs,
        curves=curves,
    )


def _means(values: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(float(np.mean([v[name] for v in values])), 4) for name in values[0]}
