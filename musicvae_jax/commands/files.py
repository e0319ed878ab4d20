"""What the modes read and write: checkpoints, melodies, MIDI, audio, reports."""

import dataclasses
import logging
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import ml_collections

from musicvae_jax import __version__
from musicvae_jax.checkpoints import config_check, load
from musicvae_jax.commands.instruments import MELODY, Instrument, instrument_of
from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.midi import audio, write
from musicvae_jax.midi.whole import arrangement
from musicvae_jax.midi.whole.arrangement import Source
from musicvae_jax.midi.whole.medley import Medley
from musicvae_jax.models.vae import abstract_params
from musicvae_jax.music.assembly import single
from musicvae_jax.music.drum_examples import example_drums
from musicvae_jax.music.drum_piece import DrumPiece
from musicvae_jax.music.drums import STEPS_PER_BAR, Drums
from musicvae_jax.music.melody import Melody
from musicvae_jax.music.piece import Piece
from musicvae_jax.notation import read
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)
T = TypeVar("T")


def load_model(
    config: ml_collections.ConfigDict | None,
    options: Options,
    inputs: Mapping[str, Melody] | None = None,
) -> MelodyModel:
    """The model of `--checkpoint`, else of `--workdir`, else the shipped one for the inputs.

    Args:
      config: of the command line, if there is one.
      options: the flags.
      inputs: the melodies that it is for.

    Raises:
      UserError: there is none, it is not of the configuration's model, or its bars have another
        number of steps than those of an input.
    """
    grids = {melody.grid.steps_per_bar: melody.grid for melody in (inputs or {}).values()}
    usual = load.OF_STEPS[next(iter(grids))] if len(grids) == 1 else load.PRETRAINED
    directory = load.find(options.checkpoint, options.workdir, usual=usual)
    checkpoint = load.load(directory, abstract_params, config)
    logger.info("model of step %d from %s", checkpoint.step, checkpoint.path)
    model = MelodyModel(checkpoint)
    if usual != load.PRETRAINED and directory == load.SHIPPED[usual] and not options.checkpoint:
        grid = next(iter(grids.values()))
        logger.info("the input is in %s: the model %r is taken, for such bars", grid.name, usual)
    _check_grids(model, inputs or {})
    return model


def models_for(
    config: ml_collections.ConfigDict | None,
    options: Options,
    inputs: Mapping[str, Melody],
    model: MelodyModel | None = None,
) -> dict[int, MelodyModel]:
    """A model for each number of steps a bar of the inputs, by it; that of the first one first.

    Args:
      config, options: as for `load_model`.
      inputs: melodies by title.
      model: from `named_model`, which is used for bars that it knows.

    Raises:
      UserError: as for `load_model`.
    """
    by_steps: dict[int, dict[str, Melody]] = {}
    for title, melody in inputs.items():
        by_steps.setdefault(melody.grid.steps_per_bar, {})[title] = melody
    if model is not None and model.grid.steps_per_bar not in by_steps:
        _check_grids(model, inputs)
    alone = dataclasses.replace(options, checkpoint="", workdir=pathlib.Path())
    models: dict[int, MelodyModel] = {}
    for steps, some in by_steps.items():
        if model is not None and model.grid.steps_per_bar == steps:
            models[steps] = model
        else:
            told = options if len(by_steps) == 1 else alone
            models[steps] = load_model(config if told is options else None, told, some)
    return models


def shipped_for(steps_per_bar: int) -> MelodyModel:
    """The shipped model of bars of so many steps.

    Raises:
      UserError: this installation does not have it.
    """
    name = load.OF_STEPS[steps_per_bar]
    directory = load.find(name, pathlib.Path())
    logger.info("bars of %d steps are for the model %r, from %s", steps_per_bar, name, directory)
    return MelodyModel(load.load(directory, abstract_params))


def named_model(config: ml_collections.ConfigDict | None, options: Options) -> MelodyModel | None:
    """The model of `--checkpoint` or `--workdir`, or None if it depends on the inputs.

    Raises:
      UserError: as for `load_model`.
    """
    if options.checkpoint or load.is_run(options.workdir):
        return load_model(config, options)
    return None


def checked(model: MelodyModel, inputs: Mapping[str, Any]) -> MelodyModel:
    """The model, which must know the bars of the inputs.

    Raises:
      UserError: the bars of an input have another number of steps.
    """
    _check_grids(model, inputs)
    return model


def _check_grids(model: MelodyModel, inputs: Mapping[str, Melody]) -> None:
    """Raises: UserError: the bars of an input have another number of steps than the model's."""
    steps = model.grid.steps_per_bar
    for title, melody in inputs.items():
        grid = melody.grid
        if grid.steps_per_bar != steps:
            raise UserError(
                f"{title} is in {grid.name}, {grid.steps_per_bar} steps a bar, and the model in "
                f"{model.checkpoint.path} knows bars of {steps}: give inputs of one kind, with "
                f"--checkpoint={load.OF_STEPS[grid.steps_per_bar]} or another model of theirs"
            )


