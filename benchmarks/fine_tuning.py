"""What fifty MIDI files of one's own bring to the shipped model.

Run: python benchmarks/fine_tuning.py [--quick] [--steps=200] [--output=runs/fine_tuning]
Needs: pip install -e .

Somebody's fifty files are songs that the shipped model's data has nothing like: Chinese ones of
the Essen collection in music21, 16 bars or longer, written as MIDI files. The shipped
model, the same trained further on them (`configs/finetune.py`), and a model of that
configuration trained on nothing else for as many steps, are then measured on other songs of the
same kind, and the fine-tuned one also on what the shipped one was trained for. Prints a table, and
as its last line JSON: `{model: {metric: value}}`. A run that was stopped goes on.
"""

import argparse
import json
import pathlib

import numpy as np
from absl import logging

from musicvae_jax.checkpoints import load
from musicvae_jax.configs import finetune, hier
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.datasets.melodies import folk
from musicvae_jax.datasets.melodies.abc_notation import split_tunes
from musicvae_jax.midi import write
from musicvae_jax.models import vae
from musicvae_jax.models.vae import create_model
from musicvae_jax.music.melody import Melody
from musicvae_jax.system import devices, memory
from musicvae_jax.training import loop, validation

FILES = ("han1", "han2")
OWN = 50
METRICS = ("sampled_accuracy", "teacher_forced_accuracy", "nll_per_token", "kl_bits")


def chinese_songs(least_bars: int) -> list[Melody]:
    """Songs of at least so many bars, in the collection's order."""
    songs = []
    for path in folk.corpus_files("essenFolksong"):
        if path.stem not in FILES:
            continue
        for text in split_tunes(path.read_text(encoding="utf-8", errors="replace")):
            try:
                melody = folk.read_tune(text, path.stem).melody
            except folk.TuneRejectedError:
                continue
            if melody.num_bars >= least_bars:
                songs.append(melody)
    return songs


def write_folders(folder: pathlib.Path, songs: list[Melody]) -> tuple[pathlib.Path, pathlib.Path]:
    """Fifty songs to train on, drawn at random, and the others to measure with."""
    own, others = folder / "own", folder / "others"
    order = np.random.default_rng(0).permutation(len(songs))
    for place, number in enumerate(order):
        target = own if place < OWN else others
        target.mkdir(parents=True, exist_ok=True)
        write.write(target / f"song_{number:03d}.mid", songs[number])
    return own, others


def all_windows(config) -> Split:
    """Every window of a data set, whatever its split."""
    builder = input_pipeline.build_dataset(config)
    splits = [input_pipeline.load_split(builder, n) for n in ("train", "validation", "test")]
    return Split(np.concatenate([split.tokens for split in splits]))


def measure(checkpoint: str, split: Split) -> dict[str, float]:
    """A checkpoint's metrics on a split."""
    directory = load.find(checkpoint, pathlib.Path())
    loaded = load.load(directory, vae.abstract_params)
    evaluator = validation.Evaluator(create_model(loaded.config.model), loaded.config)
    return evaluator(devices.replicate(loaded.params), split)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 steps")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--output", default="runs/fine_tuning")
    args = parser.parse_args()
    memory.keep_freed_memory()
    logging.set_verbosity(logging.FATAL)  # Orbax tells of every file otherwise
    folder = pathlib.Path(args.output)
    config = finetune.get_config()
    own, others = write_folders(folder, chinese_songs(config.model.bars))
    config.dataset.path = str(own)
    config.dataset.data_dir = str(folder / "data")
    config.train.num_steps = 20 if args.quick else args.steps
    alone = config.copy_and_resolve_references()
    alone.train.init_from = ""
    alone.train.learning_rate = hier.get_config().train.learning_rate
    alone.train.learning_rate_decay = 1.0
    for name, run in (("fine-tuned", config), ("from nothing", alone)):
        loop.train(run, folder / name.replace(" ", "_"))
    held_out = config.copy_and_resolve_references()
    held_out.dataset.path = str(others)
    new = all_windows(held_out)
    known = input_pipeline.load_split(input_pipeline.build_dataset(hier.get_config()), "test")
    figures = {
        "shipped": measure("pretrained", new),
        "fine-tuned": measure(str(folder / "fine-tuned"), new),
        "from nothing": measure(str(folder / "from_nothing"), new),
        "shipped, folk": measure("pretrained", known),
        "fine-tuned, folk": measure(str(folder / "fine-tuned"), known),
    }
    print(f"{OWN} files, {config.train.num_steps} steps; {len(new)} windows of other songs,")
    print(f"and {len(known)} of the test split of folk")
    print(f"{'':18s}" + "".join(f"{name:>25s}" for name in METRICS))
    for name, metrics in figures.items():
        print(f"{name:18s}" + "".join(f"{metrics[metric]:25.3f}" for metric in METRICS))
    print(json.dumps({n: {m: round(f[m], 4) for m in METRICS} for n, f in figures.items()}))


if __name__ == "__main__":
    main()
