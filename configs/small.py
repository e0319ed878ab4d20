"""A model that two CPU cores train in minutes: one small latent for each bar.

Run: musicvae --config=small
"""

import ml_collections

from musicvae_jax.configs import default


def get_config() -> ml_collections.ConfigDict:
    config = default.get_config()
    model, train = config.model, config.train
    model.latent = "per_bar"
    model.z = 16
    model.encoder_reads = "bars"
    model.decoder_word_dropout = 0.5
    model.encoder_features = 128
    model.conductor_features = 128
    model.decoder_features = 192
    train.batch_size = 32
    train.num_steps = 4_000
    train.max_minutes = 8.0
    train.learning_rate = 3e-3
    train.learning_rate_decay = 0.9995
    train.free_bits = 256.0
    train.log_every = 100
    train.eval_every = 1_000
    train.eval_examples = 512
    return config


def sweep() -> list[dict[str, float]]:
    """Overrides for `launch/sweep.py`: the bits that the latent may hold, and the learning rate."""
    return [
        {"train.free_bits": free_bits, "train.learning_rate": learning_rate}
        for free_bits in (64.0, 256.0)
        for learning_rate in (1e-3, 3e-3)
    ]
