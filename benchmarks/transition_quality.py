"""How good each strategy's transitions are, over pairs of held-out melodies.

Run: python benchmarks/transition_quality.py [--quick] [--checkpoint=pretrained] [--folder=FOLDER]
       [--only=composed,latent]
Needs: pip install -e . and, for a model of several sources, the collections in FOLDER

The pairs are windows of the test split of the data set that the model was trained on. One set of
pairs is `within` the first source, each window used once; of a model of several sources, another
goes `across`: the two windows of a pair are of different sources, drawn at random, each source as
often as the others. Prints for both a table of the metrics of `musicvae_jax.transitions.scores`,
and `ngram_excess`: the excess over the melodies' own cost under an n-gram model of the training
split, which no strategy uses. Also draws the two interpolation curves of Roberts et al. 2018 (arXiv
1803.05428) for the pairs within one source: for the whole melody at one alpha, its normalised
Hamming distance from A, and its likelihood cost relative to that of the melodies. Writes the tables
and curves as JSON, and the curves as PNG.
"""

import argparse
import json
import pathlib
import sys
import time
from typing import Any

import matplotlib
import numpy as np
from absl import logging

from musicvae_jax.checkpoints import load
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.evaluation import ngram
from musicvae_jax.evaluation.ngram import ORDER, NGram
from musicvae_jax.inference.load import load_model
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system import files
from musicvae_jax.transitions import strategies
from musicvae_jax.transitions.maker import BridgeMaker, Plan
from musicvae_jax.transitions.settings import Settings

matplotlib.use("Agg")
import matplotlib.pyplot as plt

CODEC = CODECS["melody"]
COLUMNS = (
    *("score", "monotonicity", "largest_jump", "tracking_error", "nll_excess", "ngram_excess"),
    *("key_stability", "copied_1", "copied_2"),
)
BY_NOTE = {"settings": Settings(granularity="note")}
# By name, a strategy and what its plan has that is not as usual.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in strategies.STRATEGIES},
    "composed_freely": ("composed", {"adherence": 0.0}),
    "latent_spherical": ("latent", {"settings": Settings(path="spherical")}),
    "teacher_forcing_note": ("teacher_forcing", BY_NOTE),
    "combined_note": ("combined", BY_NOTE),
    "dual_combined_note": ("dual_combined", BY_NOTE),
    "crossfade_note": ("crossfade", BY_NOTE),
}
CURVES = "curves"
LINES = {
    "latent": ("latent", Settings(ends="model")),
    "latent_spherical": ("latent", Settings(path="spherical", ends="model")),
    "dual_conductor": ("dual_conductor", Settings(ends="model")),
    "crossfade_note": ("crossfade", Settings(granularity="note", ends="model")),
}


def mean_ci95(values: np.ndarray) -> list[float]:
    """The mean, and half the width of its 95 % confidence interval (normal)."""
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    return [round(float(values.mean()), 4), round(float(half), 4)]


def encode(melodies: list[Melody]) -> np.ndarray:
    return np.stack([CODEC.encode(melody) for melody in melodies])


def quality_table(maker, pairs, judge: NGram, ends_nll: np.ndarray, names: list[str]) -> dict:
    """`{variant: {metric: [mean, ci95]}}`."""
    table = {}
    for name in names:
        strategy, told = VARIANTS[name]
        begin = time.perf_counter()
        made = maker(pairs, strategy, Plan(pairs[0][0].num_bars, **told))
        scores = [vars(candidates[0].scores) for candidates in made]
        values = {key: np.array([score[key] for score in scores]) for key in scores[0]}
        tokens = encode([candidates[0].melody for candidates in made])
        values["ngram_excess"] = judge.nll(tokens) - ends_nll.mean(axis=1)
        table[name] = {key: mean_ci95(value) for key, value in sorted(values.items())}
        print(f"  {name}: {time.perf_counter() - begin:.1f} s", file=sys.stderr)
    return table


def crossfade_tokens(tokens: list[np.ndarray], alpha: float) -> np.ndarray:
    """The paper's mix in data space: a coin for each token."""
    takes_second = np.random.default_rng(0).random(tokens[0].shape) < alpha
    return np.where(takes_second, tokens[1], tokens[0])


