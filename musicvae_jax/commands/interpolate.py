"""`--mode=interpolate`: the transition from melody to melody, alone or as a piece."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ml_collections
import numpy as np

from musicvae_jax import __version__
from musicvae_jax.commands import pairs, places
from musicvae_jax.commands.files import (
    input_melodies,
    input_sources,
    load_model,
    write_melody,
    write_piece,
    write_report,
)
from musicvae_jax.commands.files import report as base_report
from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi import medley
from musicvae_jax.midi.arrangement import Source
from musicvae_jax.midi.medley import Medley
from musicvae_jax.music.assembly import chain, single
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.modulation import plan_keys
from musicvae_jax.music.piece import Piece
from musicvae_jax.music.tokens import has_onsets
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.plots import piece as plots_piece
from musicvae_jax.plots.picture import Figure, save_png
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import composing
from musicvae_jax.transitions import strategies as transitions_strategies
from musicvae_jax.transitions.maker import Bridge, BridgeMaker, Plan
from musicvae_jax.transitions.order import order_by_distance


@dataclasses.dataclass(frozen=True)
class Transition:
    """The piece that leads through all inputs by one strategy.

    Attributes:
      strategy: its name.
      stem: of its files.
      piece: what is written, or its line.
      shown: what is drawn: of a bridge alone, with its two melodies.
      bridges: between each two inputs.
      provenance: for the MIDI file.
      medley: the whole songs with the bridges, if they are written.
    """

    strategy: str
    stem: str
    piece: Piece
    shown: Piece
    bridges: tuple[Bridge, ...]
    provenance: str
    medley: Medley | None = None

    @property
    def written(self) -> Piece | Medley:
        """What is written."""
        return self.medley or self.piece

    @property
    def score(self) -> float:
        return round(float(np.mean([bridge.score for bridge in self.bridges])), 4)

    @property
    def output(self) -> str:
        """The name of its MIDI file."""
        return f"{self.stem}.mid"

    @property
    def title(self) -> str:
        return f"transition by {self.strategy}"

    def figure(self) -> Figure:
        """The notes of what is shown, and the values of the bars of its bridges."""
        values = plots_piece.values_of_bridges(self.shown, self.bridges)
        notes = self.medley.notes_in_bars() if self.medley else None
        return plots_piece.piece_figure(self.shown, values, self.title, notes)

    def report(self) -> dict[str, Any]:
        """Where it was written, what is in it, and its bridges, for JSON."""
        entry = {"output": self.output, "score": self.score, "piece": self.written.summary()}
        return entry | {"bridges": [bridge.report() for bridge in self.bridges]}


def interpolate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes the transition from one input to the next, by each strategy.

    Two files give the bridge alone, or with `--splice` one piece of the first song, the
    bridge and the second; more than two give a piece with a bridge between each two. The
    songs have all of their tracks, unless `--melody_only` is given.
    """
    told = options.transition
    check(options)
    table = None if told.pairs is None else pairs.read_table(told.pairs)
    sources: dict[str, Source] = {}
    if table is None and is_whole(options, len(options.inputs)):
        sources = input_sources(options)
        inputs = {title: source.melody for title, source in sources.items()}
    else:
        inputs = input_melodies(options) if table is None else {}
    model = load_model(config, options)
    options = with_possible_strategies(model, options)
    plan = make_plan(model, len(inputs), options)
    folder = files.make_output_dir(options.output)
    if table is not None:
        results = pairs.write_pairs(table, model, plan, folder, **_of_pairs(options)).report()
    else:
        if told.order_by_latent:
            inputs = _ordered(model, inputs, loop=told.loop)
        maker = BridgeMaker(model)
        inputs, sources, chosen = places.choose(inputs, sources, maker, plan, options)
        results = chosen | _write_inputs(inputs, sources, model, maker, plan, folder, options)
    write_report(folder, report(model, plan, options, results))


