"""Speed, waiting, memory and compilation of a run: what it measures besides its losses."""

import contextlib
import logging
import pathlib
import resource
import time
from collections.abc import Iterator
from typing import Any, Self

import jax
import numpy as np

from musicvae_jax.system.devices import host_copy
from musicvae_jax.system.errors import TrainingDivergedError

logger = logging.getLogger(__name__)

_COMPILE_EVENT = "/jax/core/compile/backend_compile_duration"


class CompileClock:
    """Seconds that XLA has spent compiling, or loading what was compiled before."""

    def __init__(self):
        self.seconds = 0.0

    def __enter__(self) -> Self:
        jax.monitoring.register_event_duration_secs_listener(self._add)
        return self

    def __exit__(self, *_: object) -> None:
        jax.monitoring.unregister_event_duration_listener(self._add)

    def _add(self, event: str, duration_sec: float, **_: Any) -> None:
        if event == _COMPILE_EVENT:
            self.seconds += duration_sec


def memory() -> dict[str, float]:
    """Memory of this process and of its fullest device, now and at most, in MiB.

    A backend that does not report it, such as the CPU, has no `device_` entries.
    """
    mib = float(1 << 20)
    metrics = {}
    statm = pathlib.Path("/proc/self/statm")
    if statm.exists():  # not on macOS
        pages = int(statm.read_text().split()[1])
        metrics["host_memory_mib"] = pages * resource.getpagesize() / mib
    stats = [s for device in jax.local_devices() if (s := device.memory_stats())]
    for name in ("bytes_in_use", "peak_bytes_in_use"):
        values = [s[name] for s in stats if name in s]
        if values:
            metrics[f"device_{name.replace('bytes', 'mib')}"] = max(values) / mib
    return metrics


class MetricWindow:
    """Metrics of the steps since the last log line, left on the devices until then."""

    def __init__(self, first_step: int, compile_clock: CompileClock):
        self._first_step = first_step
        self._compile_clock = compile_clock
        self._compiled_before = compile_clock.seconds
        self._metrics: list[dict[str, jax.Array]] = []
        self._input_sec = 0.0
        self._start = time.monotonic()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Around the reading of a batch, for which a step waits before it can begin."""
        start = time.monotonic()
        yield
        self._input_sec += time.monotonic() - start

    def append(self, metrics: dict[str, jax.Array]) -> None:
        """Args: replicated metrics of a step."""
        self._metrics.append(metrics)

    def read(self, batch_size: int) -> dict[str, float]:
        """Waits for the devices, checks every step, and returns means and rates.

        Raises:
          TrainingDivergedError: a loss or a gradient norm is not finite.
        """
        steps = host_copy(self._metrics)
        for offset, metrics in enumerate(steps):
            for name in ("loss", "gradient_norm"):
                if not np.isfinite(metrics[name]):
                    raise TrainingDivergedError(
                        f"training diverged: {name} is {metrics[name]} at step "
                        f"{self._first_step + offset}; try a lower config.train.learning_rate. "
                        "The last checkpoint is from before."
                    )
        means = {name: float(np.mean([m[name] for m in steps])) for name in steps[0]}
        seconds = time.monotonic() - self._start
        means["steps_per_sec"] = len(steps) / seconds
        means["examples_per_sec"] = len(steps) * batch_size / seconds
        means["input_wait_share"] = self._input_sec / seconds
        means["compile_sec"] = self._compile_clock.seconds - self._compiled_before
        return means | memory()


class Profile:
    """An XLA trace of some steps, for TensorBoard's profiler or Perfetto."""

    def __init__(self, steps: tuple[int, int] | None, folder: pathlib.Path):
        """Args: the first step and the one after the last, or None; where to write."""
        self._steps = steps
        self._folder = folder
        self._is_on = False

    def before(self, step: int) -> None:
        """To be called before each step."""
        if self._steps and self._steps[0] <= step < self._steps[1] and not self._is_on:
            jax.profiler.start_trace(str(self._folder))
            self._is_on = True

    def after(self, step: int, outputs: Any) -> None:
        """To be called after each step, with what it returned."""
        if self._is_on and step + 1 >= self._steps[1]:
            jax.block_until_ready(outputs)
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        if self._is_on:
            jax.profiler.stop_trace()
            logger.info("wrote a trace to %s", self._folder)
            self._is_on = False
            self._steps = None
