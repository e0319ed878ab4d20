"""The devices of a run: which there are, and how arrays are laid out over them."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from flax import jax_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

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


def _local(devices: Sequence[jax.Device]) -> list[jax.Device]:
    return [device for device in devices if device.process_index == jax.process_index()]


def shard(batch: np.ndarray, devices: Sequence[jax.Device] | None = None) -> np.ndarray:
    """[local batch, ...] -> [local devices, per device, ...], for pmap.

    Args:
      batch: of this process.
      devices: of all processes; by default all.

    Raises:
      UserError: the batch does not divide by the devices.
    """
    count = len(_local(all_devices() if devices is None else devices))
    if len(batch) % count:
        raise UserError(f"a batch of {len(batch)} does not divide by the {count} local devices")
    return batch.reshape(count, len(batch) // count, *batch.shape[1:])


def replicate(tree: Any, devices: Sequence[jax.Device] | None = None) -> Any:
    """Copies a tree to devices, by default all, laid out as the mapped step gives it back.

    Without the identity, the second step would be compiled anew for the layout of
    its own output.

    Args:
      tree: the same in every process.
      devices: of all processes; each copies to its own.
    """
    devices = all_devices() if devices is None else devices
    copies = jax_utils.replicate(tree, _local(devices))
    return jax.pmap(lambda copy: copy, axis_name=AXIS, devices=devices)(copies)


def host_copy(tree: Any) -> Any:
    """One device's copy of a replicated tree, as host arrays, fetched all at once."""
    copies = jax.device_get(jax.tree.map(lambda leaf: leaf.addressable_shards[0].data, tree))
    # On CPU `copies` may be views of buffers that the next step overwrites.
    return jax.tree.map(lambda copy: np.array(copy[0]), copies)


class PmapLayout:
    """Arrays as `jax.pmap` takes them, with an axis of this process' devices in front.

    Of a state each device has its own copy along that axis, of a batch its own rows.
    """

    def __init__(self, devices: Sequence[jax.Device]):
        """Args: all devices, grouped by process."""
        self._devices = devices

    def replicate(self, tree: Any) -> Any:
        """Copies a tree to all devices."""
        return replicate(tree, self._devices)

    def shard(self, batch: np.ndarray) -> np.ndarray:
        """Lays this process' rows [local batch, ...] out over its devices."""
        return shard(batch, self._devices)

    def for_pmap(self, tree: Any) -> Any:
        """A replicated tree as pmapped functions take it."""
        return tree


class MeshLayout:
    """Arrays as one `jax.jit` over a mesh takes them, with an axis of all devices in front.

    An array belongs to all processes together, each of which has the parts on its devices.
    """

    def __init__(self, devices: Sequence[jax.Device]):
        """Args: all devices, grouped by process."""
        self._devices = devices
        self._sharding = NamedSharding(device_mesh(devices), PartitionSpec(AXIS))

    def replicate(self, tree: Any) -> Any:
        """Copies a tree, the same in every process, to all devices."""
        count = len(_local(self._devices))
        return jax.tree.map(lambda leaf: self._lay_out(np.stack([leaf] * count)), tree)

    def shard(self, batch: np.ndarray) -> jax.Array:
        """Lays this process' rows [local batch, ...] out over its devices."""
        return self._lay_out(shard(batch, self._devices))

    def for_pmap(self, tree: Any) -> Any:
        """A replicated tree as pmapped functions take it."""
        return replicate(host_copy(tree), self._devices)

    def _lay_out(self, local: np.ndarray) -> jax.Array:
        return jax.make_array_from_process_local_data(self._sharding, local)


def device_mesh(devices: Sequence[jax.Device]) -> Mesh:
    """The mesh of all devices, which has one axis."""
    return Mesh(np.array(devices), (AXIS,))


def layout(parallel: str, devices: Sequence[jax.Device]) -> PmapLayout | MeshLayout:
    """The layout for `config.train.parallel`, 'pmap' or 'mesh'."""
    return MeshLayout(devices) if parallel == "mesh" else PmapLayout(devices)
