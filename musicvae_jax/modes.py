"""What each `--mode` does: reads files, calls the model, writes MIDI, pictures, reports."""

import logging
import pathlib
import wave
from collections.abc import Mapping
from typing import Any

import jax
import ml_collections
import numpy as np

from musicvae_jax import (
    __version__,
    atomic_io,
    checkpoints,
    doctor,
    evaluate,
    input_pipeline,
    loop,
    midi,
    render,
    train,
    transitions,
)
from musicvae_jax.errors import UserError
from musicvae_jax.examples import example_melodies
from musicvae_jax.inference import MelodyModel, abstract_params
from musicvae_jax.melody import Melody
from musicvae_jax.models.vae import create_model
from musicvae_jax.options import Options
from musicvae_jax.preprocessing import extract_melody
from musicvae_jax.windows import first_window

logger = logging.getLogger(__name__)


def _load(config: ml_collections.ConfigDict | None, options: Options) -> MelodyModel:
    directory = checkpoints.find(options.checkpoint, options.workdir)
    checkpoint = checkpoints.load(directory, abstract_params, config)
    logger.info("model of step %d from %s", checkpoint.step, checkpoint.path)
    return MelodyModel(checkpoint)


def _input_melodies(options: Options) -> dict[str, Melody]:
    """Titled melodies of the files given, or of the two examples that are shipped."""
    if not options.inputs:
        logger.info("no --input: using the examples %s", ", ".join(example_melodies()))
        return example_melodies()
    melodies: dict[str, Melody] = {}
    for name in options.inputs:
        title = name if name not in melodies else f"{name} ({len(melodies) + 1})"
        melodies[title] = extract_melody(midi.read_song(name), name)
    return melodies


