"""Metrics of a run, as lines of JSON and as TensorBoard events."""

import json
import logging
import pathlib
from collections.abc import Mapping
from typing import Self

import tensorboardX

from musicvae_jax.system import files

logger = logging.getLogger(__name__)


class MetricLog:
    """Writes scalars to `metrics.jsonl`, TensorBoard and the log.

    Attributes:
      workdir: the folder of the run.
    """

    def __init__(self, workdir: pathlib.Path, step: int, is_writer: bool = True):
        """Continues the log of a run at `step`; lines of later steps, which were lost, go.

        Of several processes only one is the writer; the others' calls do nothing.
        """
        self.workdir = workdir
        self._is_writer = is_writer
        if not is_writer:
            return
        path = workdir / "metrics.jsonl"
        if path.exists():
            lines = [line for line in path.read_text().splitlines() if _step_of(line) <= step]
            with files.replacing(path) as temporary:
                temporary.write_text("".join(line + "\n" for line in lines))
        self._lines = path.open("a", buffering=1)
        self._events = tensorboardX.SummaryWriter(str(workdir), purge_step=step + 1)

    def write(self, step: int, group: str, metrics: Mapping[str, float]) -> None:
        """Writes one line of metrics, named `group/name`."""
        if not self._is_writer:
            return
        row = {f"{group}/{name}": round(float(value), 6) for name, value in metrics.items()}
        self._lines.write(json.dumps({"step": step, **row}) + "\n")
        for name, value in row.items():
            self._events.add_scalar(name, value, step)
        values = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        logger.info("step %d  %s  %s", step, group, values)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_writer:
            self._lines.close()
            self._events.close()


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):  # a line cut off by a crash
        return float("inf")
