"""Models side by side, measured by the same code on the same held-out melodies.

Run: python benchmarks/model_comparison.py hier=runs/hier/evaluate/reconstruction.npz \
       flat=runs/flat/evaluate/reconstruction.npz [...]
Needs: pip install -e .

Each file holds what a model made of the test split: `--mode=evaluate` writes one, and
`benchmarks/magenta_peer.py`. Accuracies are in per cent, with 95 % intervals over songs; the
difference of each model from the first is taken window by window, so that what makes a song
hard for all of them does not widen it. Prints a Markdown table, and as its last line JSON.
"""

import argparse
import json
import pathlib
import sys

from musicvae_jax.evaluation import accuracy
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.system.errors import UserError

# What is the same thing whatever the codec is comes last.
COLUMNS = {
    "sampled_accuracy": "sampled",
    "teacher_forced_accuracy": "teacher-forced",
    "nll_per_token": "nats a token",
    "sampled_sounding_accuracy": "right pitch sounds, sampled",
    "teacher_forced_sounding_accuracy": "the same, teacher-forced",
    "sampled_onset_f1": "onsets, F1, sampled",
}
DIFFERENCE = "sampled_sounding_accuracy"


def parse(argument: str) -> tuple[str, DecodedWindows]:
    """NAME=FILE as the name and what is in the file.

    Raises:
      UserError: it is something else, or the file cannot be read.
    """
    name, _, path = argument.partition("=")
    if not path:
        raise UserError(f"{argument}: NAME=FILE.npz is needed, as hier=runs/hier/evaluate/...")
    return name, accuracy.read(pathlib.Path(path))


def cell(metric: str, values: dict) -> str:
    """A figure with half the width of its interval."""
    if metric not in values:
        return ""
    low, high = values[f"{metric}_ci95"]
    half = (high - low) / 2
    if metric == "nll_per_token":
        return f"{values[metric]:.3f} ± {half:.3f}"
    return f"{100 * values[metric]:.1f} ± {100 * half:.1f}"


def difference(first: DecodedWindows, other: DecodedWindows) -> dict[str, list[float]]:
    """By how much the first is ahead: `[difference, low, high]` of a few metrics."""
    compared = accuracy.paired_differences(first, other)
    return {
        metric: [compared[metric]["difference"], *compared[metric]["ci95"]]
        for metric in COLUMNS
        if metric in compared
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="NAME=FILE", help="the first is the reference")
    args = parser.parse_args()
    try:
        models = dict(parse(argument) for argument in args.models)
        reference, first = next(iter(models.items()))
        values = {name: accuracy.headline(model) for name, model in models.items()}
        behind = {
            name: difference(first, model) for name, model in models.items() if name != reference
        }
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print("| | " + " | ".join(COLUMNS.values()) + f" | behind {reference} |")
    print("|-" * (len(COLUMNS) + 2) + "|")
    for name in models:
        row = [cell(metric, values[name]) for metric in COLUMNS]
        gap = ""
        if name in behind:
            by, low, high = (100 * x for x in behind[name][DIFFERENCE])
            gap = f"{by:.1f} ({low:.1f} to {high:.1f})"
        print(f"| {name} | " + " | ".join([*row, gap]) + " |")
    print(f"\n{len(first.truth)} windows; 'behind': of the right pitch sounding, sampled")
    print(json.dumps({"models": values, "behind": behind}))


if __name__ == "__main__":
    main()
