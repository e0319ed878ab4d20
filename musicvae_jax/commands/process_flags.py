"""Flags of a run of several processes, on one machine or many."""

import os
from typing import TYPE_CHECKING

from absl import flags

from musicvae_jax.commands import help

if TYPE_CHECKING:
    from musicvae_jax.system.processes import Cluster

_COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "HOST:PORT of the first process. Default: $JAX_COORDINATOR_ADDRESS. TPU VMs, SLURM's srun and "
    "Open MPI need none.",
)
_NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "How many processes. Default: $JAX_NUM_PROCESSES.", lower_bound=1
)
_PROCESS_ID = flags.DEFINE_integer(
    "process_id",
    None,
    "The number of this one, from 0. Default: $JAX_PROCESS_ID, or $JOB_COMPLETION_INDEX of "
    "Kubernetes.",
    lower_bound=0,
)
_HEARTBEAT_TIMEOUT = flags.DEFINE_integer(
    "heartbeat_timeout_sec",
    60,
    "A process that is silent for that many seconds counts as dead, and the others end.",
    lower_bound=5,
)
_PREEMPTION_EXIT_CODE = flags.DEFINE_integer(
    "preemption_exit_code",
    0,
    "The exit code after a SIGTERM, when the state has been saved. Schedulers that restart only "
    "what failed need another than 0.",
    lower_bound=0,
    upper_bound=255,
)
help.describe(
    "Several processes", (), _COORDINATOR, _NUM_PROCESSES, _PROCESS_ID, _HEARTBEAT_TIMEOUT
)
help.describe("Training", ("train",), _PREEMPTION_EXIT_CODE)


def join(is_training: bool) -> "Cluster | None":
    """Joins the other processes; returns None if this one is alone.

    Raises:
      UserError: the flags or variables contradict each other.
    """
    from musicvae_jax.system import processes

    cluster = processes.find_cluster(
        os.environ,
        _COORDINATOR.value,
        _NUM_PROCESSES.value,
        _PROCESS_ID.value,
        processes.has_tpu(os.environ),
    )
    processes.start(cluster, _HEARTBEAT_TIMEOUT.value, is_training)
    return cluster


def preemption_exit_code() -> int:
    """The exit code of a training run that was told to stop and has saved its state."""
    return _PREEMPTION_EXIT_CODE.value
