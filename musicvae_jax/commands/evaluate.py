"""`--mode=evaluate`: measures a checkpoint on the test split."""

import ml_collections

from musicvae_jax.commands.files import checkpoint_facts, load_model
from musicvae_jax.commands.options import Options
from musicvae_jax.evaluation import accuracy, measure, table
from musicvae_jax.plots import evaluation
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files


def evaluate(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes figures and a picture, and prints a table; the last line printed is JSON."""
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
