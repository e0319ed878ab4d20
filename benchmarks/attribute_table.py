"""What changes in new melodies when attribute vectors are added, and when they are subtracted.

Run: python benchmarks/attribute_table.py [--quick] [--checkpoint=runs/shared]
Needs: pip install -e . and a checkpoint of --mode=export

The experiment of Roberts et al. 2018 (arXiv 1803.05428, section 5, attribute vectors): latents
are drawn from the prior, decoded as they are, and decoded with each vector added and
subtracted, with the same random numbers. Changes are in standard deviations of the training
data, because a percentage, as the paper has it, says little of an attribute that is near 0
(syncopation) or near its end (diatonic); the JSON has both. Draws a heat map.
"""

import argparse
import json
import pathlib

import matplotlib
import numpy as np
from absl import logging

from musicvae_jax.inference.load import load_model
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.attributes import ATTRIBUTES, measure
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system import files

matplotlib.use("Agg")
import matplotlib.pyplot as plt

NAMES = list(ATTRIBUTES)
SIGNS = {"add": 1.0, "subtract": -1.0}


def attributes_of(model: MelodyModel, z: np.ndarray, temperature: float) -> np.ndarray:
    """[batch, attributes] of what latents [batch, ...] decode to."""
    melodies = model.decode(z, temperature=temperature)
    return measure(np.stack([CODECS["melody"].encode(melody) for melody in melodies]))


def table_of(changes: np.ndarray, deviation: np.ndarray, mean: np.ndarray) -> dict:
    """`{attribute: [deviations, half of the 95 % interval, percent]}` of [melodies, attributes]."""
    scaled = changes / deviation
    half = 1.96 * scaled.std(axis=0, ddof=1) / np.sqrt(len(scaled))
    percent = 100 * changes.mean(axis=0) / mean
    rows = np.stack([scaled.mean(axis=0), half, percent], axis=1).round(3).tolist()
    return dict(zip(NAMES, rows, strict=True))


def selectivity(table: dict, sign: float) -> float:
    """The change that was meant, if it has the right sign, over the sum of the other four's."""
    changes = np.array([[table[row][column][0] for column in NAMES] for row in NAMES])
    others = np.abs(changes).sum() - np.abs(np.diag(changes)).sum()
    return round(float(sign * np.trace(changes) / others), 3)


def draw(path: pathlib.Path, tables: dict, title: str) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
    for axis, (name, table) in zip(axes, tables.items(), strict=True):
        changes = np.array([[table[row][column][0] for column in NAMES] for row in NAMES])
        image = axis.imshow(changes, cmap="RdBu_r", vmin=-2, vmax=2)
        for (row, column), value in np.ndenumerate(changes):
            colour = "white" if abs(value) > 1.2 else "black"
            axis.text(column, row, f"{value:+.2f}", ha="center", va="center", color=colour)
        axis.set_xticks(range(len(NAMES)), NAMES, rotation=30)
        axis.set_yticks(range(len(NAMES)), NAMES)
        axis.set_title(f"{name} the vector of a row: change of each attribute", loc="left",
                       fontsize=9)  # fmt: skip
    figure.colorbar(image, ax=axes, label="standard deviations of the training data", shrink=0.8)
    figure.suptitle(title, fontsize=9)
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few melodies")
    parser.add_argument("--checkpoint", default="pretrained", help="a folder of --mode=export")
    parser.add_argument("--melodies", type=int, default=256)
    parser.add_argument("--temperature", type=float, help="by default as of --mode=generate")
    parser.add_argument("--output", default="runs/attribute_table")
    args = parser.parse_args()
    logging.set_verbosity(logging.ERROR)  # Orbax tells of reading only
    model = load_model(args.checkpoint)
    temperature = model.temperature if args.temperature is None else args.temperature
    shifts = {name: model.shift({name: 1.0}) for name in NAMES}
    count = 24 if args.quick else args.melodies
    z = model.draw(count, seed=0)
    before = attributes_of(model, z, temperature)
    mean, deviation = before.mean(axis=0), model.attributes.deviation
    tables = {}
    for name, sign in SIGNS.items():
        tables[name] = {
            attribute: table_of(
                attributes_of(model, z + np.float32(sign) * shift, temperature) - before,
                *(deviation, mean),
            )
            for attribute, shift in shifts.items()
        }
    folder = files.make_output_dir(args.output)
    title = f"{count} melodies from the prior, model of step {model.checkpoint.step}"
    draw(folder / "attribute_table.png", tables, title)
    checkpoint = {"step": model.checkpoint.step, "sha256": model.checkpoint.sha256()}
    result = {
        "melodies": count,
        "temperature": temperature,
        "checkpoint": checkpoint,
        "mean": dict(zip(NAMES, mean.round(4).tolist(), strict=True)),
        "training": model.attributes.summary(),
        "selectivity": {name: selectivity(tables[name], sign) for name, sign in SIGNS.items()},
        **tables,
    }
    files.write_json(folder / "attribute_table.json", result)

    print(f"{title}, temperature {temperature}; {folder}")
    print(
        "change in standard deviations of the training data ± 95 % interval (percent of the mean)"
    )
    for name, table in tables.items():
        print(f"{name:14s}" + "".join(f"{column:>24s}" for column in NAMES))
        for row, cells in table.items():
            line = "".join(f"{d:+9.2f} ±{h:5.2f} ({p:+4.0f} %)" for d, h, p in cells.values())
            print(f"  {row:12s}{line}")
        print(f"  meant over not meant: {result['selectivity'][name]:.2f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
