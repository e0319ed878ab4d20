"""`--mode=interpolate` between drum patterns."""

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from musicvae_jax import __version__
from musicvae_jax.commands.files import write_piece
from musicvae_jax.commands.instruments import DRUMS
from musicvae_jax.commands.options import Options
from musicvae_jax.commands.transitions import (
    Made,
    bridges_of,
    of_rank,
    report_transitions,
    stems_of,
)
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.drum_piece import DrumPiece, drum_chain, drum_single
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.plots import drum_grid
from musicvae_jax.plots.picture import Figure, save_png
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions.maker import Bridge, BridgeMaker, Plan, maker_of
from musicvae_jax.transitions.meters import MeterBridgeMaker


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrumTransition(Made):
    """A transition between drums; in the piece its bridges are played as a drummer would.

    Attributes:
      written: what is written.
      shown: what is drawn: of a bridge alone, with the bars before and after it.
    """

    written: DrumPiece
    shown: DrumPiece

    def figure(self) -> Figure:
        """What is shown, and the values of the bars of its bridges."""
        return figure(self.shown, self.bridges, self.stem)

    def report(self) -> dict[str, Any]:
        entry = {"output": self.output, "score": self.score, "piece": self.shown.summary()}
        return entry | {"bridges": [bridge.report() for bridge in self.bridges]}


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
    made = []
    for transition in make_transitions(inputs, model, maker_of(model), plan, options):
        write_piece(folder, transition.stem, transition.written, options, transition.provenance)
        save_png(folder / f"{transition.stem}.png", transition.figure())
        made.append(transition)
    return report_transitions(list(inputs), made)


def pairs_of(patterns: Sequence[Drums], *, loop: bool) -> list[tuple[Drums, Drums]]:
    """The two patterns of each bridge; in a loop the last leads back to the first."""
    around = [*patterns, patterns[0]] if loop else patterns
    return list(itertools.pairwise(around))


def make_transitions(
    inputs: Mapping[str, Drums],
    model: MelodyModel,
    maker: BridgeMaker | MeterBridgeMaker,
    plan: Plan,
    options: Options,
) -> Iterator[DrumTransition]:
    """Makes the transitions between titled patterns, one strategy after the other.

    Args:
      inputs: patterns by title, in their order.
      model: what the bridges are made with, and played.
      maker: of the same model.
      plan: of the bridges.
      options: by which strategies, how many candidates, how strongly they are played.
    """
    pairs = pairs_of(list(inputs.values()), loop=options.transition.loop)
    sha256 = model.checkpoint.sha256()[:12]
    for strategy in options.transition.strategies:
        ranked = bridges_of(maker, pairs, strategy, plan, options)
        for rank, stem in enumerate(stems_of(strategy, ranked, options)):
            bridges = of_rank(ranked, rank)
            played = [DRUMS.finish(model, bridge.melody, options) for bridge in bridges]
            shown = _shown(inputs, played, plan)
            alone = drum_single(played[0], "bridge", is_bridge=True)
            yield DrumTransition(
                strategy=strategy,
                stem=stem,
                written=shown if plan.is_spliced else alone,
                shown=shown,
                bridges=bridges,
                provenance=f"MusicVAE-JAX {__version__}, {strategy}, seed {options.seed}, "
                f"candidates {[bridge.number for bridge in bridges]}, checkpoint {sha256}",
            )


def _shown(inputs: Mapping[str, Drums], bridges: Sequence[Drums], plan: Plan) -> DrumPiece:
    """The patterns, or the bars of them that a bridge alone lies between, with their bridges."""
    patterns = list(inputs.values())
    ends = patterns if plan.is_spliced else list(bridge_ends(*patterns, plan.bars, False))
    if not plan.is_spliced:  # a bridge alone has the tempo of the first
        ends = [dataclasses.replace(end, tempo_bpm=patterns[0].tempo_bpm) for end in ends]
    return drum_chain(ends, bridges, [pathlib.Path(title).name for title in inputs])


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
