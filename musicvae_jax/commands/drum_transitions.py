"""`--mode=interpolate` between drum patterns."""

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from musicvae_jax import __version__
from musicvae_jax.commands.files import write_piece
from musicvae_jax.commands.instruments import DRUMS
from musicvae_jax.commands.options import Options
from musicvae_jax.commands.transitions import bridges_of, of_rank, stems_of
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.drum_piece import DrumPiece, drum_chain
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.plots import drum_grid
from musicvae_jax.plots.picture import Figure, save_png
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import Bridge, Plan, maker_of


def check(options: Options) -> None:
    """Raises: UserError: an option is given that is for melodies."""
    told = options.transition
    for flag, is_given in (
        (f"key_path={told.key_path}", told.key_path != "keep"),
        ("notation", options.notation),
        ("drums=bridge", told.has_drum_bridge),
    ):
        if is_given:
            raise UserError(f"--{flag}: is for melodies, and the model is one of drums")


def write_all(
    inputs: Mapping[str, Drums],
    model: MelodyModel,
    plan: Plan,
    folder: pathlib.Path,
    options: Options,
) -> dict[str, Any]:
    """Writes all strategies' transitions between the inputs; returns the report on them."""
    if not plan.is_spliced:
        ends = bridge_ends(*inputs.values(), plan.bars, False)
        for number, end in enumerate(ends, start=1):
            write_piece(folder, f"drums_{number}", end, options)
    patterns, maker = list(inputs.values()), maker_of(model)
    pairs = pairs_of(patterns, loop=options.transition.loop)
    outputs: dict[str, list[dict[str, Any]]] = {}
    for strategy in options.transition.strategies:
        ranked = bridges_of(maker, pairs, strategy, plan, options)
        for rank, stem in enumerate(stems_of(strategy, ranked, options)):
            bridges = of_rank(ranked, rank)
            entry = _write(folder, stem, inputs, bridges, model, plan, options)
            outputs.setdefault(strategy, []).append(entry)
    flat = [entry for entries in outputs.values() for entry in entries]
    flat.sort(key=lambda entry: -entry["score"])
    ranking = [{"output": entry["output"], "score": entry["score"]} for entry in flat]
    return {"order": list(inputs), "ranking": ranking, "outputs": outputs}


def pairs_of(patterns: Sequence[Drums], *, loop: bool) -> list[tuple[Drums, Drums]]:
    """The two patterns of each bridge; in a loop the last leads back to the first."""
    around = [*patterns, patterns[0]] if loop else patterns
    return list(itertools.pairwise(around))


def _write(
    folder: pathlib.Path,
    stem: str,
    inputs: Mapping[str, Drums],
    bridges: Sequence[Bridge],
    model: MelodyModel,
    plan: Plan,
    options: Options,
) -> dict[str, Any]:
    """Writes a transition through all inputs by one strategy; returns its entry of the report."""
    made = [DRUMS.finish(model, bridge.melody, options) for bridge in bridges]
    patterns = list(inputs.values())
    ends = patterns if plan.is_spliced else list(bridge_ends(*patterns, plan.bars, False))
    if not plan.is_spliced:  # a bridge alone has the tempo of the first
        ends = [dataclasses.replace(end, tempo_bpm=patterns[0].tempo_bpm) for end in ends]
    shown = drum_chain(ends, made, [pathlib.Path(title).name for title in inputs])
    written = shown if plan.is_spliced else made[0]
    strategy, numbers = bridges[0].strategy, [bridge.number for bridge in bridges]
    provenance = (
        f"MusicVAE-JAX {__version__}, {strategy}, seed {options.seed}, candidates {numbers}, "
        f"checkpoint {model.checkpoint.sha256()[:12]}"
    )
    output = write_piece(folder, stem, written, options, provenance)
    save_png(folder / f"{stem}.png", figure(shown, bridges, stem))
    score = round(float(np.mean([bridge.score for bridge in bridges])), 4)
    entry = {"output": output, "score": score, "piece": shown.summary()}
    return entry | {"bridges": [bridge.report() for bridge in bridges]}


def figure(piece: DrumPiece, bridges: Sequence[Bridge], title: str) -> Figure:
    """A piece of drums, and for each bar of its bridges how many hits are those of its ends."""
    values = [
        {
            "hits as in the one before": np.asarray(bridge.by_bar.hit_overlap_1),
            "hits as in the one after": np.asarray(bridge.by_bar.hit_overlap_2),
            "curve": bridge.curve,
        }
        for bridge in bridges
    ]
    return drum_grid.drum_piece_figure(piece, values, title)
