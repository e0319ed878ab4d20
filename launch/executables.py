"""Compiled programs in files, to be run where their devices are.

A program is compiled for one kind of device, one number of them, and one version of JAX.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import jax
from jax.experimental import serialize_executable

from musicvae_jax.system import files


def save(path: pathlib.Path, compiled: jax.stages.Compiled) -> None:
    """Writes a compiled function."""
    serialized, _, _ = serialize_executable.serialize(compiled)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        temporary.write_bytes(serialized)


def load(
    path: pathlib.Path, arguments: tuple[Any, ...], results: Any, devices: Sequence[jax.Device]
) -> jax.stages.Compiled:
    """Reads a function that was compiled for such devices, and makes it ready to be called.

    Load only what you trust: a file can contain any code, which this runs.

    Args:
      path: of the file.
      arguments: any that have the structure of the function's, such as their shapes.
      results: the same of what it returns, as `jax.eval_shape` gives it.
      devices: those that are there.
    """
    trees = jax.tree.structure((arguments, {})), jax.tree.structure(results)
    return serialize_executable.deserialize_and_load(
        path.read_bytes(), *trees, backend=devices[0].client, execution_devices=devices
    )
