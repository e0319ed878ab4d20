"""Work shared out over processes."""

import concurrent.futures
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from musicvae_jax.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], description: str
) -> Iterator[Result]:
    """Applies a module-level function to items on all cores, and keeps their order.

    The processes are spawned: forking a process that runs JAX's threads can hang.
    """
    num_workers = min(os.cpu_count() or 1, len(items))
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(num_workers, mp_context=context) as pool:
        yield from progress(pool.map(function, items), description, total=len(items))