def check(options: Options) -> None:
    """Raises: UserError: options exclude each other, or there are too few inputs."""
    told = options.transition
    places.check(options)
    if told.pairs is not None:
        for flag, is_given in (
            ("input", options.inputs),
            ("loop", told.loop),
            ("order=latent", told.order_by_latent),
            ("audio", options.audio),
            ("notation", options.notation),
        ):
            if is_given:
                raise UserError(f"--{flag}: cannot be used with --pairs")
        return
    if len(options.inputs) == 1:
        raise UserError("--input: two music files or more are needed, got 1")
    if told.loop and not told.splice and len(options.inputs) < 3:
        raise UserError("--loop: needs --splice, or three files in --input")


def _of_pairs(options: Options) -> dict[str, Any]:
    """Keywords of `pairs.write_pairs`."""
    told = options.bridging()
    return told | ({"accompaniment": None} if options.transition.melody_only else {})


def is_whole(options: Options, num_inputs: int) -> bool:
    """Whether the songs before and after a bridge are played with all of their tracks."""
    told = options.transition
    return (told.splice or num_inputs > 2) and not told.melody_only


def with_possible_strategies(model: MelodyModel, options: Options) -> Options:
    """The options without the strategies that the model cannot follow.

    Raises:
      UserError: it can follow none of them.
    """
    told = options.transition
    able = transitions_strategies.possible(told.strategies, composing.can_compose(model))
    return dataclasses.replace(options, transition=dataclasses.replace(told, strategies=able))


def make_plan(model: MelodyModel, num_inputs: int, options: Options) -> Plan:
    """The plan of the bridges between that many inputs.

    Raises:
      UserError: the model cannot follow it.
    """
    told = options.transition
    if told.settings.rhythm and not has_onsets(model.codec):
        raise UserError("--rhythm: needs a model with --config.model.codec=melody")
    return Plan(
        bars=options.bars or model.bars,
        is_spliced=told.splice or num_inputs > 2,
        curve=told.curve,
        control_curve=told.control_curve,
        settings=told.settings,
        adherence=told.adherence,
    )


def report(
    model: MelodyModel, plan: Plan, options: Options, results: Mapping[str, Any]
) -> dict[str, Any]:
    """The report of the mode, for JSON: the plan, and what was made."""
    told = options.transition
    described = {
        "bars": plan.bars,
        "spliced": plan.is_spliced,
        "curve": plan.curve,
        "control_curve": plan.control_curve,
        **dataclasses.asdict(plan.settings),
        "adherence": plan.adherence,
        "candidates": options.num_or(1),
        "key_path": options.transition.key_path,
        "programs": options.transition.programs,
        "accompaniment": None if told.melody_only or not plan.is_spliced else told.accompaniment,
    }
    return base_report(
        "interpolate",
        model,
        seed=options.seed,
        temperature=options.transition_temperature,
        inputs=options.inputs,
        results={"plan": described, **results},
    )


def _ordered(model: MelodyModel, inputs: Mapping[str, Melody], *, loop: bool) -> dict[str, Melody]:
    """The first input, and then the others so that neighbours' latents are near."""
    latents = model.mean_latents(list(inputs.values()))
    distances = np.linalg.norm(latents[:, None] - latents, axis=-1)
    titles = list(inputs)
    order = order_by_distance(distances, first=0, loop=loop)
    return {titles[index]: inputs[titles[index]] for index in order}


def _write_inputs(
    inputs: Mapping[str, Melody],
    sources: Mapping[str, Source],
    model: MelodyModel,
    maker: BridgeMaker,
    plan: Plan,
    folder: pathlib.Path,
    options: Options,
) -> dict[str, Any]:
    """Writes all strategies' transitions between the inputs; returns the report on them."""
    if not plan.is_spliced:
        first, second = inputs.values()
        for number, melody in enumerate(bridge_ends(first, second, plan.bars, False), start=1):
            write_melody(folder, f"melody_{number}", melody, options)
    made = []
    for transition in make_transitions(
        inputs,
        model,
        maker,
        plan,
        sources=sources,
        **options.bridging(),
        loop=options.transition.loop,
        keep_all=options.transition.keep_all,
    ):
        write_piece(folder, transition.stem, transition.written, options, transition.provenance)
        save_png(folder / f"{transition.stem}.png", transition.figure())
        made.append(transition)
    return report_transitions(list(inputs), made)


