"""Notices of schedulers that a run is about to be stopped.

Schedulers of preemptible machines send SIGTERM and, after a grace time, SIGKILL. A run
that receives SIGTERM finishes its step, saves its state and ends. In a run of several
processes any of them may receive it; JAX's preemption service then names the step after
which all of them save. The service also handles TPU maintenance, of which a process is
notified by SIGTERM.

The answer takes as long as the steps that the accelerator was already given (at most
`train.log_every`), or the evaluation that is going on, and then a save. If the grace time
is shorter, SIGKILL loses the steps since the last checkpoint, as at any other moment, and
nothing else.

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
