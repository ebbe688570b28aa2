"""What a process asks of its libraries: threads that sleep while they wait, and memory that is kept for the next time.

Several libraries bring a pool of threads of their own. By default, a pool that has done its work spins for up to 0.2 s in
case more comes, and takes the cores from whoever works then: a plan right after a capture took 0.08 s longer. And the C
library gives large blocks back to the system, which hands them out again page by page: asking the network took 20 to 90 ms, of
which 15 were spent computing.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

# What glibc is asked for: by its name in the environment of a new process, and by its number in one that runs.
# One heap for all threads, blocks of up to 32 MiB from it (glibc takes no more), and a gibibyte kept when they are freed.
MALLOC = {
    "MALLOC_ARENA_MAX": (-8, 1),
    "MALLOC_MMAP_THRESHOLD_": (-3, 1 << 25),
    "MALLOC_TRIM_THRESHOLD_": (-1, 1 << 30),
}
SETTINGS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    # its matrices here are small: a second thread costs more than it does
    "OPENBLAS_NUM_THREADS": "1",
    **{name: str(value) for name, (_, value) in MALLOC.items()},
}


def settle() -> None:
    """Ask so, unless the user has asked otherwise; before numpy and torch are loaded. Child processes inherit it."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    with suppress(OSError, AttributeError):  # elsewhere than with glibc there is nothing to ask
        c = ctypes.CDLL(None)
        for number, size in MALLOC.values():
            c.mallopt(number, size)
