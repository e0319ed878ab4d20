"""What each augmentation brings: short runs from one checkpoint, alone and left out.

Run: python benchmarks/augmentation.py [--quick] [--steps=400] [--checkpoint=pretrained] \
       [--measure NAME=FOLDER ...] [--names shift,drop] [--output=runs/augmentation]
Needs: pip install -e .

All runs begin with the same parameters and see the same windows of the checkpoint's own data
set in the same order, for as many steps at a rate that falls to a tenth. They differ in
`dataset.augment`: `none`; each augmentation alone; `all`; all but one. They are measured on
the validation split of that data set and of each folder of MIDI files given with
`--measure`: the share of tokens, and of true onsets, that come back with their pitch, decoded
freely from the posterior mean. Differences are taken window by window, with 95 % intervals
over songs: a run with one augmentation is compared with `none`, a run with all but one with `all`.
Prints a Markdown table, and as its last line JSON. A run that was stopped goes on.
"""

import argparse
import json
import pathlib

import jax
import ml_collections
import numpy as np
from absl import logging

from musicvae_jax.checkpoints import load
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.augmentation import AUGMENTATIONS
from musicvae_jax.evaluation import accuracy, reconstruction
from musicvae_jax.evaluation.accuracy import DecodedWindows
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models import vae
from musicvae_jax.system import memory
from musicvae_jax.training import loop

METRICS = {"sampled_accuracy": "tokens", "sampled_onset_accuracy": "onsets"}
# Windows and songs of a split that is measured on.
Measured = tuple[np.ndarray, np.ndarray]


def chosen_by_run(names: list[str]) -> dict[str, list[str]]:
    """The augmentations of each run."""
    runs = {"none": [], **{f"only {name}": [name] for name in names}}
    if len(names) > 1:
        runs["all"] = names
    if len(names) > 2:  # of two, "all but" one would be "only" the other once more
        runs |= {f"all but {name}": [n for n in names if n != name] for name in names}
    return runs


def reference(run: str) -> str:
    """The run that another one is compared with."""
    if run.startswith("all but"):
        return "all"
    return "before" if run == "none" else "none"


def run_config(
    trained: ml_collections.ConfigDict, names: list[str], args: argparse.Namespace
) -> ml_collections.ConfigDict:
    """The configuration of one run, from that of the checkpoint."""
    config = trained.copy_and_resolve_references()
    config.dataset.augment = tuple((name, 1.0) for name in names)
    config.dataset.augment_share = args.share if names else 0.0
    train = config.train
    train.init_from = args.checkpoint
    train.batch_size = args.batch_size
    train.num_steps = train.eval_every = args.steps
    train.max_minutes = 0.0
    train.learning_rate = args.learning_rate
    train.learning_rate_decay = 0.1 ** (1 / args.steps)
    train.final_learning_rate = args.learning_rate / 10
    train.eval_examples = args.batch_size
    return config


def validation_split(config: ml_collections.ConfigDict, count: int) -> Measured:
    """At most `count` windows of a validation split, evenly spread, with their songs."""
    builder = input_pipeline.build_dataset(config)
    tokens = input_pipeline.load_split(builder, "validation").tokens
    songs = input_pipeline.load_songs(builder, "validation")
    chosen = input_pipeline.spread(len(tokens), count)
    return tokens[chosen], songs[chosen]


def measured_splits(
    config: ml_collections.ConfigDict, folders: list[str], count: int
) -> dict[str, Measured]:
    """The split of the data set, and those of folders given as NAME=FOLDER."""
    splits = {config.dataset.name: validation_split(config, count)}
    for argument in folders:
        name, _, path = argument.partition("=")
        other = config.copy_and_resolve_references()
        other.dataset.name, other.dataset.path = "midi", path
        splits[name] = validation_split(other, count)
    return {name: split for name, split in splits.items() if len(split[0])}


def reconstruct(checkpoint: str, splits: dict[str, Measured]) -> dict[str, DecodedWindows]:
    """What a checkpoint makes of each split."""
    directory = load.find(checkpoint, pathlib.Path())
    model = MelodyModel(load.load(directory, vae.abstract_params))
    return {
        name: reconstruction.reconstruct(model, tokens, songs, seed=0).tokens
        for name, (tokens, songs) in splits.items()
    }


def compare(
    made: dict[str, DecodedWindows], other: dict[str, DecodedWindows] | None
) -> dict[str, dict[str, dict[str, float | list[float]]]]:
    """By split and metric: the value, and the difference from another run with its interval."""
    figures = {}
    for split, own in made.items():
        values = accuracy.ratios(own)
        gains = accuracy.paired_differences(own, other[split]) if other else {}
        figures[split] = {
            short: {"value": values[metric].value, **gains.get(metric, {})}
            for metric, short in METRICS.items()
        }
    return figures


def print_table(figures: dict[str, dict], splits: dict[str, Measured]) -> None:
    columns = [(split, short) for split in splits for short in METRICS.values()]
    print("| run | compared with | " + " | ".join(f"{s}: {m}" for s, m in columns) + " |")
    print("|-" * (len(columns) + 2) + "|")
    for run, by_split in figures.items():
        cells = []
        for split, metric in columns:
            figure = by_split[split][metric]
            cell = f"{100 * figure['value']:.1f}"
            if "difference" in figure:
                low, high = figure["ci95"]
                cell += (
                    f" ({100 * figure['difference']:+.1f}; {100 * low:+.1f} to {100 * high:+.1f})"
                )
            cells.append(cell)
        compared = "" if run == "before" else reference(run)
        print(f"| {run} | {compared} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2 steps of 8, two augmentations")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--learning_rate", type=float, default=6e-4)
    parser.add_argument("--share", type=float, default=0.6, help="of windows that are augmented")
    parser.add_argument("--windows", type=int, default=256, help="of each split, at most")
    parser.add_argument("--checkpoint", default=load.PRETRAINED)
    parser.add_argument("--measure", action="append", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--names", default=",".join(AUGMENTATIONS), help="augmentations to try")
    parser.add_argument("--output", default="runs/augmentation")
    args = parser.parse_args()
    names = args.names.split(",")
    if args.quick:
        args.steps, args.batch_size, args.windows, names = 2, 8, 16, names[:2]
    memory.keep_freed_memory()
    logging.set_verbosity(logging.FATAL)  # Orbax reports every file otherwise
    directory = load.find(args.checkpoint, pathlib.Path())
    trained = load.load(directory, vae.abstract_params).config
    splits = measured_splits(trained, args.measure, args.windows)
    made = {"before": reconstruct(args.checkpoint, splits)}
    figures = {"before": compare(made["before"], None)}
    for run, chosen in chosen_by_run(names).items():
        workdir = pathlib.Path(args.output) / run.replace(" ", "_")
        loop.train(run_config(trained, chosen, args), workdir)
        made[run] = reconstruct(str(workdir), splits)
        figures[run] = compare(made[run], made[reference(run)])
        jax.clear_caches()  # or the programs of all runs would stay in memory
    print_table(figures, splits)
    sizes = ", ".join(f"{len(tokens)} windows of {name}" for name, (tokens, _) in splits.items())
    print(f"\n{args.steps} steps of {args.batch_size}, share {args.share}; measured on {sizes}")
    print(json.dumps({"steps": args.steps, "share": args.share, "runs": figures}))


if __name__ == "__main__":
    main()
