"""The shipped model, trained further on your own music.

Run: musicvae --config=finetune --config.dataset.path=my_folder
"""

import ml_collections

from musicvae_jax.configs import hier


def get_config() -> ml_collections.ConfigDict:
    config = hier.get_config()
    train = config.train
    train.init_from = "pretrained"
    train.num_steps = 200
    train.learning_rate = 5e-4
    train.learning_rate_decay = 0.99
    train.final_learning_rate = 5e-5
    train.eval_every = 100
    return config
