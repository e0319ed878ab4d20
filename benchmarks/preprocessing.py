"""Files per second of preprocessing: ours against the seed's chain, and over two cores.

Run: python benchmarks/preprocessing.py [--quick]
Needs: pip install -e '.[dev]' pandas

The same synthetic MIDI files (see `synthetic_midi.py`) go through both, in turns,
in one process. The seed's chain is so slow that it is given a sample of them; its
rate is over that sample, and ours over the same sample repeated.
"""

import argparse
import concurrent.futures
import json
import multiprocessing
import pathlib
import statistics
import tempfile
import time

import seed_preprocessing
import synthetic_midi

from musicvae_jax.midi import arpeggio
from musicvae_jax.notation import read

STEPS = 256


def ours(path: pathlib.Path) -> int:
    """One file by our chain; returns the number of segments."""
    on, _, _ = arpeggio.one_voice_roll(read.read_song(path))
    return len(arpeggio.to_tokens(arpeggio.cut(arpeggio.pad(on, STEPS), STEPS)))


def many(paths: list[pathlib.Path]) -> int:
    """Several files, in a worker."""
    return sum(ours(path) for path in paths)


def rate(function, paths: list[pathlib.Path], repeats: int = 1) -> float:
    """Files per second."""
    start = time.perf_counter()
    for _ in range(repeats):
        for path in paths:
            function(path)
    return len(paths) * repeats / (time.perf_counter() - start)


def pool_rate(pool, workers: int, paths: list[pathlib.Path]) -> float:
    """Files per second with the files dealt out to so many workers."""
    chunks = [paths[first::workers] for first in range(workers)]
    start = time.perf_counter()
    segments = sum(pool.map(many, chunks))
    assert segments > 0
    return len(paths) / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few files, a few seconds")
    quick = parser.parse_args().quick
    files, sampled, rounds = (20, 2, 1) if quick else (300, 15, 3)
    with tempfile.TemporaryDirectory() as folder:
        paths = synthetic_midi.write_files(pathlib.Path(folder), files)
        ours(paths[0])  # imports and caches
        ratios, seed_rates, our_rates = [], [], []
        for number in range(rounds):
            sample = paths[number::rounds][:sampled]
            seed_rates.append(rate(seed_preprocessing.preprocess, sample))
            our_rates.append(rate(ours, sample, repeats=5))
            ratios.append(our_rates[-1] / seed_rates[-1])
            print(f"round {number + 1}: seed {seed_rates[-1]:.3f}, ours {our_rates[-1]:.1f}")
        scalings, whole = [], []
        context = multiprocessing.get_context("spawn")
        pools = {n: concurrent.futures.ProcessPoolExecutor(n, mp_context=context) for n in (1, 2)}
        for n, pool in pools.items():  # start the workers and their imports
            list(pool.map(many, [paths[:1]] * (4 * n)))
        for _ in range(2 * rounds):
            one, two = (pool_rate(pools[n], n, paths) for n in (1, 2))
            scalings.append(two / one)
            whole.append(one)
        for pool in pools.values():
            pool.shutdown()
    figures = {
        "files": files,
        "seed_files_per_sec": round(statistics.median(seed_rates), 4),
        "ours_files_per_sec": round(statistics.median(our_rates), 1),
        "ours_files_per_sec_all": round(statistics.median(whole), 1),
        "ratio_vs_seed": round(statistics.median(ratios), 1),
        "scaling_2_workers": round(statistics.median(scalings), 2),
    }
    for name, value in figures.items():
        print(f"{name:26s} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
