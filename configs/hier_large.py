"""The hierarchical model four times as wide, for an hour of an accelerator and a million windows.

Run: musicvae --config=hier_large --config.dataset.path=~/lmd_full

It has not been trained: benchmarks/README.md estimates its memory and the steps of an hour. `hier`
spends most of a step on an accelerator on starting small kernels, as many as here, so that sixteen
times the matrix products are estimated to take three times as long.
"""

import ml_collections

from musicvae_jax.configs import hier


def get_config() -> ml_collections.ConfigDict:
    config = hier.get_config()
    model, train = config.model, config.train
    model.encoder_features = 1024
    model.conductor_features = 1024
    model.decoder_features = 1024
    # The batch and the rates of Roberts et al. 2018.
    train.batch_size = 512
    train.learning_rate = 1e-3
    train.learning_rate_decay = 0.9999
    train.learning_rate_warmup = 500
    # Twelve epochs of 1.4 million windows.
    train.num_steps = 32_800
    train.max_minutes = 60.0
    train.eval_every = 2_000
    train.eval_examples = 4_096
    return config
