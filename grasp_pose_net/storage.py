"""Files that are whole or not there, whenever a process is killed, and where those are kept that can be computed again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def cache_dir() -> Path:
    """Folder for computed files that may be deleted at any time."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "grasp_pose_net"


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """A path to write to; what is there when the block ends well takes the file's place at once.

    Args:
        file: to write; its folder is made where it is missing. Two processes may write it: the last one stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.partial{file.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def save_json(file: Path, report: Any) -> None:
    """Write a report whole or not at all."""
    write_whole(file, json.dumps(report, indent=1) + "\n")


def write_whole(file: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with whole(file) as unfinished:
        unfinished.write_text(text)
