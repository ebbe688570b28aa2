"""Where a figure comes from: the machine, and the commit of the source tree."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path


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
    folder = Path(__file__).resolve().parent
    try:
        git = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return git.stdout.strip()
