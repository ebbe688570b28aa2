"""The runner that starts the nodes of `system.NODES` as processes, without ROS's own launch; no ROS is imported here."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from grasp_pose_net.exceptions import ExecutionError
from grasp_pose_net.process import settle
from grasp_pose_net.storage import prepare_folder
from grasp_pose_net.system import NODES, NodeSpec, Start, limit_discovery

LOG_LINES = 15
# Patience with each signal in turn; together below the 5 s in which everything has to be gone.
STOP_SIGNALS = ((signal.SIGINT, 4.0), (signal.SIGTERM, 0.5), (signal.SIGKILL, 0.4))

# Runs in the new process before the node: the kernel kills it when the runner dies, however that happens.
# (1 is PR_SET_PDEATHSIG, which an exec keeps; the comparison covers a runner that died before the call.)
DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def prepare_environment(discovery: str = "") -> None:
    """Set what nodes without a ROS installation need, unless the user has; child processes inherit it.

    Discovery stays on this machine unless ``discovery`` says otherwise, in a domain of its own; rendering needs no display;
    one thread a library.
    """
    limit_discovery(discovery)
    os.environ.setdefault("MUJOCO_GL", "egl")
    # five processes share the cores: threads that spin while they wait steal from each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    settle()
    os.environ.setdefault("ROS_DOMAIN_ID", str(free_domain()))


def free_domain() -> int:
    """Domain from 1 to 101 that no process on this machine uses now (beyond, its ports would collide)."""
    domains = random.sample(range(1, 102), 101)
    for domain in domains:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
            # discovery port of the domain's first participant, as the RTPS standard numbers ports
            probe.bind(("", 7400 + 250 * domain + 10))
            return domain
    return domains[0]


class Runner:
    """Starts nodes as processes of their own and stops them all on leaving, as a context manager.

    Enter it in a thread that lives until the end (the main one): the nodes are killed when that thread dies.
    """

    def __init__(
        self,
        folder: Path,
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
        nodes: Iterable[NodeSpec] = NODES,
        start: Start | None = None,
    ) -> None:
        """Prepare the runner; nothing is started.

        Args:
            folder: place for ``<node>.log``; made if missing.
            parameters: for each node name, the parameters that differ from its parameter files.
            nodes: what to start.
            start: tells the parameter files; None for the simulation.

        Raises:
            ExecutionError: ``parameters`` names a node that is not in ``nodes``.
        """
        self.folder = folder
        self._nodes, self._start_as = tuple(nodes), start or Start()
        self._parameters = {name: dict(values) for name, values in (parameters or {}).items()}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        known = [node.name for node in self._nodes]
        if unknown := sorted(set(self._parameters) - set(known)):
            raise ExecutionError(
                f"parameters for unknown nodes {', '.join(unknown)}; there are {', '.join(known)}"
            )

    def __enter__(self) -> Runner:
        """Start every node."""
        prepare_environment(self._start_as.discovery)
        prepare_folder(self.folder)
        try:
            for node in self._nodes:
                self._processes[node.name] = self._start(node)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every node."""
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """Process id of each started node."""
        return {name: process.pid for name, process in self._processes.items()}

    def log_file(self, name: str) -> Path:
        """File with everything that node ``name`` prints."""
        return self.folder / f"{name}.log"

    def check(self) -> None:
        """See whether all nodes run.

        Raises:
            ExecutionError: one has ended; the text names it and quotes its status and the end of its log.
        """
        for name, process in self._processes.items():
            status = process.poll()
            if status is not None:
                lines = self.log_file(name).read_text(errors="replace").splitlines()[-LOG_LINES:]
                text = "".join(f"\n  {line}" for line in lines) or "\n  (its log is empty)"
                raise ExecutionError(
                    f"node {name} {describe_status(status)}; end of {self.log_file(name)}:{text}"
                )

    def stop(self) -> None:
        """End all nodes and whatever they have started, within 5 s, and leave none behind."""
        # a second Ctrl-C must not cut this short (signals can only be set in the main thread)
        previous = None
        with suppress(ValueError):
            previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        processes = list(self._processes.values())
        for number, patience_s in STOP_SIGNALS:
            # SIGKILL goes to every group: what a node started and left behind is in there
            running = [p for p in processes if p.poll() is None or number == signal.SIGKILL]
            for process in running:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)
            _wait(running, patience_s)
        self._processes.clear()
        if previous is not None:
            signal.signal(signal.SIGINT, previous)

    def _start(self, node: NodeSpec) -> subprocess.Popen[bytes]:
        command = ["-m", node.module, "--ros-args", *node.ros_arguments(self._start_as)]
        for file in node.parameter_files(self._start_as):
            command += ["--params-file", str(file)]
        for key, value in self._parameters.get(node.name, {}).items():
            command += ["-p", f"{key}:={json.dumps(value)}"]
        guard = [sys.executable, "-I", "-S", "-c", DIE_WITH_PARENT, str(os.getpid())]
        with self.log_file(node.name).open("wb") as log:
            return subprocess.Popen(
                guard + command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )


def describe_status(status: int) -> str:
    """Words for the return code of a process, which is negative for a signal."""
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _wait(processes: Iterable[subprocess.Popen[bytes]], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
