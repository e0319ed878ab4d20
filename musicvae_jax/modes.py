"""What each `--mode` does: reads files, calls the model, writes MIDI, pictures, reports."""

import pathlib

import jax
import ml_collections

from musicvae_jax import (
    atomic_io,
    checkpoints,
    compose,
    doctor,
    evaluate,
    export,
    input_pipeline,
    interpolate,
    loop,
    render,
    train,
)
from musicvae_jax.compose import Composition
from musicvae_jax.errors import UserError
from musicvae_jax.inference import MelodyModel
from musicvae_jax.mode_files import input_melodies, load_model, write_melody, write_report
from musicvae_jax.models.vae import create_model
from musicvae_jax.options import Options


def train_model(config: ml_collections.ConfigDict, options: Options) -> None:
    """Trains; see `loop.train`."""
    loop.train(config, options.workdir, options.loop)


def test_metrics(
    checkpoint: checkpoints.Checkpoint, config: ml_collections.ConfigDict
) -> dict[str, float]:
    """Metrics of a checkpoint on the test split of a configuration's data set.

    Raises:
      UserError: the test split is empty.
    """
    builder = input_pipeline.build_dataset(config)
    test = input_pipeline.load_split(builder, "test")
    if len(test) == 0:
        raise UserError("the test split has no windows: the data set has too few songs")
    params = train.replicate(checkpoint.params)
    metrics = evaluate.Evaluator(create_model(config.model), config)(params, test)
    nll = evaluate.baselines(config, input_pipeline.load_split(builder, "train"), test)
    metrics |= {f"{name}_nll_per_token": value for name, value in nll.items()}
    return metrics | {"windows": len(test)}


def export_model(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes a checkpoint to share: parameters, configuration, metrics, prior, hashes."""
    model = load_model(config, options)
    config = model.checkpoint.config
    export.export(model, options.output, test_metrics(model.checkpoint, config))


def evaluate_model(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Measures a checkpoint on the test split; the last line printed is JSON."""
    model = load_model(config, options)
    config = config or model.checkpoint.config
    metrics = test_metrics(model.checkpoint, config)
    folder = atomic_io.make_output_dir(options.output)
    atomic_io.write_json(folder / "metrics.json", metrics)
    print(f"test split, {model.checkpoint.path}")
    for name, value in metrics.items():
        print(f"  {name:26s} {value:10.4f}")
    print(evaluate.as_json_line(metrics))


def generate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes new melodies."""
    model = load_model(config, options)
    folder = atomic_io.make_output_dir(options.output)
    _write(folder, "generate", compose.generate(model, options), model, options)


def reconstruct(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Encodes and decodes each input, or its first window."""
    inputs = input_melodies(options)
    model = load_model(config, options)
    folder = atomic_io.make_output_dir(options.output)
    _write(folder, "reconstruct", compose.reconstruct(model, inputs, options), model, options)


def complete(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Continues the input, `--num` times."""
    if len(options.inputs) > 1:
        raise UserError(f"--input: one MIDI file is needed, got {len(options.inputs)}")
    inputs = input_melodies(options)
    model = load_model(config, options)
    folder = atomic_io.make_output_dir(options.output)
    _write(folder, "complete", compose.complete(model, inputs, options), model, options)


def _write(
    folder: pathlib.Path, mode: str, made: Composition, model: MelodyModel, options: Options
) -> None:
    for stem, melody in made.melodies.items():
        write_melody(folder, stem, melody, options)
    render.melodies_png(folder / f"{mode}.png", made.shown)
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
    "build_data": doctor.build_data,
    "inspect": doctor.inspect,
    "studio": studio,
}


def describe_devices() -> str:
    """The devices in words, for the log."""
    return f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"
