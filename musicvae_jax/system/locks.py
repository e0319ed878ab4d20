"""One process at a time, on this machine and wherever the file system shares its locks.

The kernel gives a lock back when its holder ends, however it ends, so that none is
left behind by a kill.
"""

import contextlib
import errno
import fcntl
import logging
import os
import pathlib
import time
from collections.abc import Iterator

logger = logging.getLogger(__name__)

POLL_SEC = 0.2
# What file systems without locks answer.
_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def exclusive(
    path: str | os.PathLike, waiting_for: str, timeout_sec: float = float("inf")
) -> Iterator[bool]:
    """Holds a lock on a file, which is created and stays.

    Args:
      path: the file.
      waiting_for: who else may hold it, for the log.
      timeout_sec: how long to wait for it.

    Yields:
      Whether nobody else can hold it; False where the file system has no locks.

    Raises:
      TimeoutError: another process held it all that time.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield _wait(file.fileno(), path, waiting_for, timeout_sec)


def _wait(descriptor: int, path: pathlib.Path, waiting_for: str, timeout_sec: float) -> bool:
    deadline = time.monotonic() + timeout_sec
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{waiting_for} still holds {path}") from None
            if not told:
                logger.info("waiting for %s", waiting_for)
                told = True
            time.sleep(POLL_SEC)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            logger.warning("%s: no locks on this file system (%s)", path, error.strerror)
            return False