def pairs_within(split: Split, count: int) -> np.ndarray:
    """Windows of the first source, each at most once: [pairs, 2] numbers."""
    own = np.flatnonzero(split.source == 0)
    count = min(count, len(own) // 2)
    return np.random.default_rng(0).permutation(own)[: 2 * count].reshape(2, count).T


def pairs_across(split: Split, count: int) -> np.ndarray:
    """Windows of different sources: [pairs, 2] numbers."""
    rng = np.random.default_rng(0)
    windows = [np.flatnonzero(split.source == n) for n in np.unique(split.source)]
    return np.array(
        [
            [rng.choice(windows[source]) for source in rng.permutation(len(windows))[:2]]
            for _ in range(count)
        ]
    )


def interpolation_curves(maker, pairs, judge: NGram, ends_nll: np.ndarray, alphas) -> dict:
    """Hamming distance from A, and cost relative to the ends, by alpha."""
    ends = [encode(list(side)) for side in zip(*pairs, strict=True)]
    bars = pairs[0][0].num_bars
    curves: dict[str, dict] = {}
    for alpha in alphas:
        expected = (1 - alpha) * ends_nll[:, 0] + alpha * ends_nll[:, 1]
        made = {"crossfade_token": crossfade_tokens(ends, alpha)}
        for name, (strategy, settings) in LINES.items():
            t = (float(alpha),) * bars
            plan = Plan(bars, curve=t, control_curve=t, settings=settings)
            result = maker(pairs, strategy, plan)
            made[name] = encode([candidates[0].melody for candidates in result])
        for name, tokens in made.items():
            curve = curves.setdefault(name, {"alpha": [], "hamming": [], "relative_cost": []})
            curve["alpha"].append(round(float(alpha), 4))
            curve["hamming"].append(mean_ci95((tokens != ends[0]).mean(axis=1)))
            curve["relative_cost"].append(mean_ci95(judge.nll(tokens) / expected))
    return curves


def draw(path: pathlib.Path, curves: dict, count: int) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    titles = {
        "hamming": "normalised Hamming distance from A",
        "relative_cost": f"cost by {ORDER}-grams, relative to the melodies'",
    }
    for axis, (key, title) in zip(axes, titles.items(), strict=True):
        for name, curve in curves.items():
            mean, half = np.array(curve[key]).T
            [line] = axis.plot(curve["alpha"], mean, "o-", markersize=3, label=name)
            axis.fill_between(curve["alpha"], mean - half, mean + half, alpha=0.2, lw=0,
                              color=line.get_color())  # fmt: skip
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_xlabel("alpha")
        axis.grid(color="#DDDDDD", linewidth=0.5)
    axes[1].axhline(1, color="black", linewidth=0.8, linestyle="--")
    axes[0].legend(fontsize=8, frameon=False)
    figure.suptitle(f"{count} pairs of held-out melodies; bands are 95 % intervals", fontsize=9)
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few pairs and alphas")
    parser.add_argument("--checkpoint", default=load.PRETRAINED, help="a run, or pretrained")
    parser.add_argument("--folder", default="", help="of the published collections")
    parser.add_argument("--pairs", type=int, default=512)
    parser.add_argument("--only", default="", help="variants, and curves; by default all")
    parser.add_argument("--output", default="runs/transition_quality")
    args = parser.parse_args()
    everything = [*VARIANTS, CURVES]
    names = args.only.split(",") if args.only else everything
    if unknown := sorted(set(names) - set(everything)):
        parser.error(f"--only: no {unknown[0]!r}; valid are {', '.join(everything)}")
    variants = [name for name in names if name != CURVES]
    logging.set_verbosity(logging.ERROR)  # Orbax tells of reading only
    model = load_model(args.checkpoint)
    builder = input_pipeline.dataset_of(model.checkpoint.config, args.folder)
    train, test = (input_pipeline.load_split(builder, name) for name in ("train", "test"))
    judge = ngram.of_melodies(train.tokens)
    maker = BridgeMaker(model)
    wanted = 24 if args.quick else args.pairs
    chosen = {"within": pairs_within(test, wanted)}
    if len(test.by_source()) > 1:
        chosen["across"] = pairs_across(test, wanted)
    folder = files.make_output_dir(args.output)
    result = {
        "checkpoint": {"step": model.checkpoint.step, "sha256": model.checkpoint.sha256()},
        "data": builder.info.full_name,
    }
    for kind, windows in chosen.items():
        pairs = [tuple(CODEC.decode(tokens) for tokens in test.tokens[pair]) for pair in windows]
        ends_nll = np.stack([judge.nll(test.tokens[side]) for side in windows.T], axis=1)
        table = quality_table(maker, pairs, judge, ends_nll, variants)
        result[kind] = {"pairs": len(pairs), "table": table}
        if kind == "within" and CURVES in names:
            alphas = np.linspace(0, 1, 3 if args.quick else 9)
            curves = interpolation_curves(maker, pairs, judge, ends_nll, alphas)
            draw(folder / "interpolation_curves.png", curves, len(pairs))
            result[kind]["curves"] = curves
        print_table(f"{len(pairs)} pairs {kind}, model of step {model.checkpoint.step}", table)
    files.write_json(folder / "transition_quality.json", result)
    print(json.dumps({kind: result[kind]["table"] for kind in chosen}))


def print_table(title: str, table: dict) -> None:
    print(f"{title}, mean ± 95 % interval")
    print(f"{'':22s}" + "".join(f"{name:>18s}" for name in COLUMNS))
    for name, row in table.items():
        cells = "".join(f"{row[key][0]:>10.3f} ±{row[key][1]:6.3f}" for key in COLUMNS)
        print(f"{name:22s}{cells}")


if __name__ == "__main__":
    main()
