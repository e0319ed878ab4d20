"""`--mode=interpolate`: the transition from melody to melody, alone or as a piece."""

import dataclasses
import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ml_collections
import numpy as np

from musicvae_jax.commands import band, drum_transitions, pair_kinds, pairs, places
from musicvae_jax.commands.files import (
    checkpoint_facts,
    input_music,
    input_sources,
    load_model,
    model_and_inputs,
    models_for,
    named_model,
    shipped_for,
    write_piece,
    write_report,
)
from musicvae_jax.commands.files import report as base_report
from musicvae_jax.commands.instruments import DRUMS, MELODY
from musicvae_jax.commands.options import Options
from musicvae_jax.commands.transitions import make_transitions, report_transitions
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.rebar import rebar
from musicvae_jax.music.tokens import CODECS, StoredCodec, has_onsets
from musicvae_jax.music.windows import bridge_ends
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError
from musicvae_jax.transitions import composing
from musicvae_jax.transitions import strategies as transitions_strategies
from musicvae_jax.transitions.maker import Plan, check_limits, maker_of
from musicvae_jax.transitions.meters import MeterBridgeMaker
from musicvae_jax.transitions.order import order_by_distance

logger = logging.getLogger(__name__)


def interpolate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes the transition from one input to the next, by each strategy.

    Two files give the bridge alone, or with `--splice` one piece of the first song, the
    bridge and the second; more than two give a piece with a bridge between each two. The
    songs have all of their tracks, unless `--melody_only` is given.
    """
    check(options)
    model = named_model(config, options)
    stored = CODECS["melody"].stored if model is None else model.codec.stored
    _INTERPOLATE[stored](config, model, options)


def _melodies(
    config: ml_collections.ConfigDict | None, model: MelodyModel | None, options: Options
) -> None:
    told, sources = options.transition, dict[str, Source]()
    if told.pairs is not None:
        rows = pairs.read_table(told.pairs)  # before a model is loaded for it
        _melody_pairs(model or load_model(config, options), rows, options)
        return
    if told.has_drum_bridge or (options.inputs and is_whole(options, len(options.inputs))):
        sources = input_sources(options)
        inputs = {title: source.melody for title, source in sources.items()}
        models = models_for(config, options, inputs, model)
    elif options.inputs:
        inputs = input_music(options, MELODY)
        models = models_for(config, options, inputs, model)
    else:
        model, inputs = model_and_inputs(config, options, model)
        models = {model.grid.steps_per_bar: model}
    model = next(iter(models.values()))
    for one in models.values():
        options = with_possible_strategies(one, options)
    plan = make_plan(model, len(inputs), options)
    folder = files.make_output_dir(options.output)
    if told.order_by_latent:
        inputs = _ordered(model, inputs, loop=told.loop, keeps=plan.keeps)
    maker = MeterBridgeMaker({n: maker_of(one) for n, one in models.items()})
    inputs, sources, chosen = places.choose(
        inputs, sources, maker, plan, options, key_path=told.key_path
    )
    beats, facts = None, dict[str, Any]()
    if told.has_drum_bridge:
        beats = band.chain_drums({title: sources[title] for title in inputs}, plan, options)
        facts["drum_checkpoint"] = checkpoint_facts(beats.drummer.model)
    if len(models) > 1:
        facts["checkpoints"] = {n: checkpoint_facts(one) for n, one in models.items()}
    results = _write_inputs(inputs, sources, model, maker, beats, plan, folder, options)
    write_report(folder, report(model, plan, options, chosen | results | facts))


def _melody_pairs(model: MelodyModel, rows: Sequence[pairs.Row], options: Options) -> None:
    """The transitions of the pairs of a table."""
    told = options.transition
    options = with_possible_strategies(model, options)
    plan = make_plan(model, 0, options)
    folder = files.make_output_dir(options.output)
    drums, facts = None, {}
    if told.has_drum_bridge:
        drums = band.PairDrums(band.Drummer(band.load_drums(options), plan, options))
        facts = {"drum_checkpoint": checkpoint_facts(drums.drummer.model)}
    kind = pair_kinds.melodies(
        plan,
        key_path=told.key_path,
        programs=told.programs,
        accompaniment=None if told.melody_only else told.accompaniment,
        drums=drums,
    )
    results = _write_pairs(rows, kind, model, plan, folder, options)
    write_report(folder, report(model, plan, options, results | facts))


def _drums(
    config: ml_collections.ConfigDict | None, model: MelodyModel | None, options: Options
) -> None:
    assert model is not None  # it is named
    drum_transitions.check(options)
    told = options.transition
    options = with_possible_strategies(model, options)
    plan = make_plan(model, len(options.inputs), options)
    folder = files.make_output_dir(options.output)
    if told.pairs is not None:
        kind = pair_kinds.drums(plan, lambda made: DRUMS.finish(model, made, options))
        results = _write_pairs(pairs.read_table(told.pairs), kind, model, plan, folder, options)
        write_report(folder, report(model, plan, options, results))
        return
    inputs = input_music(options, DRUMS) or dict(DRUMS.examples(model.grid.steps_per_bar))
    if told.order_by_latent:
        inputs = _ordered(model, inputs, loop=told.loop, keeps=plan.keeps)
    maker = maker_of(model)
    inputs, _, chosen = places.choose(inputs, {}, maker, plan, options, key_path=None)
    results = chosen | drum_transitions.write_all(inputs, model, plan, folder, options)
    write_report(folder, report(model, plan, options, results))


# By the codec in which what a model knows is stored.
_INTERPOLATE: dict[StoredCodec, Callable[..., None]] = {
    CODECS["melody"].stored: _melodies,
    CODECS["drums"].stored: _drums,
}


def check(options: Options) -> None:
    """Raises: UserError: options exclude each other, or there are too few inputs."""
    told = options.transition
    places.check(options)
    band.check(options)
    if told.bridge_bars:
        _check_lengths(options)
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


def _check_lengths(options: Options) -> None:
    """Raises: UserError: `--bridge_bars` does not say how long each bridge is, or may not."""
    told = options.transition
    lengths = ",".join(map(str, told.bridge_bars))
    if told.pairs is not None:
        raise UserError(f"--bridge_bars={lengths}: cannot be used with --pairs")
    count = (len(options.inputs) or 2) - 1 + told.loop
    if len(told.bridge_bars) != count:
        bridges = "is one bridge" if count == 1 else f"are {count} bridges"
        raise UserError(f"--bridge_bars={lengths}: there {bridges}")


def _write_pairs(
    table: Sequence[pairs.Row],
    kind: pair_kinds.Kind,
    model: MelodyModel,
    plan: Plan,
    folder: pathlib.Path,
    options: Options,
) -> dict[str, Any]:
    """Writes all strategies' transitions of the pairs of a table; returns the report on them."""
    outcome = pairs.write_pairs(table, model, plan, folder, options, kind=kind, other=shipped_for)
    return outcome.report()


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
    check_limits(told.settings, model.codec)
    return Plan(
        bars=told.bridge_bars[0] if told.bridge_bars else options.bars or model.bars,
        is_spliced=told.splice or num_inputs > 2,
        curve=told.curve,
        control_curve=told.control_curve,
        settings=told.settings,
        adherence=told.adherence,
        meter_at=told.meter_at,
        keeps=told.keeps,
    )


