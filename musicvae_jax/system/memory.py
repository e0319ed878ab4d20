"""How this process keeps its memory."""

import ctypes
import sys

# Numbers of parameters of mallopt(3) in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> bool:
    """Makes glibc keep freed memory for the next allocation instead of giving it back.

    XLA allocates a step's intermediates, hundreds of megabytes, anew at each step on
    CPUs. By default each large block is mapped, filled with zeros page by page, and
    unmapped again, which took up to half of a training step (benchmarks/README.md).
    The process then stays at its peak memory until it ends.

    It must be called before JAX computes anything: threads that have begun to
    allocate by then keep their own small arenas, and map whatever these cannot hold.

    Returns:
      Whether it was done: not so without glibc.
    """
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "gnu_get_libc_version"):
        return False
    # No maps for large blocks, no trimming, and one arena, since others cannot hold them.
    settings = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_ARENA_MAX, 1))
    return all([libc.mallopt(*setting) == 1 for setting in settings])
