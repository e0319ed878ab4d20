"""Sequences per second of one training step: ours, plain Flax, PyTorch, and the limit.

Run: python benchmarks/train_step.py [--quick] [--models=seed,hier] [--batch=64,256]
       [--dtype=float32] [--rounds=11]
Needs: pip install -e . torch

Each contender is a process; all take their steps in turns, A B C A B C, so that a
machine whose speed drifts is fair to each. Between its steps a contender sleeps.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

from step_jax import STEPS, STEPS_PER_BAR, load_config

from musicvae_jax.models.vae import create_model

HERE = pathlib.Path(__file__).parent
# What each contender is started with. `kept` has the C library keep freed memory, as
# `musicvae_jax.host_memory` does for ours.
CONTENDERS = {
    "ours": ("step_jax.py", "--contender=ours"),
    "plain_flax": ("step_jax.py", "--contender=plain_flax"),
    "torch_eager": ("torch_vae.py",),
    "torch_eager_kept": ("torch_vae.py", "--keep_freed_memory"),
    "torch_compile": ("torch_vae.py", "--compile", "--keep_freed_memory"),
}
RATES = ("step_jax.py", "--contender=rates")


class Contender:
    """A process that does something for each line it is sent, and answers in JSON."""

    def __init__(self, script: str, *flags: str):
        # Several contenders share an accelerator's memory.
        environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
        command = [sys.executable, str(HERE / script), *flags]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.device = self._answer()["ready"]

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self._process.args)}: ended; see its message above")
        return json.loads(line)

    def step(self, task: dict | None = None) -> dict[str, float]:
        """Seconds of one step, or of a task, or rates; and the peak memory so far."""
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def step_operations(model, vocab: int, batch: int) -> tuple[float, float]:
    """Operations of the forward pass's matrix products: a step at a time, and all at once.

    A step has three times as many: the backward pass multiplies gates' gradients by
    each kernel, and by each input. Tokens pick rows of a table, which is no product.
    """
    bars = STEPS // STEPS_PER_BAR
    hidden, width, notes = model.encoder_features, model.conductor_features, model.decoder_features
    embedding = model.embedding or width
    stepwise = model.encoder_layers * 2 * STEPS * hidden * 4 * hidden
    stepwise += model.conductor_layers * bars * width * 4 * width
    stepwise += model.decoder_layers * STEPS * notes * 4 * notes
    whole = (model.encoder_layers - 1) * 2 * STEPS * 2 * hidden * 4 * hidden
    whole += 2 * model.z * model.z if model.encoder_reads == "bars" else 0
    has_shares = model.conductor_reads == "bars"
    given = model.z // bars if has_shares else model.conductor_input or model.z
    whole += bars * given * 4 * width + (model.z * model.z if has_shares else 0)
    whole += (model.conductor_layers - 1) * bars * width * 4 * width + bars * embedding * 4 * notes
    whole += (model.decoder_layers - 1) * STEPS * notes * 4 * notes + STEPS * notes * vocab
    return 2.0 * batch * stepwise, 2.0 * batch * whole


def limits(model, vocab: int, batch: int, rates: dict[str, float]) -> dict[str, float]:
    """Seconds that a step takes at least, by two bounds.

    Returns:
      `products`: its matrix products alone, each at the rate that a plain product of
      its kind reached in this run. `launches`: its chain of dependent steps alone, at
      the time of one turn of a loop that does next to nothing; what binds on a GPU.
    """
    stepwise, whole = step_operations(model, vocab, batch)
    products = stepwise / rates["forward"] + stepwise / rates["backward"]
    products += (stepwise + 3 * whole) / rates["weight"]
    chain = model.encoder_layers * 2 * STEPS + model.conductor_layers * STEPS // STEPS_PER_BAR
    segment = STEPS_PER_BAR if model.decoder == "hierarchical" else STEPS
    chain += model.decoder_layers * segment
    return {"products": products, "launches": 2 * chain * rates["loop_turn_sec"]}


def measure(name: str, batch: int, dtype: str, rounds: int, skip: set[str]) -> dict[str, dict]:
    """Median seconds of a step and peak memory by each contender, and the limits."""
    config = load_config(name, batch, dtype)
    told = (f"--config={name}", f"--batch={batch}", f"--dtype={dtype}")
    contenders = {
        contender: Contender(*command, *told)
        for contender, command in CONTENDERS.items()
        if contender not in skip
    }
    machine = Contender(*RATES, *told)
    answers: dict[str, list[dict]] = {contender: [] for contender in contenders}
    rates = []
    for _ in range(rounds):
        rates.append(machine.step())
        for contender, process in contenders.items():
            answers[contender].append(process.step())
    device = machine.device
    for process in (machine, *contenders.values()):
        process.close()
    result = {
        contender: {
            "sec": statistics.median(answer["sec"] for answer in steps),
            "peak_mib": max(answer["peak_mib"] for answer in steps),
        }
        for contender, steps in answers.items()
    }
    medians = {key: statistics.median(rate[key] for rate in rates) for key in rates[0]}
    vocab = create_model(config.model).vocab
    for bound, seconds in limits(config.model, vocab, batch, medians).items():
        result[f"limit: {bound}"] = {"sec": seconds, "peak_mib": float("nan")}
    print(f"{name}, batch {batch}, {dtype}, {device}, medians of {rounds} steps in turns;")
    print("  rates, Gop/s: " + ", ".join(f"{k} {medians[k] / 1e9:.0f}" for k in list(medians)[:3]))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, the seed's model only")
    parser.add_argument("--models", default="seed,hier", help="names in configs/")
    parser.add_argument("--batch", default="64", help="batch sizes")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--skip", default="", help="contenders to leave out")
    args = parser.parse_args()
    names, rounds = (["seed"], 3) if args.quick else (args.models.split(","), args.rounds)
    skip = set(args.skip.split(","))
    figures: dict[str, object] = {"machine": platform.processor() or platform.machine()}
    for name in names:
        for batch in map(int, args.batch.split(",")):
            result = measure(name, batch, args.dtype, rounds, skip)
            own = result["ours"]["sec"]
            for contender, row in result.items():
                print(
                    f"  {contender:18s} {row['sec']:9.4f} s/step {batch / row['sec']:10.1f} "
                    f"sequences/s {row['peak_mib']:7.0f} MiB   ours is {row['sec'] / own:5.2f}x"
                )
            key = f"{name}_b{batch}_{args.dtype}"
            figures[key] = {c: round(row["sec"], 5) for c, row in result.items()}
            if key.endswith("b64_float32"):
                figures |= fixed_keys(name, {c: row["sec"] for c, row in result.items()})
    print(json.dumps(figures))


def fixed_keys(name: str, sec: dict[str, float]) -> dict[str, float]:
    """The figures that are compared over time: ratios of rates, ours over the peer's."""
    own = sec["ours"]
    ratios = {f"{name}_vs_limit": own / sec["limit: products"]}
    if "plain_flax" in sec:
        ratios[f"{name}_vs_plain_flax"] = sec["plain_flax"] / own
    if "torch_eager" in sec:
        ratios[f"{name}_vs_torch_eager"] = sec["torch_eager"] / own
    torch = [seconds for contender, seconds in sec.items() if contender.startswith("torch")]
    if torch:
        ratios[f"{name}_vs_torch_best"] = min(torch) / own
    return {key: round(value, 3) for key, value in ratios.items()}


if __name__ == "__main__":
    main()
