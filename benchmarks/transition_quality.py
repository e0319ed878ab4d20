"""How good each strategy's transitions are, over pairs of held-out melodies.

Run: python benchmarks/transition_quality.py [--quick] [--checkpoint=runs/small]
Needs: pip install -e . and a trained model of the melody codec

The pairs are windows of the test split of folk, each used once. Prints a table of the
metrics of `musicvae_jax.transitions.scores`, and `ngram_excess`: the excess over the melodies'
own cost under an n-gram model of the training split, which no strategy uses. Also draws the
two interpolation curves of Roberts et al. 2018 (arXiv 1803.05428): for the whole melody at one
alpha, its normalised Hamming distance from A, and its likelihood cost relative to that of the
melodies. Writes both as JSON and PNG.
"""

import argparse
import json
import pathlib
import sys
import time

import matplotlib
import numpy as np
from absl import logging
from ngram import NGram

from musicvae_jax.checkpoints import load
from musicvae_jax.configs import small
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.models.vae import abstract_params
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system import files
from musicvae_jax.transitions import strategies
from musicvae_jax.transitions.maker import BridgeMaker, Plan
from musicvae_jax.transitions.settings import Settings

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ORDER = 9  # half a bar of context
CODEC = CODECS["melody"]
COLUMNS = (
    *("score", "monotonicity", "largest_jump", "tracking_error", "nll_excess", "ngram_excess"),
    *("key_stability", "copied_1", "copied_2"),
)
VARIANTS: dict[str, tuple[str, Settings]] = {
    **{name: (name, Settings()) for name in strategies.STRATEGIES},
    "latent_spherical": ("latent", Settings(path="spherical")),
    "teacher_forcing_note": ("teacher_forcing", Settings(granularity="note")),
    "combined_note": ("combined", Settings(granularity="note")),
    "dual_combined_note": ("dual_combined", Settings(granularity="note")),
    "crossfade_note": ("crossfade", Settings(granularity="note")),
}
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


def quality_table(maker, pairs, judge: NGram, ends_nll: np.ndarray) -> dict:
    """`{strategy: {metric: [mean, ci95]}}`."""
    table = {}
    for name, (strategy, settings) in VARIANTS.items():
        begin = time.perf_counter()
        made = maker(pairs, strategy, Plan(pairs[0][0].num_bars, settings=settings))
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
    parser.add_argument("--checkpoint", default="", help="of a run; default: runs/small")
    parser.add_argument("--pairs", type=int, default=512)
    parser.add_argument("--output", default="runs/transition_quality")
    args = parser.parse_args()
    logging.set_verbosity(logging.ERROR)  # Orbax tells of reading only
    directory = load.find(args.checkpoint, pathlib.Path("runs/small"))
    model = MelodyModel(load.load(directory, abstract_params))
    config = small.get_config()
    config.model.bars = model.bars
    builder = input_pipeline.build_dataset(config)
    train, test = (input_pipeline.load_split(builder, name).tokens for name in ("train", "test"))
    count = min(24 if args.quick else args.pairs, len(test) // 2)
    chosen = np.random.default_rng(0).permutation(len(test))[: 2 * count]
    melodies = [CODEC.decode(tokens) for tokens in test[chosen]]
    pairs = list(zip(melodies[:count], melodies[count:], strict=True))
    judge = NGram(train, CODEC.vocab, ORDER)
    ends_nll = judge.nll(test[chosen]).reshape(2, count).T
    maker = BridgeMaker(model)

    table = quality_table(maker, pairs, judge, ends_nll)
    alphas = np.linspace(0, 1, 3 if args.quick else 9)
    curves = interpolation_curves(maker, pairs, judge, ends_nll, alphas)
    folder = files.make_output_dir(args.output)
    draw(folder / "interpolation_curves.png", curves, count)
    result = {
        "pairs": count,
        "checkpoint": {"step": model.checkpoint.step, "sha256": model.checkpoint.sha256()},
        "table": table,
        "curves": curves,
    }
    files.write_json(folder / "transition_quality.json", result)

    print(f"{count} pairs, model of step {model.checkpoint.step}, mean ± 95 % interval; {folder}")
    print(f"{'':22s}" + "".join(f"{name:>18s}" for name in COLUMNS))
    for name, row in table.items():
        cells = "".join(f"{row[key][0]:>10.3f} ±{row[key][1]:6.3f}" for key in COLUMNS)
        print(f"{name:22s}{cells}")
    print(json.dumps(table))


if __name__ == "__main__":
    main()
