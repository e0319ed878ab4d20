"""What each `--mode` does: reads files, calls the model, writes MIDI, pictures, reports."""

import pathlib

import jax
import ml_collections

from musicvae_jax.commands import build_data, compose, export, inspect, interpolate
from musicvae_jax.commands.compose import Composition
from musicvae_jax.commands.files import (
    checkpoint_facts,
    input_melodies,
    load_model,
    write_melody,
    write_report,
)
from musicvae_jax.commands.options import Options
from musicvae_jax.evaluation import accuracy, measure, table
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.plots import evaluation, rolls
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError
from musicvae_jax.training import loop


def train_model(config: ml_collections.ConfigDict, options: Options) -> None:
    """Trains; see `loop.train`."""
    loop.train(config, options.workdir, options.loop)


def export_model(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes a checkpoint to share: parameters, configuration, metrics, prior, hashes."""
    model = load_model(config, options)
    export.export(model, measure.load_data(model.checkpoint.config), options)


def evaluate_model(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Measures a checkpoint on the test split; the last line printed is JSON."""
    model = load_model(config, options)
    data = measure.load_data(config or model.checkpoint.config)
    folder = files.make_output_dir(options.output)
    measured = measure.measure(model, data, **options.sampling())
    of_model = checkpoint_facts(model)
    written = {**measured.headline, "data": data.facts(), "checkpoint": of_model}
    files.write_json(folder / "metrics.json", written | measured.details)
    accuracy.write(folder / "reconstruction.npz", measured.reconstruction)
    title = f"test split of {data.name}, model of step {of_model['step']}"
    save_png(folder / "evaluation.png", evaluation.evaluation_figure(measured, title))
    print(f"{title}, {of_model['path']}")
    print("\n".join(table.lines(measured)))
    print(table.as_json_line(measured.headline))


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


def studio(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Serves the studio until it is interrupted."""
    try:
        from musicvae_jax.studio import server
    except ModuleNotFoundError as error:
        raise UserError(f"--mode=studio needs {error.name}: pip install -e '.[studio]'") from error
    server.serve(load_model(config, options), options)


MODES = {
    "train": train_model,
    "evaluate": evaluate_model,
    "export": export_model,
    "generate": generate,
    "reconstruct": reconstruct,
    "interpolate": interpolate.interpolate,
    "complete": complete,
    "build_data": build_data.build_data,
    "inspect": inspect.inspect,
    "studio": studio,
}


def describe_devices() -> str:
    """The devices in words, for the log."""
    return f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"
