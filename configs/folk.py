"""The shipped model: the hierarchical one with a latent for each bar, on the folk tunes.

Run: python -m musicvae_jax.main --config=configs/folk.py

and then, as the shipped one was, twice more with a lower rate (benchmarks/experiments.md):

  python -m musicvae_jax.main --config=configs/folk.py --config.train.learning_rate_decay=1.0 \
    --config.train.num_steps=2800 --config.train.learning_rate=3e-4
  python -m musicvae_jax.main --config=configs/folk.py --config.train.learning_rate_decay=1.0 \
    --config.train.num_steps=2950 --config.train.learning_rate=6e-5
"""

import ml_collections

from configs import default


def get_config() -> ml_collections.ConfigDict:
    config = default.get_config()
    model, train = config.model, config.train
    model.latent = "per_bar"
    model.encoder_reads = "bars"
    model.z = 24
    model.encoder_features = 256
    model.conductor_features = 256
    model.decoder_features = 256
    # Half of the previous notes are hidden, so that the latent must tell them; without
    # that the model leans on them, and its own mistakes lead it astray.
    model.decoder_word_dropout = 0.5
    train.batch_size = 64
    train.num_steps = 2_500
    train.learning_rate = 2e-3
    train.learning_rate_decay = 0.9995
    train.free_bits = 256.0
    train.eval_every = 500
    train.eval_examples = 512
    return config
