"""Where a figure comes from: commit and state of the source tree, command, seed, machine, versions, and the weights used."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("grasp_pose_net", "numpy", "torch", "numba", "mujoco", "open3d-cpu", "trimesh")
HASH_DIGITS = 16


def record(seed: int | None = None, weights: Iterable[Path] = ()) -> dict[str, Any]:
    """What every report has beside its figures.

    Args:
        seed: of all random choices, None where there are none.
        weights: files of networks that were used.

    Returns:
        "commit"; "changed": files that differ from it; "command"; "seed"; "machine"; "versions"; "weights": beginning of the
        SHA-256 of each file by its name.
    """
    return {
        "commit": commit(),
        "changed": changed(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "seed": seed,
        "machine": machine(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "weights": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:HASH_DIGITS] for path in weights
        },
    }


def machine() -> str:
    """The computer that figures were taken on: system, processor, cores, and the Python."""
    processor = platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text()
        processor = next(
            line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")
        )
    except (OSError, StopIteration):
        pass  # not Linux, or a processor without a name: the architecture is said
    return f"{platform.system()}, {processor}, {os.cpu_count()} cores, Python {platform.python_version()}"


def commit() -> str:
    """Commit of the source tree, ``unknown`` outside one."""
    return _git("rev-parse", "HEAD").strip() or "unknown"


def changed() -> list[str]:
    """Files of the source tree that differ from its commit; empty where there are none, and outside a tree."""
    return [line[3:] for line in _git("status", "--porcelain").splitlines()]


def _git(*arguments: str) -> str:
    folder = Path(__file__).resolve().parent
    try:
        git = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return git.stdout


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
