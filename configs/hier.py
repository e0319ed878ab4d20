"""The hierarchical model: one latent for the melody, of which each bar has a share.

Run: musicvae --config=hier

The shipped model began with 4,500 such steps, the last 300 at a rate of 6e-5, and went on with
`hier_mixture` (benchmarks/experiments.md).
"""

import ml_collections

from musicvae_jax.configs import default


def get_config() -> ml_collections.ConfigDict:
    config = default.get_config()
    model, train = config.model, config.train
    model.z = 512
    model.encoder_features = 256
    model.conductor_features = 256
    model.decoder_features = 256
    # The encoder reads each bar at its edges, and the conductor gives each bar its share
    # of the latent: what belongs to a bar need not pass through a state that all bars share.
    model.encoder_reads = "bars"
    model.conductor_reads = "bars"
    # Half of the previous notes are hidden, so that the latent must contain them. Otherwise
    # the model depends on the previous notes, and its own mistakes lead it astray.
    model.decoder_word_dropout = 0.5
    train.batch_size = 64
    train.num_steps = 7_000
    train.learning_rate = 2e-3
    train.learning_rate_decay = 0.9995
    train.free_bits = 256.0
    train.eval_every = 500
    train.eval_examples = 512
    return config
