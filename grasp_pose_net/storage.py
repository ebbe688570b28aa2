"""Files that are whole or not there, whenever a process is killed or a disk is full, and a place for what can be made again."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from grasp_pose_net.exceptions import ConfigError, StorageError


def cache_dir() -> Path:
    """Folder for computed files that may be deleted at any time: the user's, or a temporary one where that cannot be written.

    Raises:
        OSError: no folder of this machine can be written.
    """
    with suppress(OSError, RuntimeError):  # RuntimeError: the user has no home directory
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "grasp_pose_net"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    return _temporary(os.getuid())


@lru_cache
def _temporary(user: int) -> Path:
    """Folder that later processes of the user find again; a new one where another user has that name."""
    folder = Path(tempfile.gettempdir()) / f"grasp_pose_net-{user}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022:
            return folder
    return Path(tempfile.mkdtemp(prefix="grasp_pose_net-"))


def prepare(file: Path, endings: Sequence[str] = ()) -> None:
    """Make the folder of a file that is to be written, and see that it can be, before hours are spent on its content.

    Args:
        file: that will be written.
        endings: of its name that are good, such as ``.png``; any without.

    Raises:
        StorageError: it cannot be written; the text says why.
    """
    if endings and file.suffix.lower() not in endings:
        raise StorageError(f"cannot write {file}: its name must end in {' or '.join(endings)}")
    if file.is_dir():
        raise StorageError(f"cannot write {file}: it is a folder; name a file in it")
    prepare_folder(file.parent)


def prepare_folder(folder: Path) -> None:
    """Make a folder that is to be written into, and see that it can be.

    Raises:
        StorageError: it cannot; the text says why.
    """
    with _refused(folder):
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()


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

    Raises:
        StorageError: it cannot be written, or not all of it; what was there before is as it was.
    """
    unfinished = file.with_name(f"{file.name}.{os.getpid()}.partial{file.suffix}")
    try:
        with _refused(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            yield unfinished
            os.replace(unfinished, file)
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def save_json(file: Path, report: Any) -> None:
    """Write a report whole or not at all; errors as `whole`."""
    write_whole(file, json.dumps(report, indent=1) + "\n")


def write_whole(file: Path, text: str) -> None:
    """Write a text file whole or not at all; errors as `whole`."""
    with whole(file) as unfinished:
        unfinished.write_text(text)


@contextmanager
def _refused(place: Path) -> Iterator[None]:
    """Errors of the system as one sentence that names the place."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {place}: {error.strerror or error}") from error
