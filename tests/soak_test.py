"""A long run at a very small size: its memory stays flat.

Run with -s, it prints its figures; SOAK_STEPS sets how long.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from tests import helpers

STEPS = int(os.environ.get("SOAK_STEPS", "20000"))
ROOT = pathlib.Path(__file__).parent.parent


@pytest.mark.slow
def test_memory_is_flat_over_many_steps_evaluations_and_checkpoints(tmp_path):
    """A checkpoint and an evaluation at every 250 steps, in a process of its own."""
    helpers.write_midi_folder(tmp_path / "songs", songs=20)
    sizes = {"bars": 2, "z": 4, "encoder_features": 8, "conductor_features": 8}
    model = [f"--config.model.{k}={v}" for k, v in (sizes | {"decoder_features": 8}).items()]
    command = [
        sys.executable,
        "-m",
        "musicvae_jax.main",
        "--config=configs/tiny.py",
        *model,
        f"--config.dataset.path={tmp_path / 'songs'}",
        f"--config.dataset.data_dir={tmp_path / 'data'}",
        f"--config.train.num_steps={STEPS}",
        "--config.train.eval_every=250",
        "--config.train.eval_examples=64",
        "--config.train.log_every=50",
        f"--workdir={tmp_path / 'run'}",
    ]
    begin = time.monotonic()
    subprocess.run(command, cwd=ROOT, check=True)
    seconds = time.monotonic() - begin
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    name = "train/host_memory_mib"
    step, mib = np.array([(row["step"], row[name]) for row in rows if name in row]).T
    quarters = [float(np.median(part)) for part in np.array_split(mib, 4)]
    # After the first quarter: caches are filled, and the allocator has what it needs.
    settled = step > STEPS / 4
    slope = np.polyfit(step[settled], mib[settled], 1)[0] * 10_000
    evaluations = sum("validation/loss" in row for row in rows)
    print(
        f"\n{STEPS} steps, {evaluations} evaluations and checkpoints in {seconds:.0f} s; host "
        f"memory by quarter {quarters} MiB, most {mib.max():.0f} MiB, slope {slope:+.2f} MiB in "
        "10,000 steps"
    )
    assert evaluations == STEPS // 250
    assert quarters[3] - quarters[1] < 0.02 * quarters[1]
    assert abs(slope) < 20
