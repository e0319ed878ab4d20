"""Jobs that run one at a time, while those who ask for them take turns."""

import collections
import concurrent.futures
import logging
import threading
from collections.abc import Callable
from typing import Any

from musicvae_jax.commands.flags import in_flags
from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]
# Who asks: an address, and one of the pages that are open there.
Client = tuple[str, str]
NOBODY: Client = ("", "")
_MOST_KNOWN = 1_000  # clients whose last turn is remembered


class BusyError(Exception):
    """Too many jobs are waiting."""


class CancelledError(Exception):
    """The job is no longer wanted."""


class Job:
    """One piece of work.

    Attributes:
      work: does it and returns the result; it is given a function that reports progress.
      tell: is called from other threads, with `{"ahead": n}` while n jobs are before it,
        with the progress that `work` reports, and last with `{"result": ...}` or
        `{"error": text}`.
      client: who asks for it.
      size: by which the jobs of one client go first; in any unit.
    """

    def __init__(self, work: Callable[[Tell], Any], tell: Tell, client: Client, size: int):
        self.work = work
        self.tell = tell
        self.client = client
        self.size = size
        self.is_cancelled = False

    def progress(self, event: dict[str, Any]) -> None:
        """Tells of progress.

        Raises:
          CancelledError: nobody listens any more.
        """
        if self.is_cancelled:
            raise CancelledError
        self.tell(event)


class Jobs:
    """A queue of jobs for each client, and the one thread that works through them.

    Addresses take turns, and at each address its pages do. The smallest job of a page is its
    first.
    """

    def __init__(self, name: str, limit: int = 64):
        """Args: a name for the thread, and how many jobs of one client may wait."""
        self._limit = limit
        self._waiting: list[Job] = []
        self._turns = 0
        self._last_turn: dict[tuple[str, ...], int] = {}  # of an address, and of a client
        self._current: Job | None = None
        self._lock = threading.Lock()
        self._executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix=name)

    def submit(
        self, work: Callable[[Tell], Any], tell: Tell, client: Client = NOBODY, size: int = 0
    ) -> Job:
        """Queues a job; see `Job`.

        Raises:
          BusyError: `limit` jobs of this client wait already.
        """
        job = Job(work, tell, client, size)
        with self._lock:
            if sum(other.client == client for other in self._waiting) >= self._limit:
                raise BusyError(
                    f"{self._limit} of your requests are waiting; please try again later"
                )
            self._waiting.append(job)
            ahead = self._in_turn().index(job)
        if ahead:
            tell({"ahead": ahead})
        self._executor.submit(self._run_next)
        return job

    def _in_turn(self) -> list[Job]:
        """The jobs that wait, in the order in which they will be begun as things are."""
        jobs = sorted(self._waiting, key=lambda job: job.size)
        for names in (2, 1):  # the pages of each address, and then the addresses
            count: collections.Counter[tuple[str, ...]] = collections.Counter()
            order = []
            for job in jobs:
                client = job.client[:names]
                order.append((count[client], self._last_turn.get(client, 0)))
                count[client] += 1
            ranked = sorted(range(len(jobs)), key=order.__getitem__)
            jobs = [jobs[index] for index in ranked]
        return jobs

    def _take_next(self) -> Job | None:
        if not self._waiting:
            return None
        job = self._in_turn()[0]
        self._waiting.remove(job)
        self._turns += 1
        for names in (1, 2):
            self._last_turn.pop(job.client[:names], None)
            self._last_turn[job.client[:names]] = self._turns
        while len(self._last_turn) > _MOST_KNOWN:
            del self._last_turn[next(iter(self._last_turn))]
        return job

    @property
    def waiting(self) -> int:
        """How many jobs have not begun."""
        return len(self._waiting)

    def cancel(self, job: Job) -> None:
        """Gives a job up: it is not begun, or ends when it next tells of its progress."""
        with self._lock:
            job.is_cancelled = True
            if job in self._waiting:
                self._waiting.remove(job)

    def close(self) -> None:
        """Begins no further job, and ends the current one when it next tells of its progress."""
        with self._lock:
            self._waiting.clear()
            if self._current is not None:
                self._current.is_cancelled = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _run_next(self) -> None:
        with self._lock:
            job = self._current = self._take_next()
            others = self._in_turn()
        if job is None:
            return
        for ahead, other in enumerate(others, start=1):
            other.tell({"ahead": ahead})
        try:
            job.tell({"result": job.work(job.progress)})
        except CancelledError:
            pass
        except UserError as error:
            job.tell({"error": in_flags(error)})
        except Exception:
            logger.exception("a job of the studio failed")
            job.tell({"error": "this failed, which is our fault; the studio's log tells why"})