def make_transitions(
    inputs: Mapping[str, Melody],
    model: MelodyModel,
    maker: BridgeMaker,
    plan: Plan,
    *,
    strategies: Sequence[str],
    num: int = 1,
    seed: int = 0,
    temperature: float = 0.0,
    key_path: str = "keep",
    programs: str = "crossfade",
    accompaniment: str = "fade",
    loop: bool = False,
    keep_all: bool = False,
    sources: Mapping[str, Source] | None = None,
) -> Iterator[Transition]:
    """Makes the transitions between titled melodies, one strategy after the other.

    Args:
      inputs: melodies by title, in their order.
      model: what the bridges are made with.
      maker: of the same model.
      plan: of the bridges.
      strategies: names of transition strategies.
      num: how many candidates of each bridge are made.
      seed: of all randomness.
      temperature: of decoding.
      key_path, programs: see `assembly.chain`; without splicing no key is changed.
      accompaniment: see `medley.medley`.
      loop: whether the last bridge leads back to the first melody.
      keep_all: whether there is a transition of each rank of candidates, or of the best
        alone.
      sources: by the same titles the files whole, which are then played; by default, or
        without splicing, the melodies are.
    """
    keys = plan_keys(list(inputs.values()), key_path if plan.is_spliced else "keep", loop)
    sha256 = model.checkpoint.sha256()[:12]
    for strategy in strategies:
        candidates = maker(keys.pairs, strategy, plan, num=num, seed=seed, temperature=temperature)
        for rank in range(max(map(len, candidates)) if keep_all else 1):
            bridges = tuple(ranked[min(rank, len(ranked) - 1)] for ranked in candidates)
            told = {"key_path": key_path, "programs": programs}
            whole = None
            if plan.is_spliced and sources:
                whole = _medley(inputs, sources, bridges, accompaniment, told)
                piece = shown = whole.piece
            else:
                piece, shown = _pieces(inputs, bridges, plan, **told)
            yield Transition(
                strategy=strategy,
                stem=f"transition_{strategy}" + (f"_{rank:02d}" if keep_all else ""),
                piece=piece,
                shown=shown,
                bridges=bridges,
                provenance=f"MusicVAE-JAX {__version__}, {strategy}, seed {seed}, "
                f"candidates {[bridge.number for bridge in bridges]}, checkpoint {sha256}",
                medley=whole,
            )


def report_transitions(titles: Sequence[str], transitions: Sequence[Transition]) -> dict[str, Any]:
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
    accompaniment: str,
    told: Mapping[str, str],
) -> Medley:
    """The whole songs with the bridges."""
    return medley.medley(
        [sources[title] for title in inputs],
        [bridge.melody for bridge in bridges],
        titles=[pathlib.Path(title).name for title in inputs],
        curves=[bridge.curve for bridge in bridges],
        accompaniment=accompaniment,
        **told,
    )


def _pieces(
    inputs: Mapping[str, Melody],
    bridges: Sequence[Bridge],
    plan: Plan,
    *,
    key_path: str,
    programs: str,
) -> tuple[Piece, Piece]:
    """The piece to write, and the one to draw: of a bridge alone, with its two melodies."""
    melodies = list(inputs.values())
    lines = [bridge.melody for bridge in bridges]
    titles = [pathlib.Path(title).name for title in inputs]
    if plan.is_spliced:
        piece = chain(
            melodies,
            lines,
            titles=titles,
            key_path=key_path,
            programs=programs,
            curves=[bridge.curve for bridge in bridges],
        )
        return piece, piece
    first, second = melodies
    ends = [  # a bridge alone has the tempo of melody 1
        dataclasses.replace(end, tempo_bpm=first.tempo_bpm)
        for end in bridge_ends(first, second, plan.bars, False)
    ]
    shown = chain(ends, lines, titles=titles, programs="keep")
    return single(lines[0], origin="bridge", is_bridge=True), shown
