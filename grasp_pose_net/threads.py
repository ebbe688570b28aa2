"""Threads that sleep while they wait.

Several libraries bring a pool of threads of their own. By default, a pool that has done its work spins for up to 0.2 s in
case more comes, and takes the cores from whoever works then: a plan right after a capture took 0.08 s longer.
"""

from __future__ import annotations

import os


def threads_that_sleep() -> None:
    """Say so to OpenMP and OpenBLAS, unless the user has said otherwise; before they are loaded."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")
    # its matrices here are small: a second thread costs more than it does
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
