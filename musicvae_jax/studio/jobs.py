"""Jobs that run one at a time, in the order of the requests."""

import concurrent.futures
import logging
import threading
from collections.abc import Callable
from typing import Any

from musicvae_jax.commands.flags import in_flags
from musicvae_jax.system.errors import UserError

logger = logging.getLogger(__name__)
Tell = Callable[[dict[str, Any]], None]


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
    """

    def __init__(self, work: Callable[[Tell], Any], tell: Tell):
        self.work = work
        self.tell = tell
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
    """A queue of jobs, and the one thread that works through it."""

    def __init__(self, name: str, limit: int = 64):
        """Args: a name for the thread, and how many may wait."""
        self._limit = limit
        self._waiting: list[Job] = []
        self._current: Job | None = None
        self._lock = threading.Lock()
        self._executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix=name)

    def submit(self, work: Callable[[Tell], Any], tell: Tell) -> Job:
        """Queues a job; see `Job`.

        Raises:
          BusyError: `limit` jobs wait already.
        """
        job = Job(work, tell)
        with self._lock:
            if len(self._waiting) >= self._limit:
                raise BusyError(f"{self._limit} others are waiting; please try again later")
            self._waiting.append(job)
            ahead = len(self._waiting) - 1
        if ahead:
            tell({"ahead": ahead})
        self._executor.submit(self._run, job)
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

    def _run(self, job: Job) -> None:
        with self._lock:
            if job not in self._waiting:
                return
            self._waiting.remove(job)
            self._current = job
            others = list(self._waiting)
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
