"""The process that reads broken files, one after the other, and says of each what came of it; it may die of one."""

from __future__ import annotations

import logging
import os
import resource
import time
import traceback
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from grasp_pose_net.commands.study.broken_files.mutate import broken
from grasp_pose_net.commands.study.broken_files.readers import READERS, Reader
from grasp_pose_net.exceptions import LONGEST_TEXT, GraspPoseNetError

RIGHT, REFUSED, FAULT = "right", "refused", "fault"
ROOM_BYTES = (
    8 << 30
)  # beyond what the process has when it begins, so that a claim fails instead of the machine
ALLOCATION = ("MemoryError", "Unable to allocate", "not enough memory", "bad_alloc")


_logged: list[logging.LogRecord] = []


def work(name: str, first: int, count: int, seed: int, folder: str, pipe: Connection) -> None:
    """Read some inputs.

    Args:
        name: of the reader.
        first: number of the first input.
        count: how many.
        seed: of how they are broken.
        folder: for the files, empty.
        pipe: takes "begin" with the number of an input before it is read, and its outcome after.
    """
    place = Path(folder)
    (place / "seeds").mkdir()
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what a library says of a broken file, thousands of times
        os.dup2(silence, stream)
    reader = READERS[name](place / "seeds")
    logging.getLogger().addHandler(_Collector())
    _read(reader, place, reader.good[0], name)  # loads and compiles what belongs to no input
    room = ROOM_BYTES + 1024 * _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    for number in range(first, first + count):
        _one(reader, place, name, number, seed, pipe)
    pipe.close()
    os._exit(0)  # taking all libraries down takes seconds


def content(reader: Reader, name: str, number: int, seed: int) -> bytes:
    """The broken file of a number: the same for the same seed."""
    return broken(reader.good, np.random.default_rng([seed, number, *name.encode()]), reader.parts)


def _one(reader: Reader, place: Path, name: str, number: int, seed: int, pipe: Connection) -> None:
    data = content(reader, name, number, seed)
    pipe.send({"begin": number})
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory counts from here
    before, began = _status("VmRSS"), time.process_time()  # a busy machine is no slow reader
    said = _read(reader, place, data, name)
    figures = {"s": time.process_time() - began, "mb": max(0, _status("VmHWM") - before) / 1024}
    pipe.send({"number": number, **said, **figures})


def _read(reader: Reader, place: Path, data: bytes, name: str) -> dict[str, Any]:
    """What came of reading a content."""
    for beside, its_content in reader.beside.items():
        (place / beside).write_bytes(its_content)
    path = place / f"broken{reader.suffix}"
    path.write_bytes(data)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            reader.read(path)
            said = {"outcome": RIGHT, "text": ""}
        except GraspPoseNetError as error:
            text = str(error)
            one = (
                "\n" not in text and 0 < len(text) <= LONGEST_TEXT and not any(w in text for w in ALLOCATION)
            )
            said = {
                "outcome": REFUSED if one else FAULT,
                "text": text if one else f"not one line: {text[:2000]}",
            }
        except BaseException:  # whatever it is, it would have been a traceback
            said = {"outcome": FAULT, "text": traceback.format_exc()[-3000:]}
    if said["outcome"] != FAULT and (loud := [record for record in _logged if record.exc_info]):
        said = {"outcome": FAULT, "text": f"logged a traceback: {loud[0].getMessage()}"}
    _logged.clear()
    if warned and said["outcome"] != FAULT:
        said = {"outcome": FAULT, "text": f"warned: {warned[0].category.__name__}: {warned[0].message}"}
    return said


class _Collector(logging.Handler):
    """Keeps what is logged, which a terminal would show."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        _logged.append(record)


def _status(key: str) -> int:
    """A figure of this process's memory [KiB]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
