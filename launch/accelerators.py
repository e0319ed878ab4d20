"""Accelerators by their description, for which XLA compiles where there are none."""

import importlib.metadata
from collections.abc import Sequence

import jax
from jax.experimental import topologies

from musicvae_jax.system.errors import UserError

# Memory of one device in GiB. TPUs: docs.cloud.google.com/tpu/docs, the page of each version; H100
# and A100: what CUDA finds on the 80 GB cards (the same number is in the descriptions below).
MEMORY_GIB = {"v5e": 16.0, "v6e": 32.0, "v5p": 95.0, "tpu7x": 192.0, "h100": 79.1, "a100": 79.3}

# What XLA asks a GPU that is there. H100 from openxla/xla, pull request 25919, A100 from its folder
# of target configurations. The versions are those of CUDA and of its driver: from 12.3 on XLA
# puts library calls and loops into CUDA graphs, and from 12.9 on copies to changing places.
_OF_BOTH = """
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 8 }
runtime_version { major: 12 minor: 9 }
gpu_device_info {
  driver_version: "12.9.0"
  runtime_version: "12.9.0"
  compile_time_toolkit_version: "12.9.0"
  threads_per_warp: 32
  threads_per_block_limit: 1024
  threads_per_core_limit: 2048
  registers_per_block_limit: 65536
  registers_per_core_limit: 65536
  shared_memory_per_block: 49152
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
"""
GPUS = {
    "h100": """
  cuda_compute_capability { major: 9 }
  device_memory_size: 84929347584
  memory_bandwidth: 3352320000000
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  core_count: 132
  fpus_per_core: 128
  shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472
}
device_description_str: "NVIDIA H100 80GB HBM3"
""",
    "a100": """
  cuda_compute_capability { major: 8 }
  device_memory_size: 85100068864
  memory_bandwidth: 2039040000000
  l2_cache_size: 41943040
  clock_rate_ghz: 1.41
  core_count: 108
  fpus_per_core: 64
  shared_memory_per_block_optin: 166912
  shared_memory_per_core: 167936
}
device_description_str: "NVIDIA A100-SXM4-80GB"
""",
}


def memory_gib(target: str) -> float:
    """The memory of one device of a target, such as v5e:2x2, h100 or h100:8.

    Raises:
      UserError: there is no such kind.
    """
    kind = target.partition(":")[0]
    if kind not in MEMORY_GIB:
        raise UserError(f"--target={target}: unknown; known are {', '.join(MEMORY_GIB)}")
    return MEMORY_GIB[kind]


def lstm(target: str) -> str:
    """What `config.model.lstm=auto` means on a target."""
    return "unrolled" if target.partition(":")[0] in GPUS else "rolled"


def devices(target: str) -> Sequence[jax.Device]:
    """The devices of a target, to compile for, not to use.

    Raises:
      UserError: there is no such target, or its compiler is not installed.
    """
    memory_gib(target)
    kind, _, shape = target.partition(":")
    told = {}
    if kind in GPUS:
        parts = [f"jax-cuda12-{part}=={jax.__version__}" for part in ("plugin", "pjrt")]
        command = f"--no-deps {' '.join(parts)} nvidia-cuda-nvcc-cu12"
        _check_installed(target, "jax-cuda12-plugin", command)
        told = {"target_config": _OF_BOTH + GPUS[kind], "topology": f"1x1x{shape or 1}"}
    else:
        _check_installed(target, "libtpu", f"'jax[tpu]=={jax.__version__}'")
    try:
        platform = "cuda" if kind in GPUS else "tpu"
        return topologies.get_topology_desc(target, platform, **told).devices
    except (ValueError, RuntimeError) as error:
        raise UserError(f"--target={target}: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """What an error says, without what XLA adds to it."""
    return (str(error).strip() or repr(error)).splitlines()[0][:300]


def _check_installed(target: str, package: str, arguments: str) -> None:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise UserError(f"--target={target}: needs {package}: pip install {arguments}") from error