def _write_wav(path: pathlib.Path, melody: Melody) -> None:
    samples = (midi.synthesize(melody) * 32767).astype("<i2")
    with atomic_io.replacing(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(midi.SAMPLE_RATE_HZ)
        file.writeframes(samples.tobytes())


def _write_melody(folder: pathlib.Path, stem: str, melody: Melody, options: Options) -> str:
    """Writes MIDI, and audio if asked for; returns the MIDI file's name."""
    path = folder / f"{stem}.mid"
    midi.write_melody(path, melody, name=stem)
    if options.wav:
        _write_wav(path.with_suffix(".wav"), melody)
    logger.info("wrote %s", path)
    return path.name


def _report(
    folder: pathlib.Path,
    mode: str,
    model: MelodyModel,
    options: Options,
    temperature: float,
    results: Mapping[str, Any],
) -> None:
    checkpoint = model.checkpoint
    atomic_io.write_json(
        folder / f"{mode}.json",
        {
            "mode": mode,
            "version": __version__,
            "seed": options.seed,
            "temperature": temperature,
            "inputs": list(options.inputs) or list(example_melodies()),
            "checkpoint": {
                "path": str(checkpoint.path),
                "step": checkpoint.step,
                "sha256": checkpoint.sha256(),
            },
            "config": checkpoint.config.to_dict(),
            **results,
        },
    )
    logger.info("wrote %s", folder / f"{mode}.json")


def train_model(config: ml_collections.ConfigDict, options: Options) -> None:
    """Trains; see `loop.train`."""
    loop.train(config, options.workdir, options.loop)


def evaluate_model(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Measures a checkpoint on the test split; the last line printed is JSON."""
    model = _load(config, options)
    config = config or model.checkpoint.config
    builder = input_pipeline.build_dataset(config)
    test = input_pipeline.load_split(builder, "test")
    if len(test) == 0:
        raise UserError("the test split has no windows: the data set has too few songs")
    params = train.replicate(model.checkpoint.params)
    metrics = evaluate.Evaluator(create_model(config.model), config)(params, test)
    nll = evaluate.baselines(config, input_pipeline.load_split(builder, "train"), test)
    metrics |= {f"{name}_nll_per_token": value for name, value in nll.items()}
    metrics["windows"] = len(test)
    folder = atomic_io.make_output_dir(options.output)
    atomic_io.write_json(folder / "metrics.json", metrics)
    print(f"test split of {builder.info.full_name}, {model.checkpoint.path}")
    for name, value in metrics.items():
        print(f"  {name:26s} {value:10.4f}")
    print(evaluate.as_json_line(metrics))


def generate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes new melodies."""
    model = _load(config, options)
    folder = atomic_io.make_output_dir(options.output)
    temperature = options.temperature_or(0.7)
    melodies = {
        f"generate_{number:02d}": melody
        for number, melody in enumerate(model.generate(options.num, options.seed, temperature))
    }
    files = [_write_melody(folder, stem, melody, options) for stem, melody in melodies.items()]
    shown = dict(list(melodies.items())[:16])  # more rolls than this are too small to see
    render.melodies_png(folder / "generate.png", shown)
    _report(folder, "generate", model, options, temperature, {"outputs": files})


def reconstruct(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Encodes and decodes each input, or its first window."""
    inputs = _input_melodies(options)
    model = _load(config, options)
    folder = atomic_io.make_output_dir(options.output)
    temperature = options.temperature_or(0.0)
    windows = [first_window(melody, model.bars, title) for title, melody in inputs.items()]
    melodies, scores = model.reconstruct(windows, options.seed, temperature)
    outputs, shown = [], {}
    for number, (title, window) in enumerate(zip(inputs, windows, strict=True)):
        name = _write_melody(folder, f"reconstruct_{number:02d}", melodies[number], options)
        _write_melody(folder, f"original_{number:02d}", window, options)
        outputs.append({"input": title, "output": name, **scores[number]})
        accuracy = scores[number]["sampled_accuracy"]
        shown[title] = window
        shown[f"{name}: {accuracy:.0%} of tokens as in {title}"] = melodies[number]
    render.melodies_png(folder / "reconstruct.png", shown)
    _report(folder, "reconstruct", model, options, temperature, {"outputs": outputs})


def interpolate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes the transition from the first input to the second, by each strategy."""
    if options.inputs and len(options.inputs) != 2:
        raise UserError(f"--input: two MIDI files are needed, got {len(options.inputs)}")
    inputs = _input_melodies(options)
    model = _load(config, options)
    folder = atomic_io.make_output_dir(options.output)
    temperature = options.temperature_or(0.0)
    windows = {title: first_window(m, model.bars, title) for title, m in inputs.items()}
    (title_1, melody_1), (title_2, melody_2) = windows.items()
    for number, melody in enumerate((melody_1, melody_2), start=1):
        _write_melody(folder, f"melody_{number}", melody, options)
    outputs = {}
    for strategy in options.strategies:
        [(melody, by_bar)] = model.interpolate(
            [melody_1], [melody_2], strategy, options.seed, temperature
        )
        name = _write_melody(folder, f"transition_{strategy}", melody, options)
        render.transition_png(
            folder / f"transition_{strategy}.png",
            (f"melody 1: {title_1}", melody_1),
            (f"melody 2: {title_2}", melody_2),
            (f"transition by {strategy}", melody),
            **by_bar,
        )
        rounded = {key: np.round(value, 4).tolist() for key, value in by_bar.items()}
        outputs[strategy] = {"output": name, **rounded}
    _report(folder, "interpolate", model, options, temperature, {"outputs": outputs})


def complete(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Continues the input, `--num` times."""
    if len(options.inputs) > 1:
        raise UserError(f"--input: one MIDI file is needed, got {len(options.inputs)}")
    title, melody = next(iter(_input_melodies(options).items()))
    model = _load(config, options)
    folder = atomic_io.make_output_dir(options.output)
    temperature = options.temperature_or(0.7)
    continuations = model.complete(melody, options.num, options.seed, temperature)
    outputs, shown = [], {title: melody}
    for number, (continued, score) in enumerate(continuations):
        name = _write_melody(folder, f"complete_{number:02d}", continued, options)
        outputs.append({"output": name, "log_prob_per_token": round(score, 4)})
        shown[f"{name}: {score:.3f} nats a token"] = continued
    render.melodies_png(folder / "complete.png", dict(list(shown.items())[:16]))
    _report(
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
    "generate": generate,
    "reconstruct": reconstruct,
    "interpolate": interpolate,
    "complete": complete,
    "build_data": doctor.build_data,
    "inspect": doctor.inspect,
}


def check_strategies(names: list[str]) -> tuple[str, ...]:
    """The strategies that `--strategy` names; `all` stands for every one.

    Raises:
      UserError: one is unknown.
    """
    valid = list(transitions.STRATEGIES)
    if names == ["all"]:
        return tuple(valid)
    for name in names:
        if name not in valid:
            raise UserError(f"--strategy={name}: unknown; valid are {', '.join(valid)}, all")
    return tuple(dict.fromkeys(names))


def describe_devices() -> str:
    """The devices in words, for the log."""
    return f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"
