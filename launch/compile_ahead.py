"""Compiles training, evaluation and decoding for accelerators, on a machine that has none.

  python launch/compile_ahead.py --target=v5e:2x2,h100 --config=configs/hier.py

For each target, configuration and function it prints the seconds to compile, the memory at the
peak, the matrix products, the launches, the loops and the collectives, all of one device; and as
its last line all figures as JSON: {target: {config: {function: {...}}}}.

Launches are what the device starts one after another, see `hlo_counts.Program.launches`. "By host"
is, for GPUs, what the host starts if XLA's CUDA graphs, of many launches each, are one: by default
there are such, and XLA_FLAGS=--xla_gpu_enable_command_buffer=+WHILE puts loops into them. The loops
are given as turns x launches of a turn. The operations are 2 m n k for a product of [m, k] and
[k, n], in a loop as often as it turns, counted in what JAX traced; nothing else counts.

Fields are changed as in training, for all configurations: --config.train.batch_size=512. With
--config.model.lstm=auto the LSTMs are what that means on the target.

--save=FOLDER writes what was compiled, for `executables.load` where the devices are.

The exit code is 1 if something does not compile, or does not fit into the memory, and 2 if an
argument is wrong, or a compiler is not installed.
"""

import argparse
import dataclasses
import itertools
import json
import math
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

# No accelerator is looked for, nor is Google's cloud asked which TPU this machine has. What kind it
# would be has no influence on the targets.
os.environ |= {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
}

import accelerators
import config_arguments
import executables
import hlo_counts
import jax
import mapped_functions
import ml_collections
import thunks

from musicvae_jax.inference import batching
from musicvae_jax.system.errors import UserError


def product_operations(jaxpr: Any) -> int:
    """Operations of the matrix products of a traced function: 2 m n k each, loops unrolled."""
    total = 0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            depth = math.prod(shape[axis] for axis in contracted)
            total += 2 * depth * math.prod(equation.outvars[0].aval.shape)
        times = _times(equation)
        for parameter in equation.params.values():
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                total += times * product_operations(inner)
    return total


def _times(equation: Any) -> int:
    """How often an operation computes the function that it holds."""
    if equation.primitive.name == "pallas_call":
        return math.prod(equation.params["grid_mapping"].grid)
    return equation.params["length"] if equation.primitive.name == "scan" else 1


def measure(
    mapped: Callable[..., Any], arguments: tuple[Any, ...], is_gpu: bool, path: pathlib.Path | None
) -> dict[str, Any]:
    """Compiles a function, and writes it to `path`, if given; see the module for the figures."""
    lowered = mapped.lower(*arguments)
    start = time.perf_counter()
    # There is no GPU on which XLA could try which of several kernels is fastest.
    options = {"xla_gpu_autotune_level": "0"}
    with tempfile.TemporaryDirectory() as folder:
        if is_gpu:
            options["xla_dump_to"] = folder
        compiled = lowered.compile(compiler_options=options)
        seconds = time.perf_counter() - start
        dumped = thunks.dumped(folder) if is_gpu else None
    if path is not None:
        executables.save(path, compiled)
    memory = compiled.memory_analysis()
    peak = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    peak += memory.temp_size_in_bytes + memory.generated_code_size_in_bytes
    program = hlo_counts.parse(compiled.as_text())
    loops = program.loops()
    by_host = dumped and thunks.host_launches(dumped, [loop.trips for loop in loops])
    return {
        "compile_sec": round(seconds, 1),
        "peak_mib": round(peak / 2**20, 1),
        "product_gflop": round(
            product_operations(jax.make_jaxpr(mapped)(*arguments).jaxpr) / 1e9, 2
        ),
        "launches": program.launches(),
        "host_launches": by_host,
        "loops": [dataclasses.asdict(loop) for loop in loops],
        "collectives": {
            name: {"count": count, "bytes": size}
            for name, (count, size) in program.collectives().items()
        },
    }


