"""Runs on the devices that are here what `compile_ahead.py` compiles for those that are not.

  python launch/measure_devices.py --config=hier --functions=train --config.train.batch_size=512

For each configuration and function it prints the milliseconds of a call, the memory at the peak so
far, and the launches of a call: those that the profiler saw on a device, and those that the
compiled program has, as `compile_ahead.py` counts them; and as its last line all figures as JSON:
{config: {function: {...}}}. The arrays hold constants; what is in them does not change the work.

On CPUs the profiler tells no launches, and nobody tells the memory. On GPUs and TPUs this was not
run yet.
"""

import argparse
import itertools
import json
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import config_arguments
import hlo_counts
import jax
import mapped_functions
import numpy as np

from musicvae_jax.inference import batching
from musicvae_jax.system.errors import UserError

# The first result is the first argument of the next call, whose memory is given up.
UPDATES = ("train", "train_prior")
CONSTANT = 0.01  # also a temperature, so that random numbers are drawn


def arrays(compiled: jax.stages.Compiled, shapes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Arguments of a compiled function, on its devices."""

    def array(shape: Any, sharding: jax.sharding.Sharding) -> jax.Array:
        kind = np.result_type(shape)
        value = CONSTANT if np.issubdtype(kind, np.floating) else 0
        return jax.device_put(np.full(np.shape(shape), value, kind), sharding)

    return jax.tree.map(array, shapes, compiled.input_shardings[0])


def timed(call: Callable[[], Any], calls: int) -> list[float]:
    """Seconds of each call, until its results are there."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - start)
    return seconds


def launches_seen(data: jax.profiler.ProfileData) -> int | None:
    """What the device of a trace that did most has run; None if no device tells.

    Of a GPU these are kernels and copies on its streams, of a TPU operations, loops among them.
    """
    counts = [
        sum(
            len(list(line.events))
            for line in plane.lines
            if line.name.startswith("Stream") or line.name == "XLA Ops"
        )
        for plane in data.planes
        if plane.name.startswith("/device:")
    ]
    return max(counts, default=None)


def traced(call: Callable[[], Any], calls: int) -> float | None:
    """Launches of a call that the profiler sees."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            timed(call, calls)
        (file,) = pathlib.Path(folder).rglob("*.xplane.pb")
        seen = launches_seen(jax.profiler.ProfileData.from_file(str(file)))
    return None if seen is None else round(seen / calls, 1)


def measure(name: str, mapped: Callable[..., Any], shapes: tuple[Any, ...], calls: int) -> dict:
    """The figures of a function; see the module."""
    compiled = mapped.lower(*shapes).compile()
    arguments = arrays(compiled, shapes)

    def call() -> Any:
        nonlocal arguments
        made = compiled(*arguments)
        if name in UPDATES:
            arguments = (made[0], *arguments[1:])
        return made

    timed(call, 2)
    seconds = timed(call, calls)
    used = (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    return {
        "ms": round(1e3 * statistics.median(seconds), 3),
        "peak_mib": None if used is None else round(used / 2**20, 1),
        "launches_seen": traced(call, calls),
        "launches": hlo_counts.parse(compiled.as_text()).launches(),
    }


def measure_all(args: argparse.Namespace, changes: Sequence[str]) -> None:
    """Prints the table and the JSON.

    Raises:
      UserError: an argument is wrong.
    """
    names = mapped_functions.named(args.functions)
    found = config_arguments.read(args.config, changes)
    devices = jax.local_devices()
    print(f"{len(devices)} {devices[0].device_kind}, medians of {args.calls} calls")
    print(f"{'config':12s} {'function':15s} {'ms':>9s} {'MiB':>8s} {'seen':>9s} {'launches':>8s}")
    results: dict[str, Any] = {}
    for (config_name, config), name in itertools.product(found.items(), names):
        mapped, shapes = mapped_functions.mapped(name, config, devices, args.rows)
        figures = measure(name, mapped, shapes, args.calls)
        results.setdefault(config_name, {})[name] = figures
        ms, mib, seen, launches = ("-" if value is None else value for value in figures.values())
        print(f"{config_name:12s} {name:15s} {ms:>9} {mib:>8} {seen:>9} {launches:>8}", flush=True)
    print(json.dumps(results))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", default="hier", help="names or paths, divided by commas")
    parser.add_argument("--functions", default="train,evaluate,generate,latent,dual_conductor")
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--rows", type=int, default=batching.MAX_BATCH, help="decoded by a device")
    args, changes = parser.parse_known_args()
    try:
        measure_all(args, changes)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
