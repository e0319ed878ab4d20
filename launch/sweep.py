"""Trains a configuration once for each entry of its `sweep()`.

  python launch/sweep.py --config=small --workdir=runs/sweep

`sweep()` stands beside `get_config()` and returns a list of overrides, such as
`[{"train.learning_rate": 1e-3}, ...]`. Each run has a workdir named after its overrides, so
the same command continues where it was stopped, and skips the runs that are complete. Other
arguments go to every run. At the end a table shows the best validation loss of each.

The variable LAUNCH is the command to which the arguments of a run are appended, by default
`-m musicvae_jax.main` of this Python:

  LAUNCH="sbatch launch/slurm.sbatch" python launch/sweep.py ...

With --dry_run the commands are printed and nothing is run.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from typing import Any

from musicvae_jax import configs


def fail(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def overrides_of(name: str) -> list[dict[str, Any]]:
    """The entries of a configuration's `sweep()`, each checked against its fields.

    Args:
      name: of a configuration of the package, or the path of a file.
    """
    path = configs.find(name)
    if not pathlib.Path(path).is_file():
        fail(f"--config={name}: no such configuration; there are {', '.join(configs.names())}")
    spec = importlib.util.spec_from_file_location("swept", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "sweep"):
        fail(f"--config={name}: has no sweep(); it returns a list of overrides")
    entries = module.sweep()
    for entry in entries:
        config = module.get_config().lock()
        try:
            config.update_from_flattened_dict(entry)
        except (AttributeError, KeyError, TypeError) as error:
            fail(f"--config={name}: sweep() has {entry}: {error}")
    if len({run_name(entry) for entry in entries}) < len(entries):
        fail(f"--config={name}: sweep() has an entry twice")
    return entries


def run_name(entry: dict[str, Any]) -> str:
    """The name of a run's folder, made of its overrides: `free_bits=64.0,learning_rate=0.001`."""
    short = ",".join(f"{key.split('.')[-1]}={value}" for key, value in sorted(entry.items()))
    return re.sub(r"[^A-Za-z0-9_.,=+-]", "_", short).lstrip(".") or "default"


def best_nll(workdir: pathlib.Path) -> float | None:
    """The lowest validation loss in nats a token; None before the first evaluation."""
    path = workdir / "metrics.jsonl"
    if not path.exists():
        return None
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:  # a line that is being written
            continue
    name = "validation/nll_per_token"
    return min((row[name] for row in rows if name in row), default=None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", required=True)
    parser.add_argument("--workdir", default="runs/sweep", type=pathlib.Path)
    parser.add_argument("--dry_run", action="store_true")
    args, passed_on = parser.parse_known_args()
    launch = os.environ.get("LAUNCH", f"{shlex.quote(sys.executable)} -m musicvae_jax.main")
    failed, workdirs = [], {}
    for entry in overrides_of(args.config):
        workdir = workdirs[run_name(entry)] = args.workdir / run_name(entry)
        command = [*shlex.split(launch), f"--config={args.config}", f"--workdir={workdir}"]
        command += [f"--config.{key}={value}" for key, value in entry.items()] + passed_on
        print(shlex.join(command), flush=True)
        if not args.dry_run and subprocess.run(command).returncode:
            failed.append(run_name(entry))
    if args.dry_run:
        return
    print(f"\n{'validation nats a token':>24s}  run")
    for name, workdir in workdirs.items():
        nll = best_nll(workdir)
        print(f"{'-' if nll is None else f'{nll:.4f}':>24s}  {name}")
    if failed:
        print(f"error: failed: {' '.join(failed)}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
