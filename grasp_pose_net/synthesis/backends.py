"""Tasks in parallel: on the cores of this machine (loky), or on those of a Ray cluster, one thread each."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Literal, TypeVar

import joblib
import numba
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError

from grasp_pose_net.exceptions import GraspPoseNetError

T = TypeVar("T")
R = TypeVar("R")
Backend = Literal["loky", "ray"]
BACKENDS: tuple[Backend, ...] = ("loky", "ray")
ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")
}
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def in_parallel(
    function: Callable[[T], R], tasks: Iterable[T], *, backend: Backend = "loky", jobs: int | None = None
) -> Iterator[R]:
    """Results of function(task) as they come, in any order.

    Args:
        function: picklable; raises only what should end everything.
        tasks: picklable; taken as workers become free.
        backend: "loky", or "ray", which joins the cluster of RAY_ADDRESS or of this machine, or starts one.
        jobs: tasks at a time; all cores without. One task at a time on loky runs in this process.

    Raises:
        GraspPoseNetError: a worker died, Ray is missing, or there is no such backend.
    """
    if backend not in BACKENDS:
        raise GraspPoseNetError(f"no backend {backend!r}; there are: {', '.join(BACKENDS)}")
    if backend == "ray":
        return _with_ray(function, tasks, jobs)
    jobs = jobs or joblib.cpu_count()
    return map(function, tasks) if jobs == 1 else _with_loky(function, tasks, jobs)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch and numba use one thread within; where sums are split changes their last digits."""
    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        numba.set_num_threads(before[1])


def _with_loky(function: Callable[[T], R], tasks: Iterable[T], jobs: int) -> Iterator[R]:
    with joblib.parallel_config(
        "loky", inner_max_num_threads=1, initializer=_die_with, initargs=(os.getpid(),)
    ):
        pool = joblib.Parallel(jobs, return_as="generator_unordered", batch_size=1, pre_dispatch=jobs + 1)
        try:
            yield from pool(joblib.delayed(function)(task) for task in tasks)
        except TerminatedWorkerError as error:
            raise GraspPoseNetError(
                "a worker process died, most likely for want of memory; what was finished is kept: run the "
                f"same command again, with fewer --jobs than {jobs}"
            ) from error


def _die_with(parent: int) -> None:
    """Let the kernel end this worker when its parent is killed, so that a resumed run has the cores."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def _with_ray(function: Callable[[T], R], tasks: Iterable[T], jobs: int | None) -> Iterator[R]:
    try:
        import ray
    except ImportError as error:
        raise GraspPoseNetError(
            "backend ray: Ray is not installed; pip install 'grasp_pose_net[ray]', or use --backend loky"
        ) from error
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, logging_level=logging.WARNING, runtime_env={"env_vars": ONE_THREAD})
    try:
        remote = ray.remote(num_cpus=1)(function)
        waiting = iter(tasks)
        at_once = jobs or int(ray.cluster_resources().get("CPU", 1))
        running = [remote.remote(task) for task in islice(waiting, at_once)]
        while running:
            done, running = ray.wait(running)
            running += [remote.remote(task) for task in islice(waiting, 1)]
            yield ray.get(done[0])
    except ray.exceptions.RayError as error:
        raise GraspPoseNetError(
            f"Ray gave up: {str(error).splitlines()[0]}; what was finished is kept"
        ) from error
    finally:
        if started:
            ray.shutdown()
