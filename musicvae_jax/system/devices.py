"""The devices of a run: which there are, and how arrays are laid out over them."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from flax import jax_utils

from musicvae_jax.system.errors import UserError

# The mapped axis, in training too: arrays laid out for one name are laid out anew for another.
AXIS = "devices"


def in_words() -> str:
    """This process' devices in words, for the log."""
    return f"{jax.local_device_count()} x {jax.devices()[0].device_kind}"


def all_devices() -> list[jax.Device]:
    """Every device of every process, in the order of the global batch.

    Grouped by process: on a TPU pod the plain order follows the chips' place in the
    torus, and a process' share of a batch would not be in one piece.
    """
    return sorted(jax.devices(), key=lambda device: (device.process_index, device.id))


def shard(batch: np.ndarray) -> np.ndarray:
    """[local batch, ...] -> [local devices, per device, ...], for pmap.

    Raises:
      UserError: the batch does not divide by the devices.
    """
    devices = jax.local_device_count()
    if len(batch) % devices:
        raise UserError(f"a batch of {len(batch)} does not divide by the {devices} local devices")
    return batch.reshape(devices, len(batch) // devices, *batch.shape[1:])


def replicate(tree: Any, devices: Sequence[jax.Device] | None = None) -> Any:
    """Copies a tree to devices, by default all, laid out as the mapped step gives it back.

    Without the identity, the second step would be compiled anew for the layout of
    its own output.

    Args:
      tree: the same in every process.
      devices: of all processes; each copies to its own.
    """
    devices = all_devices() if devices is None else devices
    local = [device for device in devices if device.process_index == jax.process_index()]
    copies = jax_utils.replicate(tree, local)
    return jax.pmap(lambda copy: copy, axis_name=AXIS, devices=devices)(copies)


def host_copy(tree: Any) -> Any:
    """One device's copy of a replicated tree, as host arrays, fetched all at once."""
    copies = jax.device_get(jax.tree.map(lambda leaf: leaf.addressable_shards[0].data, tree))
    # On CPU `copies` may be views of buffers that the next step overwrites.
    return jax.tree.map(lambda copy: np.array(copy[0]), copies)
