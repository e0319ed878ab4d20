"""Notices that a run is about to be stopped from outside.

Schedulers of preemptible machines send SIGTERM and, after a grace time, SIGKILL. A run
that is told answers between two steps: it saves what it has and ends. Of a run of
several processes any one may be told; JAX's preemption service then names the step
after which all of them save. It also carries the notices of TPU maintenance that reach
a process as SIGTERM.

Until the notice is answered passes the time of one step and of those that an
accelerator was given ahead (at most `train.log_every`), or of one evaluation if it comes
during one, and of a save. If the grace time is shorter, SIGKILL loses the steps since the
last checkpoint, as it does at any moment, and nothing else.

Before the first step there is nothing to save: a run of one process ends at once (exit
code 143), and one of several takes its first step first.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

import jax
from jax.experimental import multihost_utils


@contextlib.contextmanager
def watch() -> Iterator[Callable[[int], bool]]:
    """Yields a function of the step: whether to save after it and end.

    In a run of several processes every one must ask at every step, and all get the
    same answers.
    """
    if jax.process_count() > 1:
        yield multihost_utils.reached_preemption_sync_point
        return
    told = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield lambda step: told.is_set()  # only the main thread may handle signals
        return
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        yield lambda step: told.is_set()
    finally:
        signal.signal(signal.SIGTERM, before)
