"""Progress of long work: a bar on a terminal, now and then a log line elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

logger = logging.getLogger(__name__)
T = TypeVar("T")
LOG_EVERY_SEC = 10.0


def on_terminal() -> bool:
    """Whether standard error, where bars are drawn, is a terminal."""
    return sys.stderr.isatty()


def progress(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Yields `items`, telling how many of `total` are done."""
    if on_terminal():
        yield from tqdm(items, desc=description, total=total, dynamic_ncols=True)
        return
    last_log = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last_log > LOG_EVERY_SEC or done == total:
            logger.info("%s: %d of %d", description, done, total)
            last_log = now
