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

The LSTMs are what `config.model.lstm=auto` means on the target, or what --lstm says: with `pallas`
they are the kernels of `models/lstm_tpu.py`, for TPUs, and with `triton` those of
`models/lstm_gpu.py`, for GPUs.

--save=FOLDER writes what was compiled, for `executables.load` where the devices are.

The exit code is 1 if something does not compile, or does not fit into the memory, and 2 if an
argument is wrong, or a compiler is not installed.
"""

import argparse
import dataclasses
import functools
import importlib.util
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
import executables
import hlo_counts
import jax
import jax.numpy as jnp
import ml_collections
import thunks

from musicvae_jax import configs
from musicvae_jax.checkpoints import config_check
from musicvae_jax.inference import batching
from musicvae_jax.inference.network import Network
from musicvae_jax.models.vae import abstract_params, create_model
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import step, validation
from musicvae_jax.transitions import strategies
from musicvae_jax.transitions.settings import Settings

# A mapped function, and the shapes of its arguments.
Mapped = tuple[Callable[..., Any], tuple[Any, ...]]


SCALAR = jax.ShapeDtypeStruct((), jnp.float32)


def config_of(argument: str) -> ml_collections.ConfigDict:
    """A configuration by its name or path."""
    path = pathlib.Path(configs.find(argument))
    if not path.is_file():
        raise UserError(
            f"--config={argument}: no such file; known are {', '.join(configs.names())}"
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config()


def spread(tree: Any, devices: int) -> Any:
    """The shapes of a tree, of which each device has a copy."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((devices, *x.shape), x.dtype), tree)


def train(config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int) -> Mapped:
    """A step of training."""
    model, optimizer = create_model(config.model), step.create_optimizer(config.train)
    mapped = step.pmap_train_step(model, optimizer, config, devices)
    state = jax.eval_shape(lambda: step.create_train_state(model, optimizer, 0))
    tokens = jax.ShapeDtypeStruct((rows, model.bars * model.steps_per_bar), jnp.int32)
    return mapped, spread((state, tokens), len(devices))


def evaluate(config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int) -> Mapped:
    """A batch of validation."""
    model = create_model(config.model)
    tokens = jax.ShapeDtypeStruct((rows, model.bars * model.steps_per_bar), jnp.int32)
    weight = jax.ShapeDtypeStruct((rows,), jnp.float32)
    spreaded = spread((abstract_params(config), tokens, weight), len(devices))
    return validation.pmap_eval_step(model, devices), (*spreaded, 0)


def _keys(rows: int) -> jax.ShapeDtypeStruct:
    return jax.eval_shape(lambda: jax.random.key_data(jax.random.split(jax.random.key(0), rows)))


def generate(config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int) -> Mapped:
    """Melodies from latents, each token fed back."""
    network = Network(config.model, None)
    z = jax.ShapeDtypeStruct((rows, 1, *network.model.latent_shape), jnp.float32)
    given = jax.ShapeDtypeStruct((rows, network.bars * network.model.steps_per_bar), jnp.int32)
    is_given = jax.ShapeDtypeStruct(given.shape, jnp.bool_)
    spreaded = spread((abstract_params(config), (z, _keys(rows), given, is_given)), len(devices))
    return batching.pmap_rows(network.decoded, devices), (*spreaded, SCALAR)


def bridge(
    strategy: str, config: ml_collections.ConfigDict, devices: Sequence[Any], rows: int
) -> Mapped:
    """Bridges as long as a melody, by a strategy, from melodies to tokens."""
    network = Network(config.model, None)

    def made(params, rows, shared):
        first, second, keys, written = rows
        told = dict(zip(("t_latent", "t_control", "temperature"), shared, strict=True))
        keys = jax.random.wrap_key_data(keys)
        told |= {"keys": keys, "composed_path": written, "settings": Settings()}
        return strategies.transition(network.trained(params), strategy, (first, second), **told)[0]

    melody = jax.ShapeDtypeStruct((rows, network.bars * network.model.steps_per_bar), jnp.int32)
    path = jax.ShapeDtypeStruct((rows, network.bars, network.model.z), jnp.float32)
    written = path if strategies.STRATEGIES[strategy].needs_composer else None
    t = jax.ShapeDtypeStruct((network.bars,), jnp.float32)
    of_rows = (melody, melody, _keys(rows), written)
    spreaded = spread((abstract_params(config), of_rows), len(devices))
    return batching.pmap_rows(made, devices), (*spreaded, (t, t, SCALAR))


FUNCTIONS = {
    "train": train,
    "evaluate": evaluate,
    "generate": generate,
    **{name: functools.partial(bridge, name) for name in strategies.STRATEGIES},
}
# Those whose rows are the batch of training.
OF_A_BATCH = ("train", "evaluate")


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
    share = -(-config.train.batch_size // len(devices))
    try:
        mapped, arguments = FUNCTIONS[name](config, devices, share if name in OF_A_BATCH else rows)
        figures = measure(mapped, arguments, devices[0].platform == "gpu", path)
    except (UserError, jax.errors.JaxRuntimeError) as error:
        return {"error": accelerators.first_line(error)}
    if figures["peak_mib"] > 1024 * memory:
        peak = figures["peak_mib"] / 1024
        figures["error"] = f"needs {peak:.1f} GiB of a device, which has {memory:g}"
    return figures


def compile_all(args: argparse.Namespace) -> bool:
    """Prints the table and the JSON; returns whether something failed.

    Raises:
      UserError: an argument is wrong, or a compiler is not installed.
    """
    names = args.functions.split(",")
    for name in names:
        if name not in FUNCTIONS:
            raise UserError(f"--functions={name}: unknown; known are {', '.join(FUNCTIONS)}")
    named = {pathlib.Path(path).stem: config_of(path) for path in args.config.split(",")}
    targets = {target: accelerators.devices(target) for target in args.target.split(",")}
    print(HEADER)
    results: dict[str, Any] = {}
    failed = False
    for (target, devices), config_name, name in itertools.product(targets.items(), named, names):
        memory, config = accelerators.memory_gib(target), named[config_name]
        config.train.batch_size = args.batch or config.train.batch_size
        # Not 'auto', which means what it means on this machine.
        config.model.lstm = accelerators.lstm(target) if args.lstm == "auto" else args.lstm
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
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", default="v5e:2x2", help="several divided by commas")
    parser.add_argument("--config", default="hier", help="names or paths, divided by commas")
    parser.add_argument("--functions", default="train,evaluate,generate,latent,dual_conductor")
    parser.add_argument("--devices", type=int, default=0, help="of a target; 0: all")
    parser.add_argument("--batch", type=int, default=0, help="over all devices; 0: the config's")
    parser.add_argument("--lstm", default="auto", choices=config_check.CHOICES["model.lstm"])
    parser.add_argument("--save", default="", help="folder for TARGET/CONFIG_FUNCTION.executable")
    rows = batching.MAX_BATCH * batching.ACCELERATED
    parser.add_argument("--rows", type=int, default=rows, help="decoded at once by a device")
    args = parser.parse_args()
    try:
        failed = compile_all(args)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
