"""The data of a run: this process' share of the batches, and what is validated on."""

import dataclasses
import logging
from typing import Any

import jax
import ml_collections

from musicvae_jax.datasets import input_pipeline
from musicvae_jax.system import processes

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RunData:
    """What a run reads.

    Attributes:
      batches: this process' share of each batch.
      validation: what is validated on.
      facts: what identifies the data set, for the manifest.
    """

    batches: input_pipeline.TrainBatches
    validation: input_pipeline.Split
    facts: dict[str, Any]


def load(config: ml_collections.ConfigDict) -> RunData:
    """This process' share of the batches, and what is validated on.

    Raises:
      UserError: the data set cannot be used, or machines have built different ones.
    """
    builder = input_pipeline.build_dataset(config)
    split = input_pipeline.load_split(builder, "train")
    batches = input_pipeline.TrainBatches(split, config, jax.process_index(), jax.process_count())
    validation = input_pipeline.load_split(builder, "validation")
    if len(validation) == 0:
        logger.warning("no song fell into the validation split: validating on training data")
        validation = split
    facts = {
        "name": builder.info.full_name,
        "train_windows": len(split),
        "train_sha256": split.sha256(),
        "validation_sha256": validation.sha256(),
    }
    processes.check_same("the data set", repr(facts).encode())
    subset = input_pipeline.eval_subset(validation, config.train.eval_examples)
    return RunData(batches, subset, facts)
