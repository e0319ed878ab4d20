"""The model of the notebook of 2021, layer for layer, with its defects mended.

It printed LSTM(61, 256, bidirectional), Linear(512, 128), Linear(64, 32),
LSTM(32, 32), LSTM(61 + 32, 32) and Linear(32, 61). One epoch of its 699 training
segments was 11 batches of 64.

Run: musicvae --config=seed
"""

import ml_collections

from musicvae_jax.configs import default

_STEPS_PER_EPOCH = 11


def get_config() -> ml_collections.ConfigDict:
    config = default.get_config()
    config.dataset.transpose_semitones = 0
    model, train = config.model, config.train
    model.codec = "roll"
    model.latent = "per_bar"
    model.z = 64
    model.encoder_features = 256
    model.conductor_input = 32
    model.conductor_features = 32
    model.decoder_features = 32
    model.learned_state = False
    model.dropout = 0.2
    model.encoder_word_dropout = 0.2
    train.batch_size = 64
    train.num_steps = 100 * _STEPS_PER_EPOCH
    train.learning_rate_decay = 1.0
    train.beta = 1.0
    train.beta_start_step = 10 * _STEPS_PER_EPOCH
    train.beta_end_step = 100 * _STEPS_PER_EPOCH
    train.free_bits = 0.0
    train.eval_every = 100
    return config
