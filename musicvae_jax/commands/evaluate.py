"""`--mode=evaluate`: measures a checkpoint on its test split, or on other music."""

import dataclasses
from collections.abc import Callable

import ml_collections

from musicvae_jax.commands.files import checkpoint_facts, data_config, load_model
from musicvae_jax.commands.options import Options
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.evaluation import accuracy, drum_measure, measure, styles, table
from musicvae_jax.inference.melody_model import MelodyModel
from musicvae_jax.music.tokens import CODECS, StoredCodec
from musicvae_jax.plots import evaluation
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files


def evaluate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes figures and prints a table; the last line printed is JSON.

    Music from a source that the model was not trained on is measured as a whole, and the
    answer is how well the model knows it; otherwise everything is measured on the test split.
    """
    model = load_model(config, options)
    config = data_config(model, config, options)
    _EVALUATE[model.codec.stored](model, config, options)


def _melodies(model: MelodyModel, config: ml_collections.ConfigDict, options: Options) -> None:
    sources, known = (
        {name for name, _ in input_pipeline.weighted_sources(of)}
        for of in (config, model.checkpoint.config)
    )
    if sources <= known:
        _evaluate_on_test_split(model, config, options)
    else:
        _evaluate_on_other_music(model, config, options)


def _evaluate_on_test_split(
    model: MelodyModel, config: ml_collections.ConfigDict, options: Options
) -> None:
    data = measure.load_data(config)
    folder = files.make_output_dir(options.output)
    measured = measure.measure(model, data, **options.sampling(model.temperature))
    of_model = checkpoint_facts(model)
    by_source = {name: dataclasses.asdict(style) for name, style in measured.styles.items()}
    written = {**measured.headline, "data": data.facts(), "checkpoint": of_model}
    written |= {"sources": by_source, **measured.details}
    files.write_json(folder / "metrics.json", written)
    accuracy.write(folder / "reconstruction.npz", measured.reconstruction)
    title = f"test split of {data.name}, model of step {of_model['step']}"
    save_png(folder / "evaluation.png", evaluation.evaluation_figure(measured, title))
    print(f"{title}, {of_model['path']}")
    print("\n".join(table.lines(measured)))
    print(table.as_json_line(measured.headline))


def _drums(model: MelodyModel, config: ml_collections.ConfigDict, options: Options) -> None:
    data = measure.load_data(config)
    folder = files.make_output_dir(options.output)
    measured = drum_measure.measure(model, data, **options.sampling(model.temperature))
    of_model = checkpoint_facts(model)
    written = {**measured.headline, "data": data.facts(), "checkpoint": of_model}
    files.write_json(folder / "metrics.json", written)
    accuracy.write(folder / "reconstruction.npz", measured.reconstruction)
    print(f"test split of {data.name}, model of step {of_model['step']}, {of_model['path']}")
    print("\n".join(drum_measure.lines(measured.headline)))
    print(table.as_json_line(measured.headline))


def _evaluate_on_other_music(
    model: MelodyModel, config: ml_collections.ConfigDict, options: Options
) -> None:
    builder = input_pipeline.build_dataset(config)
    folder = files.make_output_dir(options.output)
    found, decoded = measure.measure_styles(model, builder, options.seed)
    of_model = checkpoint_facts(model)
    by_source = {name: dataclasses.asdict(style) for name, style in found.items()}
    written = {"sources": by_source, "data": builder.info.full_name, "checkpoint": of_model}
    files.write_json(folder / "metrics.json", written)
    accuracy.write(folder / "reconstruction.npz", decoded)
    print(
        f"music that the model of step {of_model['step']}, {of_model['path']}, was not trained on"
    )
    print("right tokens, and true notes that come back, decoded freely [95 % interval over songs]")
    print("\n".join(styles.lines(found)))
    path = config.dataset.path
    if path and any(style.onsets < styles.GOOD_ONSETS for style in found.values()):
        print(f"to fine-tune: musicvae --config=finetune --config.dataset.path={path}")
    print(table.as_json_line({name: style.onsets for name, style in found.items()}))


# By the codec in which what a model knows is stored.
_EVALUATE: dict[StoredCodec, Callable[[MelodyModel, ml_collections.ConfigDict, Options], None]] = {
    CODECS["melody"].stored: _melodies,
    CODECS["drums"].stored: _drums,
}
