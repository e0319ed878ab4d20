"""What each `--mode` does: reads files, calls the model, writes MIDI, pictures, reports."""

import jax
import ml_collections

from musicvae_jax import (
    atomic_io,
    checkpoints,
    doctor,
    evaluate,
    export,
    input_pipeline,
    interpolate,
    loop,
    render,
    train,
)
from musicvae_jax.errors import UserError
from musicvae_jax.mode_files import input_melodies, load_model, write_melody, write_report
from musicvae_jax.models.vae import create_model
from musicvae_jax.options import Options
from musicvae_jax.windows import first_window


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
    temperature = options.temperature_or(0.7)
    melodies = {
        f"generate_{number:02d}": melody
        for number, melody in enumerate(
            model.generate(options.num_or(4), options.seed, temperature)
        )
    }
    files = [write_melody(folder, stem, melody, options) for stem, melody in melodies.items()]
    shown = dict(list(melodies.items())[:16])  # more rolls than this are too small to see
    render.melodies_png(folder / "generate.png", shown)
    write_report(folder, "generate", model, options, temperature, {"outputs": files})


def reconstruct(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Encodes and decodes each input, or its first window."""
    inputs = input_melodies(options)
    model = load_model(config, options)
    folder = atomic_io.make_output_dir(options.output)
    temperature = options.temperature_or(0.0)
    windows = [first_window(melody, model.bars, title) for title, melody in inputs.items()]
    melodies, scores = model.reconstruct(windows, options.seed, temperature)
    outputs, shown = [], {}
    for number, (title, window) in enumerate(zip(inputs, windows, strict=True)):
        name = write_melody(folder, f"reconstruct_{number:02d}", melodies[number], options)
        write_melody(folder, f"original_{number:02d}", window, options)
        outputs.append({"input": title, "output": name, **scores[number]})
        accuracy = scores[number]["sampled_accuracy"]
        shown[title] = window
        shown[f"{name}: {accuracy:.0%} of tokens as in {title}"] = melodies[number]
    render.melodies_png(folder / "reconstruct.png", shown)
    write_report(folder, "reconstruct", model, options, temperature, {"outputs": outputs})


def complete(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Continues the input, `--num` times."""
    if len(options.inputs) > 1:
        raise UserError(f"--input: one MIDI file is needed, got {len(options.inputs)}")
    title, melody = next(iter(input_melodies(options).items()))
    model = load_model(config, options)
    folder = atomic_io.make_output_dir(options.output)
    temperature = options.temperature_or(0.7)
    continuations = model.complete(
        melody, options.bars, options.num_or(4), options.seed, temperature
    )
    outputs, shown = [], {title: melody}
    for number, (continued, score) in enumerate(continuations):
        name = write_melody(folder, f"complete_{number:02d}", continued, options)
        outputs.append({"output": name, "log_prob_per_token": round(score, 4)})
        shown[f"{name}: {score:.3f} nats a token"] = continued
    render.melodies_png(folder / "complete.png", dict(list(shown.items())[:16]))
    write_report(
        folder,
        "complete",
        model,
        options,
        temperature,
        {"given_bars": melody.num_bars, "outputs": outputs},
    )


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
}


def describe_devices() -> str:
    """The devices in words, for the log."""
    return f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"
