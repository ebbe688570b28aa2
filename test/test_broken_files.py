"""Every reader on files that are broken by a seed: a right result or one line; and the counting of what comes of it."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from grasp_pose_net.commands.study.broken_files import child, run
from grasp_pose_net.commands.study.broken_files.mutate import MUTATORS, broken
from grasp_pose_net.commands.study.broken_files.readers import READERS, Reader
from grasp_pose_net.exceptions import ConfigError, MeshError

COUNT = int(os.environ.get("GRASP_POSE_NET_BROKEN_FILES", "40"))  # for each reader


@pytest.mark.parametrize("name", READERS)
def test_good_files_are_read_and_broken_ones_refused_in_one_line(name: str, tmp_path: Path) -> None:
    """In this process: a fault that would end it is what `grasp-pose-net study broken-files` looks for."""
    (tmp_path / "seeds").mkdir()
    reader = READERS[name](tmp_path / "seeds")
    for good in reader.good:
        said = child._read(reader, tmp_path, good, name)
        # a cloud of points is a good PLY file, and no mesh
        assert said["outcome"] == child.RIGHT or (name == "ply mesh" and "no point cloud" in said["text"]), (
            said
        )
    outcomes = []
    for number in range(COUNT):
        content = child.content(reader, name, number, seed=0)
        assert content == child.content(reader, name, number, seed=0)
        said = child._read(reader, tmp_path, content, name)
        assert said["outcome"] != child.FAULT, f"input {number}: {said['text']}"
        outcomes.append(said["outcome"])
    assert child.REFUSED in outcomes


def test_every_mutator_changes_something() -> None:
    seeds = [b"width 3\nheight 4\ndata abc def\n", b"other 1.5\n"]
    for mutate in MUTATORS:
        changed = {mutate(seeds[0], seeds, np.random.default_rng(seed)) for seed in range(20)}
        assert len(changed) > 3, mutate.__name__
    assert len({broken(seeds, np.random.default_rng(seed)) for seed in range(50)}) > 40


def raises(path: Path) -> None:
    raise KeyError("radius")


def says_two_lines(path: Path) -> None:
    raise MeshError("no memory: Unable to allocate 8 TiB")


def warns(path: Path) -> None:
    warnings.warn("invalid value", RuntimeWarning, stacklevel=1)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (raises, "KeyError: 'radius'"),
        (says_two_lines, "not one line: no memory: Unable to allocate"),
        (warns, "warned: RuntimeWarning: invalid value"),
    ],
)
def test_whatever_is_neither_right_nor_one_line_is_a_fault(
    tmp_path: Path, read: Callable[[Path], None], text: str
) -> None:
    said = child._read(Reader(".txt", [b"x"], read), tmp_path, b"x", "any")
    assert said["outcome"] == child.FAULT and text in said["text"]


def scripted(name: str, first: int, count: int, seed: int, folder: str, pipe: Connection) -> None:
    """A process that dies of input 1, and is silent after it has begun input 3."""
    for number in range(first, 6):
        pipe.send({"begin": number})
        if number == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        if number == 3:
            time.sleep(60.0)
        pipe.send(
            {"number": number, "outcome": "refused", "text": "no", "s": 0.1, "mb": 600.0 * (number == 4)}
        )


def test_a_process_that_dies_or_hangs_is_counted_and_the_next_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "WAIT_S", 1.0)
    tally = run.break_files(6, names=["pcd"], work=scripted)["pcd"]
    assert (tally.right, tally.refused) == (0, 3)
    assert [(fault["number"], fault["text"].partition(":")[0]) for fault in tally.faults] == [
        (1, "its process ended with SIGSEGV"),
        (3, "its process did not answer within 1 s"),
        (4, "took 0.1 s and 600 MiB"),
    ]
    assert "| pcd | 0 | 3 | 3 | 0.10 | 600 |" in run.figures_table({"pcd": tally})


def test_unknown_readers_are_named() -> None:
    with pytest.raises(ConfigError, match=r"no reader 'doc'; there are: pcd, ply cloud, obj mesh"):
        run.break_files(1, names=["doc"])
