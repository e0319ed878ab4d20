"""`--mode=generate`, `reconstruct` and `complete`: melodies that a model makes, as files."""

import pathlib

import ml_collections

from musicvae_jax.commands import compose
from musicvae_jax.commands.compose import Composition
from musicvae_jax.commands.files import input_melodies, load_model, write_melody, write_report
from musicvae_jax.commands.options import Options
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.plots import rolls
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError


def generate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes new melodies."""
    model = load_model(config, options)
    folder = files.make_output_dir(options.output)
    _write(folder, "generate", compose.generate(model, options), model, options)


def reconstruct(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Encodes and decodes each input, or its first window."""
    inputs = input_melodies(options)
    model = load_model(config, options)
    folder = files.make_output_dir(options.output)
    _write(folder, "reconstruct", compose.reconstruct(model, inputs, options), model, options)


def complete(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Continues the input, `--num` times."""
    if len(options.inputs) > 1:
        raise UserError(f"--input: one MIDI file is needed, got {len(options.inputs)}")
    inputs = input_melodies(options)
    model = load_model(config, options)
    folder = files.make_output_dir(options.output)
    _write(folder, "complete", compose.complete(model, inputs, options), model, options)


def _write(
    folder: pathlib.Path, mode: str, made: Composition, model: MelodyModel, options: Options
) -> None:
    for stem, melody in made.melodies.items():
        write_melody(folder, stem, melody, options)
    save_png(folder / f"{mode}.png", rolls.melodies_figure(made.shown))
    write_report(folder, mode, model, options, made.temperature, made.results)
