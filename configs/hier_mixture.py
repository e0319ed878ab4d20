"""The model of `hier`, trained on folk tunes, songs and hymns, with augmentation.

Run: musicvae --config=hier_mixture --config.dataset.folder=FOLDER

FOLDER holds the published collections; when one of them is missing, the command that gets it
is printed. It is made for a GPU: one H100 takes 5 minutes. The shipped model began with the
parameters of `hier` (`config.train.init_from`), see benchmarks/experiments.md.
"""

import ml_collections

from musicvae_jax.configs import hier


def get_config() -> ml_collections.ConfigDict:
    config = hier.get_config()
    dataset, train = config.dataset, config.train
    # Songs count more than dances: they are fewer, and closer to what people bring.
    dataset.sources = (
        ("folk", 1.0),
        ("ceol_rince", 0.5),
        ("lieder", 1.0),
        ("open_hymnal", 2.0),
        ("openewld", 3.0),
    )
    dataset.augment = (
        ("borrow_pitches", 1.0),
        ("half_speed", 1.0),
        ("double_speed", 1.0),
        ("shift", 1.0),
        ("scatter", 1.0),
        ("drop", 1.0),
        ("shorten", 1.0),
        ("nudge", 1.0),
        ("move_pitches", 1.0),
        ("octave", 1.0),
        ("transpose", 1.0),
    )
    dataset.augment_share = 0.7
    train.batch_size = 512
    train.num_steps = 7_900
    train.learning_rate = 1.5e-3
    train.learning_rate_decay = 0.999454
    train.final_learning_rate = 2e-5
    train.learning_rate_warmup = 300
    train.eval_every = 1_000
    train.eval_examples = 1_000
    # Two minutes of an H100 after the model's five.
    prior = config.prior
    prior.dropout = 0.15
    prior.dtype = "bfloat16"
    prior.transpositions = 11
    prior.batch_size = 512
    prior.num_steps = 24_000
    prior.learning_rate_warmup = 1_000
    prior.average = 0.9995
    prior.steps_per_call = 100
    prior.log_every = 1_000
    prior.eval_every = 2_400
    return config