HEADER = (
    f"{'target':10s} {'config':12s} {'function':15s} {'compile s':>9s} {'peak MiB':>8s} "
    f"{'of all':>6s} {'GFLOP':>9s} {'launches':>8s} "
    f"{'by host':>7s}  loops; collectives"
)


def row(figures: dict[str, Any], memory_gib: float) -> str:
    """The figures of a function, for the table."""
    loops = [f"{loop['trips'] or '?'}x{loop['launches']}" for loop in figures["loops"]]
    collectives = [
        f"{c['count']} {name} of {c['bytes'] / 2**20:.1f} MiB"
        for name, c in figures["collectives"].items()
    ]
    share = figures["peak_mib"] / 1024 / memory_gib
    return (
        f"{figures['compile_sec']:9.1f} {figures['peak_mib']:8,.0f} {share:6.1%} "
        f"{figures['product_gflop']:9,.1f} {figures['launches']:8,d} "
        f"{figures['host_launches'] or '-':>7}  {' '.join(loops) or '-'}; "
        f"{', '.join(collectives) or 'no collective'}"
    )


def compile_one(
    name: str,
    config: ml_collections.ConfigDict,
    devices: Sequence[Any],
    rows: int,
    memory: float,
    path: pathlib.Path | None,
) -> dict[str, Any]:
    """The figures of a function, or `error` with the reason why it cannot run."""
    try:
        mapped, arguments = mapped_functions.mapped(name, config, devices, rows)
        figures = measure(mapped, arguments, devices[0].platform == "gpu", path)
    except (UserError, jax.errors.JaxRuntimeError) as error:
        return {"error": accelerators.first_line(error)}
    if figures["peak_mib"] > 1024 * memory:
        peak = figures["peak_mib"] / 1024
        figures["error"] = f"needs {peak:.1f} GiB of a device, which has {memory:g}"
    return figures


def compile_all(args: argparse.Namespace, changes: Sequence[str]) -> bool:
    """Prints the table and the JSON; returns whether something failed.

    Args:
      args: of the command line.
      changes: of all configurations, see `config_arguments`.

    Raises:
      UserError: an argument is wrong, or a compiler is not installed.
    """
    names = mapped_functions.named(args.functions)
    named = config_arguments.read(args.config, changes)
    targets = {target: accelerators.devices(target) for target in args.target.split(",")}
    print(HEADER)
    results: dict[str, Any] = {}
    failed = False
    for (target, devices), config_name, name in itertools.product(targets.items(), named, names):
        memory = accelerators.memory_gib(target)
        config = named[config_name].copy_and_resolve_references()
        # Not 'auto', which means what it means on this machine.
        if config.model.lstm == "auto":
            config.model.lstm = accelerators.lstm(target)
        used = devices[: args.devices or len(devices)]
        file = f"{target.replace(':', '_')}/{config_name}_{name}.executable"
        path = pathlib.Path(args.save, file) if args.save else None
        figures = compile_one(name, config, used, args.rows, memory, path)
        results.setdefault(target, {}).setdefault(config_name, {})[name] = figures
        told = row(figures, memory) if "launches" in figures else "-"
        print(f"{target:10s} {config_name:12s} {name:15s} {told}", flush=True)
        if "error" in figures:
            failed = True
            where = f"{target}, {config_name}, {name}"
            print(f"error: {where}: {figures['error']}", file=sys.stderr, flush=True)
    print(json.dumps(results))
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--target", default="v5e:2x2", help="several divided by commas")
    parser.add_argument("--config", default="hier", help="names or paths, divided by commas")
    parser.add_argument("--functions", default="train,evaluate,generate,latent,dual_conductor")
    parser.add_argument("--devices", type=int, default=0, help="of a target; 0: all")
    parser.add_argument("--save", default="", help="folder for TARGET/CONFIG_FUNCTION.executable")
    rows = batching.MAX_BATCH * batching.ACCELERATED
    parser.add_argument("--rows", type=int, default=rows, help="decoded at once by a device")
    args, changes = parser.parse_known_args()
    try:
        failed = compile_all(args, changes)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
