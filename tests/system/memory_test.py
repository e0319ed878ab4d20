import subprocess
import sys

import pytest

# Page faults of large blocks that are allocated, written and freed, again and again.
CODE = """
import resource, numpy as np
from musicvae_jax.system import memory
kept = memory.keep_freed_memory() if {keeps} else False
for _ in range(3):
    np.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(2**24)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def run(keeps: bool) -> tuple[str, int]:
    command = [sys.executable, "-c", CODE.format(keeps=keeps)]
    kept, faults = subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.split()
    return kept, int(faults)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_large_blocks_are_kept():
    kept, faults = run(keeps=True)
    if kept == "False":
        pytest.skip("not glibc")
    assert faults < 100 < run(keeps=False)[1]
