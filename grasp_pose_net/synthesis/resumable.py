"""What long runs that can be resumed share: one process at a time in a folder, and the same settings as before."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.reading import parse_json
from grasp_pose_net.storage import prepare_folder

_LISTED = 3  # differences named in an error


@contextmanager
def alone(folder: Path, who: str) -> Iterator[None]:
    """A folder for this process alone; made where it is missing.

    Raises:
        GraspPoseNetError: another ``who`` has it, or it cannot be written.
    """
    prepare_folder(folder)
    # the kernel drops the lock when the process ends, however it ends
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GraspPoseNetError(f"{folder}: another {who} is at work on it; wait for its end") from error
        yield


def differences(there: str, asked: str) -> str:
    """What two descriptions of runs disagree in, "planner.rounds: 2 there, 3 asked" and the like."""
    old, new = (
        _flat("", parse_json(text, what))
        for text, what in ((there, "what is there"), (asked, "what is asked"))
    )
    names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    texts = [f"{name}: {old.get(name)} there, {new.get(name)} asked" for name in names[:_LISTED]]
    return "; ".join(texts) + (f"; and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def _flat(name: str, value: Any) -> dict[str, Any]:
    """Nested dictionaries as one, with dotted names."""
    if not isinstance(value, dict):
        return {name: value}
    entries = [_flat(f"{name}.{key}" if name else key, inner) for key, inner in value.items()]
    return {key: inner for entry in entries for key, inner in entry.items()}
