"""Files that are whole or not there, whenever a process is killed, and where those are kept that can be computed again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grasp_pose_net.exceptions import ConfigError


def cache_dir() -> Path:
    """Folder for computed files that may be deleted at any time."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "grasp_pose_net"


def inside(folder: str, name: str) -> Path:
    """Path of a file in a folder, wherever links lead.

    Args:
        folder: what may be written to; empty: nothing.
        name: of the file, from the folder on, or a whole path.

    Raises:
        ConfigError: there is no such folder, or the file would not be in it.
    """
    if not folder:
        raise ConfigError(f"{name!r} is not written: no folder was given for files; start the node with one")
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise ConfigError(f"{name!r} is not written: there is no folder {root}")
    file = (root / name).resolve()
    if not file.is_relative_to(root) or file == root:
        raise ConfigError(f"{name!r} is not written: it is not in {root}")
    return file


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
