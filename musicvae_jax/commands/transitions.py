"""Transitions through all inputs of `--mode=interpolate`, by each strategy, and their reports."""

import abc
import dataclasses
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from musicvae_jax import __version__
from musicvae_jax.commands import edits
from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi.whole import medley
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.midi.whole.medley import Medley
from musicvae_jax.music.assembly import chain, single
from musicvae_jax.music.drums import Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import plan_keys
from musicvae_jax.music.piece import Piece
from musicvae_jax.music.rebar import rebar
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.plots import bar_values
from musicvae_jax.plots import piece as plots_piece
from musicvae_jax.plots.picture import Figure
from musicvae_jax.transitions.maker import Bridge, BridgeMaker, Plan
from musicvae_jax.transitions.meters import MeterBridgeMaker


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made(abc.ABC):
    """How the piece was made that leads through all inputs by one strategy.

    Attributes:
      strategy: its name.
      stem: of its files.
      bridges: between each two inputs, as the model made them.
      provenance: for the MIDI file.
    """

    strategy: str
    stem: str
    bridges: tuple[Bridge, ...]
    provenance: str

    @property
    def score(self) -> float:
        return round(float(np.mean([bridge.score for bridge in self.bridges])), 4)

    @property
    def output(self) -> str:
        """The name of its MIDI file."""
        return f"{self.stem}.mid"

    @abc.abstractmethod
    def report(self) -> dict[str, Any]:
        """Where it was written, what is in it, and its bridges, for JSON."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Transition(Made):
    """A transition between melodies.

    Attributes:
      piece: what is written, or its line.
      shown: what is drawn: of a bridge alone, with its two melodies.
      medley: the whole songs with the bridges, if they are written.
      drums: the bridges of the drums in it, if they have some.
      is_edited: whether the notes of the bridges were changed by hand; what is known of them
        is then of the bridges as they were made.
    """

    piece: Piece
    shown: Piece
    medley: Medley | None = None
    drums: tuple[Bridge, ...] = ()
    is_edited: bool = False

    @property
    def written(self) -> Piece | Medley:
        """What is written."""
        return self.medley or self.piece

    @property
    def title(self) -> str:
        return f"transition by {self.strategy}"

    def values(self, piece: Piece) -> list[bar_values.BarValues | None]:
        """What is known of the bars of each section of `piece` or `shown`."""
        values = bar_values.values_of_bridges(piece, self.bridges)
        return [value and value.course for value in values] if self.is_edited else values

    def figure(self, beside: tuple[np.ndarray, np.ndarray] | None = None) -> Figure:
        """The notes of what is shown, and the values of the bars of its bridges.

        Args:
          beside: `Medley.notes_in_bars`, if the medley itself is no longer here.
        """
        values = self.values(self.shown)
        notes = self.medley.notes_in_bars() if self.medley else beside
        return plots_piece.piece_figure(self.shown, values, self.title, notes)

    def report(self) -> dict[str, Any]:
        entry = {"output": self.output, "score": self.score, "piece": self.written.summary()}
        entry |= {"edited": True} if self.is_edited else {}
        entry["bridges"] = [bridge.report() for bridge in self.bridges]
        return entry | ({"drums": [each.report() for each in self.drums]} if self.drums else {})


def make_transitions(
    inputs: Mapping[str, Melody],
    model: MelodyModel,
    maker: BridgeMaker | MeterBridgeMaker,
    plan: Plan,
    options: Options,
    *,
    sources: Mapping[str, Source] | None = None,
    drums: Callable[[str], list[list[Bridge]]] | None = None,
    lines: Mapping[str, Melody] | None = None,
) -> Iterator[Transition]:
    """Makes the transitions between titled melodies, one strategy after the other.

    Args:
      inputs: melodies by title, in their order.
      model: what the bridges are made with.
      maker: of the same model.
      plan: of the bridges.
      options: by which strategies, how many candidates, how the pieces are put together. Without
        splicing no key is changed.
      sources: by the same titles the files whole, which are then played; by default, or
        without splicing, the melodies are.
      drums: of whole files, the bridges of their drums by a strategy, as `maker` gives them; by
        default the drums are part of the accompaniment.
      lines: by the stems of transitions, their lines as they were edited by hand; see
        `edits.bridges_of`.

    Raises:
      UserError: a line is not as long as its transition.
    """
    told, sha256 = options.transition, model.checkpoint.sha256()[:12]
    key_path = told.key_path if plan.is_spliced else "keep"
    keys = plan_keys(list(inputs.values()), key_path, told.loop)
    for strategy in told.strategies:
        candidates = bridges_of(maker, keys.pairs, strategy, plan, options)
        struck = drums(strategy) if drums else []
        for rank, stem in enumerate(stems_of(strategy, candidates, options)):
            bridges, beats = of_rank(candidates, rank), of_rank(struck, rank)
            line = (lines or {}).get(stem)
            if line is not None:
                between = list(inputs.values()) if plan.is_spliced else []
                bridges = edits.bridges_of(line, bridges, between)
            led: dict[str, Any] = {
                "key_path": told.key_path,
                "programs": told.programs,
                "as_played": line is not None,
            }
            whole = None
            if plan.is_spliced and sources:
                accompaniment = told.accompaniment
                whole = _medley(inputs, sources, bridges, beats, accompaniment, plan.keeps, led)
                piece = shown = whole.piece
            else:
                piece, shown = _pieces(inputs, bridges, plan, **led)
            yield Transition(
                strategy=strategy,
                stem=stem,
                piece=piece,
                shown=shown,
                bridges=bridges,
                provenance=f"MusicVAE-JAX {__version__}, {strategy}, seed {options.seed}, "
                f"candidates {[bridge.number for bridge in bridges]}, checkpoint {sha256}"
                + (", edited by hand" if line is not None else ""),
                medley=whole,
                drums=beats,
                is_edited=line is not None,
            )


def stems_of(strategy: str, candidates: Sequence[Sequence[Bridge]], options: Options) -> list[str]:
    """The names of files by a strategy, of each rank of candidates or of the best alone."""
    if not options.transition.keep_all:
        return [f"transition_{strategy}"]
    return [f"transition_{strategy}_{rank:02d}" for rank in range(max(map(len, candidates)))]


def of_rank(candidates: Sequence[Sequence[Bridge]], rank: int) -> tuple[Bridge, ...]:
    """Of the candidates of each bridge that of a rank, or the last if there are fewer."""
    return tuple(ranked[min(rank, len(ranked) - 1)] for ranked in candidates)


def bridges_of(
    maker: BridgeMaker | MeterBridgeMaker,
    pairs: Sequence[tuple[Any, Any]],
    strategy: str,
    plan: Plan,
    options: Options,
    **more: Any,
) -> list[list[Bridge]]:
    """The candidates of each bridge; those of equal length are made at once.

    Args:
      maker, pairs, strategy, more: as of `BridgeMaker`.
      plan: of all bridges.
      options: how candidates are drawn, and the bars of each bridge where they are not the
        plan's.
    """
    lengths, sampling = options.transition.bridge_bars, options.candidates() | more
    if not lengths:
        return maker(pairs, strategy, plan, **sampling)
    made: list[list[Bridge]] = [[] for _ in pairs]
    for bars in dict.fromkeys(lengths):
        numbers = [number for number, length in enumerate(lengths) if length == bars]
        some, own = [pairs[number] for number in numbers], dataclasses.replace(plan, bars=bars)
        found = maker(some, strategy, own, pair_numbers=numbers, **sampling)
        for number, candidates in zip(numbers, found, strict=True):
            made[number] = candidates
    return made


def report_transitions(titles: Sequence[str], transitions: Sequence[Made]) -> dict[str, Any]:
    """The order of the inputs, all transitions by strategy, and how they rank, for JSON."""
    outputs: dict[str, list[dict[str, Any]]] = {}
    for made in transitions:
        outputs.setdefault(made.strategy, []).append(made.report())
    ranked = sorted(transitions, key=lambda made: -made.score)
    return {
        "order": list(titles),
        "ranking": [{"output": made.output, "score": made.score} for made in ranked],
        "outputs": outputs,
    }


def _medley(
    inputs: Mapping[str, Melody],
    sources: Mapping[str, Source],
    bridges: Sequence[Bridge],
    drums: Sequence[Bridge],
    accompaniment: str,
    keeps: str,
    told: Mapping[str, Any],
) -> Medley:
    """The whole songs with the bridges."""
    return medley.medley(
        [sources[title] for title in inputs],
        bridges,
        titles=[pathlib.Path(title).name for title in inputs],
        accompaniment=accompaniment,
        keeps=keeps,
        drums=[cast("Drums", bridge.melody) for bridge in drums] if drums else None,
        **told,
    )


def _pieces(
    inputs: Mapping[str, Melody],
    bridges: Sequence[Bridge],
    plan: Plan,
    *,
    key_path: str,
    programs: str,
    as_played: bool,
) -> tuple[Piece, Piece]:
    """The piece to write, and the one to draw: of a bridge alone, with its two melodies."""
    melodies = list(inputs.values())
    lines = [bridge.parts for bridge in bridges]
    titles = [pathlib.Path(title).name for title in inputs]
    if plan.is_spliced:
        piece = chain(
            melodies,
            lines,
            titles=titles,
            key_path=key_path,
            programs=programs,
            curves=[bridge.curve for bridge in bridges],
            keeps=plan.keeps,
            as_played=as_played,
        )
        return piece, piece
    first, second = melodies
    ends = [  # a bridge alone has the tempo of melody 1
        dataclasses.replace(end, tempo_bpm=rebar(first, end.grid, plan.keeps).tempo_bpm)
        for end in bridge_ends(first, second, plan.bars, False)
    ]
    shown = chain(ends, lines, titles=titles, programs="keep", keeps=plan.keeps)
    return single(lines[0], origin="bridge", is_bridge=True), shown
