"""The processes of one run: how they find each other, agree, and end.

A run of several processes is one program that each of them executes in the same
order; JAX's collectives fail or hang where they part. Whatever only one process can
know (its clock, its disk) is agreed on here before anyone acts on it.
"""

import dataclasses
import glob
import hashlib
import importlib.util
import logging
import os
import pathlib
import secrets
import sys
from collections.abc import Mapping

import jax
import numpy as np
from jax.experimental import multihost_utils

from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)

INITIALIZATION_TIMEOUT_SEC = 300
# Words in the messages of XLA, gloo, NCCL and the coordination service when another
# process is no longer there.
_PEER_LOST = (
    "gloo",
    "nccl",
    "unavailable",
    "deadline_exceeded",
    "heartbeat",
    "coordination service",
    "barrier",
    "connection closed by peer",
    "connection reset by peer",
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """How the processes of a run find each other.

    Attributes:
      kind: 'plain', 'slurm', 'ompi' or 'tpu'. Except for 'plain', JAX reads the other
        values from the environment or the metadata server.
      coordinator: HOST:PORT on which process 0 listens.
      num_processes: how many there are.
      process_id: which one this is, from 0.
    """

    kind: str
    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise UserError(f"{name}={text!r}: a whole number, 0 or more, is needed")
    return int(text)


def _first(environ: Mapping[str, str], *names: str) -> tuple[str, str] | None:
    return next(((environ[name], name) for name in names if environ.get(name)), None)


def _plain(
    environ: Mapping[str, str],
    coordinator: str | None,
    num_processes: int | None,
    process_id: int | None,
) -> Cluster | None:
    """The cluster that arguments, or the variables that stand in for them, describe."""
    coordinator = coordinator or environ.get("JAX_COORDINATOR_ADDRESS")
    if not coordinator and num_processes is None and process_id is None:
        return None
    if num_processes is None:
        found = _first(environ, "JAX_NUM_PROCESSES", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS")
        num_processes = _number(*found) if found else None
    if process_id is None:
        found = _first(
            environ,
            "JAX_PROCESS_ID",
            "JOB_COMPLETION_INDEX",  # set by Kubernetes in the pods of an indexed Job
            "OMPI_COMM_WORLD_RANK",
            "SLURM_PROCID",
        )
        process_id = _number(*found) if found else None
    if num_processes == 1:
        return None
    named = {
        "coordinator": coordinator,
        "num_processes": num_processes,
        "process_id": process_id,
    }
    missing = [name for name, value in named.items() if value in (None, "")]
    if missing:
        raise UserError(
            f"{' and '.join(missing)} missing: a run of several processes needs the address "
            "HOST:PORT of the first, how many there are, and which one this is, or the variables "
            "JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID",
            *missing,
        )
    assert coordinator and num_processes is not None and process_id is not None
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise UserError(f"coordinator={coordinator}: HOST:PORT is needed", "coordinator")
    if not 0 <= process_id < num_processes:
        raise UserError(
            f"process_id={process_id}: must be at least 0 and below num_processes={num_processes}",
            "process_id",
            "num_processes",
        )
    return Cluster("plain", coordinator, num_processes, process_id)


def has_tpu(environ: Mapping[str, str]) -> bool:
    """Whether this is a TPU VM, and its TPU is to be used."""
    platforms = environ.get("JAX_PLATFORMS", "tpu")
    chips = glob.glob("/dev/accel[0-9]*") or glob.glob("/dev/vfio/[0-9]*")
    return "tpu" in platforms and bool(chips) and importlib.util.find_spec("libtpu") is not None


def find_cluster(
    environ: Mapping[str, str],
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    is_tpu: bool = False,
) -> Cluster | None:
    """The other processes of this run, from arguments, then from the environment.

    In this order: the three arguments or `JAX_COORDINATOR_ADDRESS`, `JAX_NUM_PROCESSES`
    and `JAX_PROCESS_ID` (where the last two are missing, those of a Kubernetes indexed
    Job, of Open MPI or of SLURM stand in); a SLURM step of several tasks; Open MPI; a
    TPU VM.

    Args:
      environ: environment variables.
      coordinator, num_processes, process_id: what is given, or None.
      is_tpu: from `has_tpu`.

    Returns:
      None if this process is alone.

    Raises:
      UserError: what is given is incomplete or contradicts itself.
    """
    plain = _plain(environ, coordinator, num_processes, process_id)
    if plain or num_processes == 1:
        return plain
    # SLURM_STEP_NODELIST is there only for what srun started, not for the batch script.
    if "SLURM_STEP_NODELIST" in environ and int(environ.get("SLURM_NTASKS", "1")) > 1:
        return Cluster("slurm")
    if int(environ.get("OMPI_COMM_WORLD_SIZE", "1")) > 1:
        if "OMPI_MCA_orte_hnp_uri" not in environ:  # from Open MPI 5 on
            raise UserError(
                "this Open MPI does not tell where rank 0 is: coordinator=HOST:PORT is needed",
                "coordinator",
            )
        return Cluster("ompi")
    return Cluster("tpu") if is_tpu else None


def start(cluster: Cluster | None, heartbeat_timeout_sec: int, is_preemptible: bool) -> None:
    """Joins the other processes; to be called before JAX touches a device.

    When a process dies, its collectives fail or its heartbeats stop, and the others
    end with an error, at the latest after `heartbeat_timeout_sec`.

    Args:
      cluster: from `find_cluster`; None does nothing.
      heartbeat_timeout_sec: after how long a silent process counts as dead.
      is_preemptible: whether SIGTERM is a notice for `preemption`; if not, it ends
        this process as usual.

    Raises:
      UserError: the others cannot be reached.
    """
    if cluster is None:
        return
    jax.config.update("jax_enable_preemption_service", is_preemptible)
    try:
        jax.distributed.initialize(
            cluster.coordinator,
            cluster.num_processes,
            cluster.process_id,
            cluster_detection_method="deactivate" if cluster.kind == "plain" else None,
            initialization_timeout=INITIALIZATION_TIMEOUT_SEC,
            heartbeat_timeout_seconds=heartbeat_timeout_sec,
            shutdown_timeout_seconds=heartbeat_timeout_sec,
        )
    except ValueError:
        if cluster.kind != "tpu":  # a TPU VM outside of Google's clusters is alone
            raise
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the other processes of this run cannot be reached: {reason}") from error


def stop() -> None:
    """Waits for the other processes at the end of a run, and parts from them."""
    if jax.distributed.is_initialized():
        jax.distributed.shutdown()


def exit_if_not_alone(code: int) -> None:
    """Ends a process of several that has failed, without waiting for the others.

    They would wait for it in vain, and JAX would wait for them when Python ends.
    """
    if jax.distributed.is_initialized():
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def is_peer_lost(error: Exception) -> bool:
    """Whether an error says that another process can no longer be reached."""
    text = str(error).lower()
    return jax.process_count() > 1 and any(sign in text for sign in _PEER_LOST)


def name() -> str:
    """The number of this process and of all, such as 0/4, for the log."""
    return f"{jax.process_index()}/{jax.process_count()}"


def is_primary() -> bool:
    """Whether this is the one process that writes logs, reports and manifests."""
    return jax.process_index() == 0


def agreed(value: bool) -> bool:
    """The answer of the first process, in every process."""
    if jax.process_count() == 1:
        return value
    return bool(multihost_utils.broadcast_one_to_all(np.array(value)))


def all_agree(value: bool) -> bool:
    """Whether the value is true in every process."""
    return bool(np.all(multihost_utils.process_allgather(np.array(value))))


def combine(own: np.ndarray) -> np.ndarray:
    """The sum over processes, in all of them; each has filled its part of an array of zeros."""
    if jax.process_count() == 1:
        return own
    return multihost_utils.process_allgather(own).sum(axis=0, dtype=own.dtype)


def check_same(what: str, content: bytes) -> None:
    """Checks that content which every process has read or made by itself is the same.

    Raises:
      UserError: it differs.
    """
    digest = np.frombuffer(hashlib.sha256(content).digest(), np.uint8)
    rows = multihost_utils.process_allgather(digest).reshape(-1, digest.size)
    differing = np.flatnonzero((rows != rows[0]).any(axis=1))
    if differing.size:
        raise UserError(f"{what} of process {differing[0]} is not that of process 0")


def check_shared(directory: pathlib.Path) -> None:
    """Checks that a directory is one and the same for all processes.

    Raises:
      UserError: another machine does not see what the first process writes.
    """
    if jax.process_count() == 1:
        return
    token = int(multihost_utils.broadcast_one_to_all(np.array(secrets.randbits(31), np.int32)))
    probe = directory / f".shared-{token:08x}"
    if is_primary():
        probe.touch()
    multihost_utils.sync_global_devices("probe written")
    seen = all_agree(probe.exists())
    if is_primary():
        probe.unlink()
    if not seen:
        raise UserError(
            f"workdir={directory} is not shared by all machines of this run; a network file "
            "system is needed",
            "workdir",
        )
