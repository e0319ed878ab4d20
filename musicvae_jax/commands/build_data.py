"""`--mode=build_data`: builds the data set, and reports what went into it."""

import ml_collections

from musicvae_jax.commands.options import Options
from musicvae_jax.datasets import input_pipeline
from musicvae_jax.datasets.statistics import train_statistics
from musicvae_jax.plots import rolls
from musicvae_jax.plots.picture import save_png
from musicvae_jax.system import files
from musicvae_jax.system.errors import UserError


def build_data(config: ml_collections.ConfigDict, options: Options) -> None:
    """Builds the data set, and reports what was read, kept and dropped, and its statistics."""
    builder = input_pipeline.build_dataset(config, options.beam_options)
    report = dict(builder.info.metadata["report"])
    folder = files.make_output_dir(options.output)
    print(f"data set {builder.info.full_name} in {builder.data_dir}")
    print(f"melodies read {report['melodies_read']}, kept {report['melodies_kept']}, dropped:")
    for reason, entry in report["melodies_dropped"].items():
        print(f"  {entry['count']:6d}  {reason} (as {', '.join(entry['examples'])})")
    print("windows dropped:")
    for reason, count in report["windows_dropped"].items():
        print(f"  {count:6d}  {reason}")
    print("split        songs  melodies  windows")
    for split, counts in sorted(report["splits"].items()):
        columns = (counts["songs"], counts["melodies"], counts["windows"])
        print("{:10s} {:7d} {:9d} {:8d}".format(split, *columns))
    statistics = train_statistics(builder)
    report["train_histograms"] = {name: h.tolist() for name, h in statistics.items()}
    files.write_json(folder / "report.json", report)
    figure = rolls.statistics_figure(statistics, f"{builder.info.full_name}, train")
    save_png(folder / "report.png", figure)
    print(f"wrote {folder / 'report.json'} and {folder / 'report.png'}")
    batch, windows = config.train.batch_size, report["splits"]["train"]["windows"]
    if windows < batch:
        raise UserError(
            f"the training split has {windows} windows, too few for one batch of {batch}: at "
            f"least {batch} are needed, or a smaller --config.train.batch_size"
        )