def report(
    model: MelodyModel, plan: Plan, options: Options, results: Mapping[str, Any]
) -> dict[str, Any]:
    """The report of the mode, for JSON: the plan, and what was made."""
    told = options.transition
    lengths = {"bridge_bars": list(told.bridge_bars)} if told.bridge_bars else {}
    described = {
        "bars": plan.bars,
        **lengths,
        "spliced": plan.is_spliced,
        "curve": plan.curve,
        "control_curve": plan.control_curve,
        **dataclasses.asdict(plan.settings),
        "adherence": plan.adherence,
        "meter_at": plan.meter_at,
        "meter_keeps": plan.keeps,
        "candidates": options.num_or(1),
        "key_path": options.transition.key_path,
        "programs": options.transition.programs,
        "accompaniment": None if told.melody_only or not plan.is_spliced else told.accompaniment,
        "drums": "bridge" if told.has_drum_bridge else "accompaniment",
    }
    return base_report(
        "interpolate",
        model,
        seed=options.seed,
        temperature=options.transition_temperature,
        inputs=options.inputs,
        results={"plan": described, **results},
    )


def _ordered(
    model: MelodyModel, inputs: Mapping[str, Melody], *, loop: bool, keeps: str
) -> dict[str, Melody]:
    """The first input, and then the others so that neighbours' latents are near.

    They are the latents of the first one's model: what is in other bars is put into its meter.
    """
    first, *_ = inputs.values()
    per_bar = first.grid.steps_per_bar
    comparable = [
        melody if melody.grid.steps_per_bar == per_bar else rebar(melody, first.grid, keeps)
        for melody in inputs.values()
    ]
    latents = model.mean_latents(comparable)
    distances = np.linalg.norm(latents[:, None] - latents, axis=-1)
    titles = list(inputs)
    order = order_by_distance(distances, first=0, loop=loop)
    return {titles[index]: inputs[titles[index]] for index in order}


def _write_inputs(
    inputs: Mapping[str, Melody],
    sources: Mapping[str, Source],
    model: MelodyModel,
    maker: MeterBridgeMaker,
    beats: band.ChainDrums | None,
    plan: Plan,
    folder: pathlib.Path,
    options: Options,
) -> dict[str, Any]:
    """Writes all strategies' transitions between the inputs; returns the report on them."""
    if not plan.is_spliced:
        first, second = inputs.values()
        for number, melody in enumerate(bridge_ends(first, second, plan.bars, False), start=1):
            write_piece(folder, f"melody_{number}", melody, options)
    made = []
    for transition in make_transitions(
        inputs,
        model,
        maker,
        plan,
        options,
        sources=sources,
        drums=beats,
    ):
        write_piece(folder, transition.stem, transition.written, options, transition.provenance)
        save_png(folder / f"{transition.stem}.png", transition.figure())
        if beats is not None:
            name = f"{transition.stem}_drums"
            save_png(folder / f"{name}.png", beats.figure(transition.drums, name))
        made.append(transition)
    return report_transitions(list(inputs), made)
