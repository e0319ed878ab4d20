"""How far the humaniser of drums is from what drummers played, and ways that look at less.

Run: python benchmarks/humanising.py --folder=FOLDER [--checkpoint=drums]
Needs: pip install -e . and in FOLDER the collection `groove`

On all hits of its official test split: the mean error of velocity and timing, the mean squared
error of timing, and the divergence of all velocities and of all timing from what was played; with
intervals over performances. As its last line JSON.
"""

import argparse
import json
import pathlib

import numpy as np

from musicvae_jax.checkpoints import load
from musicvae_jax.datasets import grooves
from musicvae_jax.evaluation import humanising
from musicvae_jax.inference import humaniser

COLUMNS = {
    "velocity": "velocity_mae",
    "timing, ms": "timing_mae_ms",
    "timing, squared, steps": "timing_mse_steps",
    "velocity, KL": "velocity_kl_nats",
    "timing, KL": "timing_kl_nats",
}


def intervals(
    predicted: humanising.Predicted, test: grooves.Grooves, num: int, seed: int = 0
) -> dict[str, list[float]]:
    """95 % intervals of `humanising.errors` by resampling performances."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(test.performance == number) for number in np.unique(test.performance)]
    found: list[dict[str, float]] = []
    for _ in range(num):
        drawn = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        resampled = predicted[0][drawn], predicted[1][drawn]
        found.append(humanising.errors(resampled, test[drawn]))
    return {
        name: np.percentile([each[name] for each in found], [2.5, 97.5]).round(4).tolist()
        for name in COLUMNS.values()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", required=True)
    parser.add_argument("--checkpoint", default=load.DRUMS)
    parser.add_argument("--resamplings", type=int, default=100)
    told = parser.parse_args()
    head = humaniser.load(load.find(told.checkpoint, pathlib.Path(), usual=load.DRUMS))
    found = grooves.load(told.folder)
    train, test = found["train"], found["test"]
    print(f"{test.hits.sum()} hits of {len(np.unique(test.performance))} performances")
    print("| | " + " | ".join(COLUMNS) + " |")
    result = {}
    for name, predicted in humanising.ways(head, train, test).items():
        errors = humanising.errors(predicted, test)
        bounds = intervals(predicted, test, told.resamplings)
        cells = [
            f"{errors[key]:.3g} ({bounds[key][0]:.3g} to {bounds[key][1]:.3g})" for key in bounds
        ]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
        result[name] = {key: [round(errors[key], 4), *bounds[key]] for key in bounds}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
