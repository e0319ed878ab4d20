"""Functions of many rows, over all devices and processes, with bounded memory."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from musicvae_jax.system import processes
from musicvae_jax.system.devices import AXIS
from musicvae_jax.system.progress import progress

# Rows that one device computes at once; more are computed in parts, so that memory stays bounded.
MAX_BATCH = 256
# Times as many on an accelerator, which takes hardly longer for them.
ACCELERATED = 8


def pmap_rows(
    function: Callable[[Any, Any, Any], Any], devices: Sequence[jax.Device]
) -> Callable[[Any, Any, Any], Any]:
    """A function for `Batched` over devices, each with its own rows."""
    return jax.pmap(function, axis_name=AXIS, in_axes=(0, 0, None), devices=devices)


class Batched:
    """A function of rows that is computed on all devices of all processes.

    The rows are cut into parts of one size, so that one compiled program serves all of
    them. A part is spread over the local devices; the last row is repeated where the rows
    do not fill it. Several processes, which all call it with the same arguments, compute
    different parts and exchange their results. What a row gives must not depend on the
    other rows; then it depends neither on the devices nor on the processes. So random
    numbers come from a key for each row, see `models.noise`.
    """

    def __init__(self, function: Callable[[Any, Any, Any], Any]):
        """Compiles when it is first called.

        Args:
          function: `function(params, rows, shared)` gives a tree of arrays [batch, ...] of
            a tree `rows` of arrays [batch, ...], and a tree `shared` of arrays that are the
            same for each row.
        """
        self._function = function
        self._on_devices = pmap_rows(function, jax.local_devices())

    def __call__(
        self, params: Any, rows: Any, shared: Any = (), *, description: str | None = None
    ) -> Any:
        """Computes all rows.

        Args:
          params: replicated over the local devices, see `system.devices.replicate`.
          rows: tree of NumPy arrays [total, ...], at least one row.
          shared: see above.
          description: if given, progress is shown under this name.

        Returns:
          Tree of NumPy arrays [total, ...].
        """
        total = len(jax.tree.leaves(rows)[0])
        size, own = self._parts(total)
        firsts = own if description is None else progress(own, description, len(own))
        made = [self._part(params, rows, shared, first, size) for first in firsts]
        if jax.process_count() == 1:
            return jax.tree.map(lambda *parts: np.concatenate(parts)[:total], *made)
        return self._combine(dict(zip(own, made, strict=True)), params, rows, shared, total)

    def _parts(self, total: int) -> tuple[int, list[int]]:
        """The size of a part, and the first rows of those that this process computes."""
        devices, sharing = jax.local_device_count(), jax.process_count()
        most = MAX_BATCH * (1 if jax.default_backend() == "cpu" else ACCELERATED)
        parts = -(-total // (most * devices))
        parts = -(-parts // sharing) * sharing
        size = -(-total // parts)
        size = -(-size // devices) * devices
        return size, list(range(0, total, size))[jax.process_index() :: sharing]

    def _part(self, params: Any, rows: Any, shared: Any, first: int, size: int) -> Any:
        total, devices = len(jax.tree.leaves(rows)[0]), jax.local_device_count()
        index = np.minimum(first + np.arange(size), total - 1)
        sharded = jax.tree.map(lambda row: row[index].reshape(devices, -1, *row.shape[1:]), rows)
        made = self._on_devices(params, sharded, shared)
        return jax.tree.map(lambda leaf: np.asarray(leaf).reshape(size, *leaf.shape[2:]), made)

    def _combine(
        self, made: dict[int, Any], params: Any, rows: Any, shared: Any, total: int
    ) -> Any:
        """The parts of all processes together, in each of them."""
        one_device = jax.tree.map(lambda leaf: leaf[0], params)
        shapes = jax.eval_shape(self._function, one_device, rows, shared)
        leaves, structure = jax.tree.flatten(shapes)
        whole = [np.zeros((total, *leaf.shape[1:]), leaf.dtype) for leaf in leaves]
        for first, part in made.items():
            for own, leaf in zip(whole, jax.tree.leaves(part), strict=True):
                own[first : first + len(leaf)] = leaf[: total - first]
        return jax.tree.unflatten(structure, [processes.combine(own) for own in whole])
