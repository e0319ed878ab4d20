"""What each augmentation and each source brings: short runs from one checkpoint.

Run: python benchmarks/ablation.py [--quick] [--steps=400] [--checkpoint=pretrained] \
       [--config=hier_mixture] [--folder=FOLDER] [--names=shift,drop] [--kinds=only,but,without] \
       [--output=runs/ablation]
Needs: pip install -e . and the collections of the configuration in FOLDER

All runs begin with the same parameters and train for as many steps, at a rate that falls to a
tenth. They differ in `dataset.augment`: `none`; each augmentation alone; `all`; all but one; and in
`dataset.sources`: `all` without one source. They are measured on the validation split of each
source of the configuration: the share of tokens, and of true onsets, that come back with their
pitch, decoded freely from the posterior mean. Differences are taken window by window, with 95 %
intervals over songs: a run with one augmentation is compared with `none`, a run with all but one,
or without a source, with `all`. Prints a Markdown table, and as its last line JSON. A run that was
stopped goes on.
"""

import argparse
import dataclasses
import json
import pathlib

import jax
import ml_collections
import numpy as np
from absl import logging

from musicvae_jax import configs
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


@dataclasses.dataclass(frozen=True)
class Run:
    """One run.

    Attributes:
      augmentations: its names.
      without: the source that it lacks, or empty.
      reference: the run that it is compared with.
    """

    augmentations: tuple[str, ...]
    without: str = ""
    reference: str = "none"


def runs(names: list[str], sources: list[str], kinds: list[str]) -> dict[str, Run]:
    """The runs, by name; a reference comes before those that are compared with it."""
    made = {"none": Run((), reference="before")}
    if "only" in kinds:
        made |= {f"only {name}": Run((name,)) for name in names}
    made["all"] = Run(tuple(names))
    if "but" in kinds:
        for name in names:
            others = tuple(n for n in names if n != name)
            made[f"all but {name}"] = Run(others, reference="all")
    if "without" in kinds and len(sources) > 1:
        for source in sources:
            made[f"without {source}"] = Run(tuple(names), source, "all")
    return made


def run_config(
    base: ml_collections.ConfigDict, run: Run, args: argparse.Namespace
) -> ml_collections.ConfigDict:
    """The configuration of one run."""
    config = base.copy_and_resolve_references()
    config.dataset.augment = tuple((name, 1.0) for name in run.augmentations)
    config.dataset.augment_share = args.share if run.augmentations else 0.0
    # Such a weight leaves no window, and the data set need not be built without the source.
    config.dataset.sources = tuple(
        (name, 1e-9 if name == run.without else weight) for name, weight in config.dataset.sources
    )
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


def measured_splits(config: ml_collections.ConfigDict, count: int) -> dict[str, Measured]:
    """At most `count` windows of the validation split of each source, evenly spread."""
    builder = input_pipeline.build_dataset(config)
    split = input_pipeline.load_split(builder, "validation")
    songs = input_pipeline.load_songs(builder, "validation")
    splits = {}
    for number, name in enumerate(split.sources):
        own = np.flatnonzero(split.source == number)
        chosen = own[input_pipeline.spread(len(own), count)]
        if len(chosen):
            splits[name] = (split.tokens[chosen], songs[chosen])
    return splits


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


def print_table(
    figures: dict[str, dict], references: dict[str, str], splits: dict[str, Measured]
) -> None:
    columns = [(split, short) for split in splits for short in METRICS.values()]
    print("| run | compared with | " + " | ".join(f"{s}: {m}" for s, m in columns) + " |")
    print("|-" * (len(columns) + 2) + "|")
    for name, by_split in figures.items():
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
        print(f"| {name} | {references.get(name, '')} | " + " | ".join(cells) + " |")


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
    parser.add_argument("--config", default="hier_mixture")
    parser.add_argument("--folder", default="", help="of the published collections")
    parser.add_argument("--names", default=",".join(AUGMENTATIONS), help="augmentations to try")
    parser.add_argument("--kinds", default="only,but,without", help="of runs, beside none and all")
    parser.add_argument("--output", default="runs/ablation")
    args = parser.parse_args()
    names = args.names.split(",")
    if args.quick:
        args.steps, args.batch_size, args.windows, names = 2, 8, 16, names[:2]
    memory.keep_freed_memory()
    logging.set_verbosity(logging.FATAL)  # Orbax reports every file otherwise
    base = configs.load(args.config)
    base.dataset.folder = args.folder or base.dataset.folder
    splits = measured_splits(base, args.windows)
    planned = runs(names, [name for name, _ in base.dataset.sources], args.kinds.split(","))
    made = {"before": reconstruct(args.checkpoint, splits)}
    figures = {"before": compare(made["before"], None)}
    for name, run in planned.items():
        workdir = pathlib.Path(args.output) / name.replace(" ", "_").replace("/", "_")
        loop.train(run_config(base, run, args), workdir)
        made[name] = reconstruct(str(workdir), splits)
        figures[name] = compare(made[name], made[run.reference])
        jax.clear_caches()  # or the programs of all runs would stay in memory
    print_table(figures, {name: run.reference for name, run in planned.items()}, splits)
    sizes = ", ".join(f"{len(tokens)} windows of {name}" for name, (tokens, _) in splits.items())
    print(f"\n{args.steps} steps of {args.batch_size}, share {args.share}; measured on {sizes}")
    print(json.dumps({"steps": args.steps, "share": args.share, "runs": figures}))


if __name__ == "__main__":
    main()
