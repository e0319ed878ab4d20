"""Whether bridges go on where a tune left off: seams that a classifier tells from real music.

Run: python benchmarks/seams.py [--quick] [--checkpoint=pretrained] [--folder=FOLDER]
Needs: pip install -e . and, for a model of several sources, the collections in FOLDER

Bridges of eight bars are spliced in between two tunes of the first source, of a split of the data
set that the model was trained on. A classifier (`musicvae_jax.evaluation.classifier`) is to tell
the four bars before and after both of their ends from eight bars of real tunes. So that no song
is both learned and asked about, the songs of a pair are of one fold. `no bridge` joins the two
tunes without one, and `real tunes` are two halves of the songs: the area of a seam that cannot
be told. Prints a table, and as its last line the areas as JSON, with 95 % intervals over songs.
"""

import argparse
import json

import numpy as np
from absl import logging

from musicvae_jax.checkpoints import load
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.input_pipeline import Split
from musicvae_jax.evaluation import classifier
from musicvae_jax.evaluation.classifier import Area, Crowd
from musicvae_jax.inference.load import load_model
from musicvae_jax.music.melody import STEPS_PER_BAR, Melody, join
from musicvae_jax.music.tokens import CODECS
from musicvae_jax.transitions import strategies
from musicvae_jax.transitions.maker import BridgeMaker, Plan

CODEC = CODECS["melody"]
SEAM_BARS, BRIDGE_BARS = 4, 8  # on each side of a seam; of a bridge


def pairs_in_folds(split: Split, songs: np.ndarray, count: int) -> np.ndarray:
    """Pairs of windows of the first source and of one fold, each at most once: [pairs, 2]."""
    rng, folds = np.random.default_rng(0), classifier.folds_of(songs)
    pairs = []
    for fold in range(classifier.FOLDS):
        own = rng.permutation(np.flatnonzero((split.source == 0) & (folds == fold)))
        pairs.append(own[: 2 * min(len(own) // 2, count // classifier.FOLDS)].reshape(-1, 2))
    return np.concatenate(pairs)


def around(bars: int, melody: Melody) -> np.ndarray:
    """The tokens of the bars on both sides of a seam, which is after so many bars."""
    whole = CODEC.encode(melody)
    return whole[(bars - SEAM_BARS) * STEPS_PER_BAR : (bars + SEAM_BARS) * STEPS_PER_BAR]


def seam_areas(
    maker: BridgeMaker, split: Split, songs: np.ndarray, pairs: np.ndarray
) -> dict[str, Area]:
    """How well windows that straddle a seam are told from real ones, by strategy."""
    own = np.flatnonzero(split.source == 0)
    folds = classifier.folds_of(songs)
    melodies = [tuple(CODEC.decode(tokens) for tokens in split.tokens[pair]) for pair in pairs]
    bars = melodies[0][0].num_bars
    middle = slice((bars // 2 - SEAM_BARS) * STEPS_PER_BAR, (bars // 2 + SEAM_BARS) * STEPS_PER_BAR)

    def real(windows: np.ndarray) -> Crowd:
        some = windows[input_pipeline.spread(len(windows), 2 * len(pairs))]
        return Crowd(split.tokens[some, middle].astype(np.int32), songs[some], folds[some])

    def of_seams(seams: list[np.ndarray]) -> Crowd:
        numbers = np.repeat(np.arange(len(pairs)), len(seams) // len(pairs))
        return Crowd(np.stack(seams), numbers, folds[pairs[numbers, 0]])

    halves = classifier.halves_of(songs)
    sides = [real(own[halves[own] == half]) for half in (0, 1)]
    cuts = [around(bars, join(pair)) for pair in melodies]
    areas = {
        "real tunes": classifier.tell_apart(*sides),
        "no bridge": classifier.tell_apart(real(own), of_seams(cuts)),
    }
    ends = (bars, bars + BRIDGE_BARS)
    for strategy in strategies.STRATEGIES:
        made = maker(melodies, strategy, Plan(BRIDGE_BARS, is_spliced=True))
        wholes = [join([a, c[0].melody, b]) for (a, b), c in zip(melodies, made, strict=True)]
        seams = of_seams([around(end, whole) for whole in wholes for end in ends])
        areas[strategy] = classifier.tell_apart(real(own), seams)
    return areas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few pairs")
    parser.add_argument("--checkpoint", default=load.PRETRAINED, help="a run, or pretrained")
    parser.add_argument("--folder", default="", help="of the published collections")
    parser.add_argument("--split", default="test", choices=("validation", "test"))
    parser.add_argument("--pairs", type=int, default=512)
    args = parser.parse_args()
    logging.set_verbosity(logging.ERROR)  # Orbax tells of reading only
    model = load_model(args.checkpoint)
    builder = input_pipeline.dataset_of(model.checkpoint.config, args.folder)
    split = input_pipeline.load_split(builder, args.split)
    songs = input_pipeline.load_songs(builder, args.split)
    pairs = pairs_in_folds(split, songs, 64 if args.quick else args.pairs)
    found = seam_areas(BridgeMaker(model), split, songs, pairs)
    print(f"{len(pairs)} pairs of the {args.split} split, model of step {model.checkpoint.step}")
    print("seams told from real tunes: area under the ROC curve [95 % interval]")
    for name, area in found.items():
        print(f"  {name:20s}{area.area:.3f} [{area.ci95[0]:.3f}, {area.ci95[1]:.3f}]")
    print(json.dumps({name: vars(area) for name, area in found.items()}))


if __name__ == "__main__":
    main()
