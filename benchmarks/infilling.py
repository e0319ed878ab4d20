"""How well hidden bars of held-out tunes are guessed: 6 bars | 4 hidden | 6 bars.

Run: python benchmarks/infilling.py [--quick] [--checkpoint=pretrained] [--folder=FOLDER]
Needs: pip install -e . and, for a model of several sources, the collections in FOLDER

Windows are evenly spread over a split of the data set that the model was trained on. Prints for
each method the figures of `musicvae_jax.evaluation.infilling`: the mean of eight candidates and
the best of them, of all hidden bars, of those that repeat a bar that is shown, and of the others,
with 95 % intervals over songs. The baselines copy a bar: the one 4 after, 4 before, or 8 before
(where that is not shown, 8 after). A strategy makes a bridge from the six bars before to the six
bars after. `composer` writes the hidden bars in sight of all others, as `--mode=vary` does. Another
method is a function and its line in `methods`. Writes the figures as JSON, and
prints them as its last line.

Reported elsewhere, on another grid and other Irish tunes, and so not comparable: Music SketchNet
(Chen et al. 2020, arXiv 2008.01291) has .84 to .89 of frames right, from InpaintNet to its own.
"""

import argparse
import functools
import json
import time

import jax
import numpy as np
from absl import logging

from musicvae_jax.checkpoints import load
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.evaluation import infilling
from musicvae_jax.evaluation.infilling import ALL, HIDDEN, NEW, REPEATING, Figures, Method
from musicvae_jax.inference.load import load_model
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.inference.writing import Writer
from musicvae_jax.music.grid import SIXTEENTHS, Grid
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.system import files
from musicvae_jax.transitions import composing
from musicvae_jax.transitions.maker import BridgeMaker, Plan

FIRST_BAR, BARS = 6, 4
TEMPERATURE = 0.0  # of decoding what the composer writes, which draws enough
CODEC = CODECS["melody"]
COLUMNS = ("tokens", "onsets", "rhythm", "sounding")


def bridge(
    maker: BridgeMaker,
    strategy: str,
    temperature: float,
    tokens: np.ndarray,
    key: jax.Array,
    grid: Grid = SIXTEENTHS,
) -> np.ndarray:
    """Fills hidden bars with bridges from the bars before them to those after; a `Method`."""
    is_hidden = (tokens == HIDDEN).any(axis=0)
    first, last = np.flatnonzero(is_hidden)[[0, -1]]
    pairs = [
        (CODEC.decode(row[:first], grid=grid), CODEC.decode(row[last + 1 :], grid=grid))
        for row in tokens
    ]
    plan = Plan((last + 1 - first) // grid.steps_per_bar, is_spliced=True)
    made = maker(pairs, strategy, plan, seed=key, temperature=temperature)
    result = tokens.copy()
    result[:, is_hidden] = [CODEC.encode(candidates[0].melody) for candidates in made]
    return result


def composed(writer: Writer, grid: Grid, tokens: np.ndarray, key: jax.Array) -> np.ndarray:
    """Fills hidden bars as `--mode=vary` does; a `Method`. The draft copies bars that are shown."""
    is_kept = (tokens != HIDDEN).all(axis=0).reshape(-1, grid.steps_per_bar).all(axis=1)
    copied = infilling.copy_bars(tokens, 4, grid.steps_per_bar)
    drafts = [CODEC.decode(row, grid=grid) for row in copied]
    filled, _ = writer.fill(
        drafts, is_kept, num=1, key=key, temperature=TEMPERATURE, first_bar=None
    )
    return filled


def methods(model: MelodyModel) -> dict[str, tuple[Method, bool]]:
    """By name, what fills hidden bars, and whether it draws random numbers."""
    maker, grid = BridgeMaker(model), model.grid
    bridges = functools.partial(bridge, maker, grid=grid)

    def copying(lag: int) -> Method:
        return lambda tokens, _: infilling.copy_bars(tokens, lag, grid.steps_per_bar)

    found: dict[str, tuple[Method, bool]] = {
        "copy 4 after": (copying(-4), False),
        "copy 4 before": (copying(4), False),
        "copy 8 before": (copying(8), False),
        "dual_conductor": (functools.partial(bridges, "dual_conductor", 0.0), False),
        "dual_conductor, T=0.7": (functools.partial(bridges, "dual_conductor", 0.7), True),
        "latent, T=0.7": (functools.partial(bridges, "latent", 0.7), True),
    }
    if composing.can_compose(model):
        found["composer"] = (functools.partial(composed, model.writer, grid), True)
        found["composed"] = (functools.partial(bridges, "composed", 0.0), True)
    return found


def print_table(kind: str, found: dict[str, Figures]) -> None:
    share = next(iter(found.values()))[kind]["share"]["bars"]
    print(f"{kind} hidden bars, {share:.1%} of them: mean of the candidates, and the best")
    print(f"  {'':24s}" + "".join(f"{name:>22s}{'best':>22s}" for name in COLUMNS))
    for method, figures in found.items():
        cells = ""
        for name in COLUMNS:
            for of in ("mean", "best"):
                value, ci95 = figures[kind][of][name], figures[kind][of].get(f"{name}_ci95")
                interval = f" [{ci95[0]:.3f}, {ci95[1]:.3f}]" if ci95 else ""
                cells += f"{value:.3f}{interval}".rjust(22)
        print(f"  {method:24s}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few windows")
    parser.add_argument("--checkpoint", default=load.PRETRAINED, help="a run, or pretrained")
    parser.add_argument("--folder", default="", help="of the published collections")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--windows", type=int, default=512)
    parser.add_argument("--candidates", type=int, default=8)
    parser.add_argument("--output", default="runs/infilling")
    args = parser.parse_args()
    logging.set_verbosity(logging.ERROR)  # Orbax tells of reading only
    model = load_model(args.checkpoint)
    builder = input_pipeline.dataset_of(model.checkpoint.config, args.folder)
    split = input_pipeline.load_split(builder, args.split)
    chosen = input_pipeline.spread(len(split), 24 if args.quick else args.windows)
    truth = split.tokens[chosen].astype(np.int32)
    songs = input_pipeline.load_songs(builder, args.split)[chosen]
    per_bar = model.grid.steps_per_bar
    hidden = infilling.hide(truth, FIRST_BAR, BARS, per_bar)
    is_hidden = (hidden[0] == HIDDEN).reshape(-1, per_bar).any(axis=1)
    found = {}
    for name, (method, is_random) in methods(model).items():
        begin = time.perf_counter()
        candidates = args.candidates if is_random else 1
        filled = infilling.fill(hidden, method, jax.random.key(0), candidates)
        found[name] = infilling.figures(truth, filled, is_hidden, songs, per_bar)
        print(f"{name}: {time.perf_counter() - begin:.1f} s", flush=True)
    print(
        f"{len(truth)} windows of {len(np.unique(songs))} songs of the {args.split} split, "
        f"model of step {model.checkpoint.step}, {args.candidates} candidates"
    )
    for kind in (ALL, REPEATING, NEW):
        print_table(kind, found)
    files.write_json(files.make_output_dir(args.output) / "infilling.json", found)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
