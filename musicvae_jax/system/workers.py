"""Work shared out over processes that may hang or die without ending the run."""

import collections
import concurrent.futures
import dataclasses
import itertools
import multiprocessing
import os
import resource
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import pebble

from musicvae_jax.system.progress import progress

Item = TypeVar("Item")
Result = TypeVar("Result")

# Enough items that handing them over costs little beside the work on them.
CHUNK = 16
# A worker may map this much; music21 and NumPy need about 1 GiB of address space.
MEMORY_BYTES = 4 << 30


@dataclasses.dataclass(frozen=True)
class WorkerFailure:
    """What stands in the place of a result when an item took its worker down."""

    reason: str


def _limit_memory(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


def _apply_to_each(function: Callable[[Item], Result], items: list[Item]) -> list[Result]:
    return [function(item) for item in items]


class SafePool:
    """Processes that apply a function to items, and are replaced when an item takes one down.

    They are spawned: forking a process that runs JAX's threads can hang.
    """

    def __init__(self, num_workers: int, timeout_sec: float = 20.0):
        """Args: how many processes, and the time that an item may take."""
        self._num_workers = num_workers
        self._timeout_sec = timeout_sec
        self._awaited: set[concurrent.futures.Future] = set()
        self._pool = pebble.ProcessPool(
            num_workers,
            initializer=_limit_memory,
            initargs=(MEMORY_BYTES,),
            context=multiprocessing.get_context("spawn"),
        )

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        total: int,
        timeout_sec: float | None = None,
    ) -> Iterator[Result | WorkerFailure]:
        """Applies a picklable function to items, read as they are needed, and keeps their order.

        An item on which a worker hangs, dies or runs out of memory gives a
        `WorkerFailure`; the others of its chunk are done again.

        Args:
          function, items, total: what to do, with what, and with how many.
          timeout_sec: of these items, if they take longer than those of the pool.
        """
        timeout_sec = timeout_sec or self._timeout_sec
        # A few large items, as files of tunes, would otherwise all go to one worker.
        chunk_size = max(1, min(CHUNK, total // (4 * self._num_workers)))
        iterator = iter(items)
        chunks = iter(lambda: list(itertools.islice(iterator, chunk_size)), [])

        def schedule(chunk: list[Item]) -> concurrent.futures.Future:
            arguments = (function, chunk)
            future = self._pool.schedule(_apply_to_each, arguments, timeout=timeout_sec)
            self._awaited.add(future)
            future.add_done_callback(self._awaited.discard)
            return future

        under_way: collections.deque = collections.deque()
        for chunk in itertools.islice(chunks, 2 * self._num_workers):
            under_way.append((chunk, schedule(chunk)))
        while under_way:
            chunk, future = under_way.popleft()
            following = next(chunks, None)
            if following:
                under_way.append((following, schedule(following)))
            outcome = _outcome(future)
            if not isinstance(outcome, WorkerFailure):
                yield from outcome
                continue
            for item in chunk:
                alone = _outcome(schedule([item])) if len(chunk) > 1 else outcome
                yield alone if isinstance(alone, WorkerFailure) else alone[0]

    def close(self) -> None:
        """Ends the processes, whatever they are doing; what is awaited in other threads fails."""
        self._pool.stop()
        self._pool.join()
        # The pool leaves them as they are, and who waits for one would wait for ever.
        for future in list(self._awaited):
            future.cancel()


def map_in_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    description: str,
    total: int,
    timeout_sec: float = 20.0,
    num_workers: int | None = None,
) -> Iterator[Result | WorkerFailure]:
    """`SafePool.map`, by default on all cores, with its progress."""
    num_workers = min(num_workers or os.cpu_count() or 1, max(total, 1))
    pool = SafePool(num_workers, timeout_sec)
    try:
        yield from progress(pool.map(function, items, total), description, total)
    finally:
        pool.close()


def _outcome(future: concurrent.futures.Future) -> list | WorkerFailure:
    try:
        return future.result()
    except (concurrent.futures.CancelledError, concurrent.futures.BrokenExecutor):
        return WorkerFailure("is not read any more")  # the pool was closed, before or meanwhile
    except concurrent.futures.TimeoutError:
        return WorkerFailure("took too long to read")
    except MemoryError:
        return WorkerFailure("needs too much memory to read")
    except pebble.ProcessExpired:
        return WorkerFailure("brought the reader down")
