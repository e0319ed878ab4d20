"""Writes the batches of a training run, and the held-out windows, for other programs to read.

Run: python benchmarks/export_batches.py batches.npz [--config=hier] [--steps=1000]
Needs: pip install -e .

The batches are those that a run of the configuration sees, in their order, transposed as
there; so a peer outside of this project learns from the same melodies, and is judged on the
same. The file holds, all tokens of `MelodyCodec` (0 hold, 1 note off, 2..89 onsets of MIDI
21..108):

  train                              [steps, batch, tokens] uint8
  validation, test                   [windows, tokens] uint8, in the order of the data set
  validation_ids, test_ids           [windows] text, SONG@FIRST_BAR: a song has many windows,
                                     which overlap
  config, data_sha256                of the training split, before it is transposed
"""

import argparse
import json

import ml_collections
import numpy as np

from musicvae_jax import configs
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.melodies import melodies_dataset_builder as melodies
from musicvae_jax.system import files


def read_ids(builder: melodies.Builder, split: str) -> np.ndarray:
    """Song and first bar of a split's windows, in the order of `input_pipeline.load_split`."""
    source = builder.as_data_source(split=split)
    examples = source.__getitems__(range(len(source)))
    return np.array([f"{each['id'].decode()}@{each['start_bar']}" for each in examples])


def export(
    config: ml_collections.ConfigDict, builder: melodies.Builder, steps: int
) -> dict[str, np.ndarray]:
    """The arrays of the file but `config`: `steps` batches, and the held-out windows."""
    split = input_pipeline.load_split(builder, "train")
    batches = input_pipeline.TrainBatches(split, config)
    arrays = {
        "train": np.stack([batches(step).astype(np.uint8) for step in range(steps)]),
        "data_sha256": np.array(split.sha256()),
    }
    for name in ("validation", "test"):
        arrays[name] = input_pipeline.load_split(builder, name).tokens
        arrays[f"{name}_ids"] = read_ids(builder, name)
    return arrays


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", help="the .npz file to write")
    parser.add_argument("--config", default="hier", help="a name in configs/")
    parser.add_argument("--steps", type=int, default=1000)
    args = parser.parse_args()
    config = configs.load(args.config)
    if config.model.codec != "melody":
        parser.error(f"--config={args.config} has {config.model.codec!r} tokens, not 'melody'")
    arrays = export(config, input_pipeline.build_dataset(config), args.steps)
    files.write_npz(args.output, {**arrays, "config": args.config})
    shapes = {name: list(array.shape) for name, array in arrays.items() if array.ndim}
    print(json.dumps({"file": args.output, **shapes}))


if __name__ == "__main__":
    main()
