"""`--mode=export`: writes a checkpoint to share."""

import ml_collections

from musicvae_jax.commands.files import data_config, load_model
from musicvae_jax.commands.options import Options
from musicvae_jax.evaluation import export as evaluation_export
from musicvae_jax.evaluation import measure


def export(config: ml_collections.ConfigDict | None, options: Options) -> None:
    """Writes parameters, configuration, figures, prior, attribute vectors and hashes."""
    model = load_model(config, options)
    data = measure.load_data(data_config(model, None, options))
    evaluation_export.export(model, data, options.output, **options.sampling(model.temperature))
