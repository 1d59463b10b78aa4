"""Memory that was needed for a moment goes back to the system at once.

glibc gives each thread a heap of its own, and raises the size from which on it maps a block
by itself with each such block that is freed: what a batch for the archive took for some
milliseconds stays with the process. 30 MB of chat left 20 MB behind that way, and 8 MB with
the settings below, whoever reads or does not (docs/performance.md).
"""

from __future__ import annotations

import ctypes
import sys

# malloc.h: the parameters' numbers. The interpreter's lock lets one thread allocate at a time.
ARENA_MAX, ARENAS = -8, 1
MMAP_THRESHOLD, MMAP_BYTES = -3, 131_072
TRIM_THRESHOLD, TRIM_BYTES = -1, 262_144


def keep_small() -> bool:
    """Before there are threads: tune malloc, where it is glibc's; says whether it was."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    for parameter, value in (
        (ARENA_MAX, ARENAS),
        (MMAP_THRESHOLD, MMAP_BYTES),
        (TRIM_THRESHOLD, TRIM_BYTES),
    ):
        mallopt(parameter, value)
    return True