def data_config(
    model: MelodyModel, config: ml_collections.ConfigDict | None, options: Options
) -> ml_collections.ConfigDict:
    """The configuration that is given, or the checkpoint's with the fields that are given.

    Raises:
      UserError: a value is not valid.
    """
    if config is not None:
        return config
    config = model.checkpoint.config.copy_and_resolve_references()
    config.update_from_flattened_dict(options.fields)
    config_check.check(config)
    return config


def model_and_inputs(
    config: ml_collections.ConfigDict | None,
    options: Options,
    model: MelodyModel | None = None,
) -> tuple[MelodyModel, dict[str, Any]]:
    """The model, and the music of `--input`, or without any two examples that it knows.

    Args:
      config, options: as for `load_model`.
      model: from `named_model`, if that was asked for already.

    Raises:
      UserError: as of `load_model` and `input_music`.
    """
    model = named_model(config, options) if model is None else model
    if options.inputs and model is None:
        inputs = input_music(options, MELODY)
        return load_model(config, options, inputs), inputs
    model = load_model(config, options) if model is None else model
    if options.inputs:
        inputs = input_music(options, instrument_of(model))
        return checked(model, inputs), inputs
    examples = dict(instrument_of(model).examples(model.grid.steps_per_bar))
    logger.info("no --input: using the examples %s", ", ".join(examples))
    return model, examples


def input_music(options: Options, instrument: Instrument) -> dict[str, Any]:
    """The music of `--input` by names.

    The name of an example means that example, unless there is a file of that name.
    """
    named = []
    for name, reading in zip(options.inputs, options.input_readings(), strict=True):
        example = _example(name, instrument)
        named.append((name, instrument.read(name, reading) if example is None else example))
    return titled(named)


def input_sources(options: Options) -> dict[str, Source]:
    """The files of `--input` whole, by their names, with their melodies.

    For a bridge of drums the examples are played with the examples of drums; two of them are
    taken if there is no input.
    """
    drums = drums_of_examples(options)
    names = options.inputs or tuple(drums)
    sources = []
    for name, reading in zip(names, options.readings_of(len(names)), strict=True):
        melody = _example(name)
        if melody is None:
            sources.append((name, read.read_whole(name, reading)))
        else:
            sources.append((name, arrangement.from_melody(melody, drums.get(name))))
    return titled(sources)


def drums_of_examples(options: Options) -> dict[str, Drums]:
    """The drums that are played with the examples of melodies, by their names.

    There are none without a bridge of drums.
    """
    if not options.transition.has_drum_bridge:
        return {}
    return dict(zip(MELODY.examples(STEPS_PER_BAR), example_drums().values(), strict=True))


def _example(name: str, instrument: Instrument = MELODY) -> Any:
    """The example that is meant by the name of an input, or None."""
    return None if pathlib.Path(name).exists() else instrument.example(name)


def titled(named: Iterable[tuple[str, T]]) -> dict[str, T]:
    """Melodies or files by their names; one whose name is taken already gets a number."""
    result: dict[str, T] = {}
    for name, value in named:
        result[name if name not in result else f"{name} ({len(result) + 1})"] = value
    return result


def write_piece(
    folder: pathlib.Path,
    stem: str,
    piece: Melody | Piece | Medley | Drums | DrumPiece,
    options: Options,
    provenance: str = "",
) -> str:
    """Writes MIDI, and audio and notation if asked for; returns the MIDI file's name."""
    path = folder / f"{stem}.mid"
    write.write(path, piece, name=stem, provenance=provenance)
    logger.info("wrote %s", path)
    if options.notation:
        write.write(path.with_suffix(".musicxml"), piece, name=stem)
        logger.info("wrote %s", path.with_suffix(".musicxml"))
    if options.audio:
        sound = path.with_suffix(".wav")
        heard = single(piece, origin=stem) if isinstance(piece, Melody) else piece
        rendering = audio.render(sound, heard, options.soundfont)
        logger.info("wrote %s, by %s", sound, rendering)
    return path.name


def checkpoint_facts(model: MelodyModel) -> dict[str, Any]:
    """Which checkpoint a model was loaded from, for JSON."""
    checkpoint = model.checkpoint
    return {
        "path": str(checkpoint.path),
        "step": checkpoint.step,
        "sha256": checkpoint.sha256(),
    }


def report(
    mode: str,
    model: MelodyModel,
    *,
    seed: int,
    temperature: float,
    inputs: Sequence[str],
    results: Mapping[str, Any],
) -> dict[str, Any]:
    """What was done, how, and with which model, for JSON."""
    return {
        "mode": mode,
        "version": __version__,
        "seed": seed,
        "temperature": temperature,
        "inputs": list(inputs) or list(instrument_of(model).examples(model.grid.steps_per_bar)),
        "checkpoint": checkpoint_facts(model),
        "config": model.checkpoint.config.to_dict(),
        **results,
    }


def write_report(folder: pathlib.Path, content: Mapping[str, Any]) -> None:
    """Writes what `report` gives as `MODE.json`."""
    path = folder / f"{content['mode']}.json"
    files.write_json(path, content)
    logger.info("wrote %s", path)
