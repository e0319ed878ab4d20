"""`--mode=generate`, `reconstruct`, `complete`, `vary`: what a model makes, as files."""

import pathlib
from typing import Any

import ml_collections

from musicvae_jax.commands import compose
from musicvae_jax.commands.compose import Composition
from musicvae_jax.commands.files import load_model, model_and_inputs, write_piece, write_report
from musicvae_jax.commands.files import report as base_report
from musicvae_jax.commands.instruments import instrument_of
from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError


def generate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes new melodies."""
    model = load_model(config, options)
    folder = files.make_output_dir(options.output)
    made = compose.generate(model, **keywords("generate", options))
    _write(folder, "generate", made, model, options)


def reconstruct(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Encodes and decodes each input, or its first window."""
    model, inputs = model_and_inputs(config, options)
    folder = files.make_output_dir(options.output)
    made = compose.reconstruct(model, inputs, **keywords("reconstruct", options))
    _write(folder, "reconstruct", made, model, options)


def complete(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Continues the input, `--num` times."""
    model, title, melody = _only_input(config, options)
    folder = files.make_output_dir(options.output)
    made = compose.complete(model, title, melody, **keywords("complete", options))
    _write(folder, "complete", made, model, options)


def vary(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes the bars of the input that are not in `--keep_bars` anew, `--num` times."""
    model, title, melody = _only_input(config, options)
    folder = files.make_output_dir(options.output)
    made = compose.vary(model, title, melody, options.kept_bars, **keywords("vary", options))
    _write(folder, "vary", made, model, options)


def _only_input(
    config: ml_collections.ConfigDict | None, options: Options
) -> tuple[MelodyModel, str, Any]:
    if len(options.inputs) > 1:
        raise UserError(f"--input: one music file is needed, got {len(options.inputs)}")
    model, inputs = model_and_inputs(config, options)
    return model, *next(iter(inputs.items()))


def keywords(mode: str, options: Options) -> dict[str, Any]:
    """The keywords that a mode's function in `compose` takes."""
    told: dict[str, Any] = {"seed": options.seed}
    if options.temperature is not None:
        told["temperature"] = options.temperature
    if options.num is not None and mode != "reconstruct":
        told["num"] = options.num
    if mode == "complete":
        return told | {"bars": options.bars}
    if mode == "vary":
        return told
    if mode == "generate":
        told["bars"] = options.bars
    return told | {"attributes": options.attributes}


def report(mode: str, made: Composition, model: MelodyModel, options: Options) -> dict[str, Any]:
    """The report of a mode, for JSON."""
    return base_report(
        mode,
        model,
        seed=options.seed,
        temperature=made.temperature,
        inputs=options.inputs,
        results=made.report(),
    )


def _write(
    folder: pathlib.Path, mode: str, made: Composition, model: MelodyModel, options: Options
) -> None:
    instrument = instrument_of(model)
    for stem, melody in made.melodies.items():
        write_piece(folder, stem, instrument.finish(model, melody, options), options)
    save_png(folder / f"{mode}.png", instrument.figure(made.shown))
    write_report(folder, report(mode, made, model, options))
