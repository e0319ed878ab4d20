"""How a training step's cost grows: with the batch, the bars, the width, and the devices.

Run: python benchmarks/scaling.py [--quick] [--output=benchmarks/scaling.png]

The first three are of the hierarchical model, one device, ours and with the LSTMs
scanned. The devices are emulated ones that share this machine's cores: their total rate
tells what dividing the work costs, and the time of the gradients' sum alone how much of
that is communication. What real links would make of it is computed, not measured.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import jax
import matplotlib
import numpy as np
from step_jax import load_config
from train_step import step_operations

from musicvae_jax.models import vae
from musicvae_jax.models.vae import create_model
from musicvae_jax.music.melody import STEPS_PER_BAR
from musicvae_jax.system import devices as system_devices
from musicvae_jax.system import memory
from musicvae_jax.training import step as training_step

matplotlib.use("Agg")
import matplotlib.pyplot as plt

BASE = {"batch": 32, "bars": 16, "features": 256}
SWEEPS = {
    "batch": (1, 4, 16, 64, 256),
    "bars": (4, 8, 16, 32, 64),
    "features": (64, 128, 256, 512, 1024),
}
DEVICES = (1, 2, 4, 8)
PER_DEVICE = 16
# Of one accelerator: operations per second at its peak, and bytes per second that it can
# send over its links. H100 SXM: TF32 dense, NVLink one way, and a 400 Gb/s network port
# beyond eight (NVIDIA's data sheet). TPU v5e: bf16, 1,600 Gb/s of interconnect
# (cloud.google.com/tpu/docs/v5e).
ACCELERATORS = {
    "8 x H100, NVLink": (8, 494e12, 450e9),
    "256 x H100, 400 Gb/s network": (256, 494e12, 50e9),
    "8 x TPU v5e": (8, 197e12, 200e9),
    "256 x TPU v5e": (256, 197e12, 200e9),
}


def make_step(batch: int, bars: int, features: int, lstm: str, devices: int):
    """A function that takes one step of the hierarchical model, and its parameters' bytes."""
    config = load_config("default", batch, "float32")
    config.model.bars, config.model.lstm = bars, lstm
    for part in ("encoder", "conductor", "decoder"):
        config.model[f"{part}_features"] = features
    model, optimizer = create_model(config.model), training_step.create_optimizer(config.train)
    chosen = jax.local_devices()[:devices]
    step = training_step.pmap_train_step(model, optimizer, config, chosen)
    state = system_devices.replicate(
        jax.jit(lambda: training_step.create_train_state(model, optimizer, 0))(), chosen
    )
    shape = (devices, batch // devices, bars * STEPS_PER_BAR)
    tokens = np.random.default_rng(0).integers(0, model.vocab, shape, np.int32)

    def run() -> None:
        nonlocal state
        state, metrics = step(state, tokens)
        jax.block_until_ready((state, metrics))

    size = sum(leaf.nbytes for leaf in jax.tree.leaves(state.params)) // devices
    return run, size


def median_sec(function, rounds: int) -> float:
    function()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def sweep(rounds: int, is_quick: bool) -> dict[str, dict[str, list[float]]]:
    """Milliseconds a sequence along each axis, by implementation of the LSTM."""
    result: dict[str, dict[str, list[float]]] = {}
    for axis, values in SWEEPS.items():
        values = values[:2] if is_quick else values
        result[axis] = {"values": list(values), "auto": [], "scan": []}
        for value in values:
            told = {**BASE, axis: value}
            for lstm in ("auto", "scan"):
                run, _ = make_step(**told, lstm=lstm, devices=1)
                sec = median_sec(run, rounds)
                result[axis][lstm].append(round(1e3 * sec / told["batch"], 3))
                print(f"{axis} {value:5d} {lstm:5s} {result[axis][lstm][-1]:9.3f} ms a sequence")
    return result


def measure_devices(devices: int, rounds: int) -> dict[str, float]:
    """Seconds of a step, and of summing gradients alone, over emulated devices."""
    run, size = make_step(PER_DEVICE * devices, 16, 256, "auto", devices)
    gradients = np.ones((devices, size // 4), np.float32)
    mean = jax.pmap(
        lambda x: jax.lax.pmean(x, "devices"), "devices", devices=jax.devices()[:devices]
    )
    on_devices = jax.pmap(lambda x: x, devices=jax.devices()[:devices])(gradients)
    return {
        "step_sec": median_sec(run, rounds),
        "all_reduce_sec": median_sec(lambda: jax.block_until_ready(mean(on_devices)), rounds),
        "gradient_bytes": size,
    }


def weak_scaling(rounds: int) -> list[dict[str, float]]:
    """`measure_devices` for each number of devices, each in a process that emulates so many."""
    rows = []
    for devices in DEVICES:
        command = [sys.executable, __file__, f"--devices={devices}", f"--rounds={rounds}"]
        environment = {**os.environ, "JAX_NUM_CPU_DEVICES": str(devices), "NPROC": "16"}
        output = subprocess.run(
            command, env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        row = json.loads(output.splitlines()[-1])
        row["devices"], row["sequences_per_sec"] = devices, PER_DEVICE * devices / row["step_sec"]
        rows.append(row)
        share = row["all_reduce_sec"] / row["step_sec"]
        print(
            f"{devices} devices: {row['sequences_per_sec']:7.1f} sequences/s in all, "
            f"{row['gradient_bytes'] / 1e6:.1f} MB all-reduced a step, {share:.1%} of its time"
        )
    return rows


def projections(name: str, per_device: int) -> dict[str, float]:
    """Efficiency on real links, at the least: as if a step took no longer than its operations.

    A ring all-reduce sends 2 (n - 1) / n of the gradients' bytes from each device.
    """
    config = load_config(name, per_device, "float32")
    model = create_model(config.model)
    params = jax.eval_shape(lambda: vae.init_params(model, 0))
    size = sum(4 * leaf.size for leaf in jax.tree.leaves(params))
    operations = 3 * sum(step_operations(config.model, model.vocab, per_device))
    result = {}
    for label, (devices, peak, link) in ACCELERATORS.items():
        compute, communicate = operations / peak, 2 * (devices - 1) / devices * size / link
        result[label] = round(compute / (compute + communicate), 3)
        print(f"{name}, {per_device} a device, {label}: at least {result[label]:.1%}")
    return result


def draw(path: pathlib.Path, sweeps: dict, rows: list[dict[str, float]]) -> None:
    figure, axes = plt.subplots(1, 4, figsize=(15, 3.6), layout="constrained")
    labels = {"batch": "batch size", "bars": "bars", "features": "units of each LSTM"}
    for axis, (name, result) in zip(axes, sweeps.items(), strict=False):
        axis.loglog(result["values"], result["auto"], "o-", color="#0072B2", label="compiled loop")
        axis.loglog(result["values"], result["scan"], "s--", color="#D55E00", label="nn.scan")
        axis.set_xlabel(labels[name])
        axis.set_xticks(result["values"], result["values"])
        axis.minorticks_off()
        axis.set_ylabel("ms a sequence")
        axis.grid(alpha=0.3)
    axes[0].legend()
    devices = [row["devices"] for row in rows]
    rate = [row["sequences_per_sec"] for row in rows]
    axes[3].plot(devices, rate, "o-", color="#009E73")
    axes[3].set_xticks(devices)
    axes[3].set_ylim(0)
    axes[3].set_xlabel("emulated devices on the same cores")
    axes[3].set_ylabel("sequences a second in all")
    axes[3].grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two points an axis, one round")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("scaling.png"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--devices", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    memory.keep_freed_memory()
    rounds = 1 if args.quick else args.rounds
    if args.devices:
        print(json.dumps(measure_devices(args.devices, rounds)))
        return
    print(f"{jax.devices()[0].device_kind}; base: {BASE}; medians of {rounds} steps")
    sweeps, rows = sweep(rounds, args.quick), weak_scaling(rounds)
    projected = {name: projections(name, 64) for name in ("default", "hier_paper")}
    draw(args.output, sweeps, rows)
    print(f"wrote {args.output}")
    print(json.dumps({"sweeps": sweeps, "devices": rows, "projected": projected}))


if __name__ == "__main__":
    main()
