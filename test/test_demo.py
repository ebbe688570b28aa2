"""The main job as a user starts it: five real processes, one episode, and what happens when one dies."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.ros, pytest.mark.sim, pytest.mark.slow]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if key != "ROS_DOMAIN_ID"}
    command = [sys.executable, "-m", "grasp_pose_net.cli", "demo", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def node_processes(demo: subprocess.Popen[str]) -> dict[str, int]:
    """Process ids of the demo's nodes by name."""
    listing = subprocess.run(
        ["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(rf"^\s*(\d+)\s+{demo.pid}\s.*grasp_pose_net\.nodes\.(\w+)", listing, re.MULTILINE)
    return {name: int(pid) for pid, name in found}


def wait_for_nodes(demo: subprocess.Popen[str]) -> dict[str, int]:
    deadline = time.monotonic() + 60
    while len(nodes := node_processes(demo)) < 5:
        assert time.monotonic() < deadline and demo.poll() is None, f"only {sorted(nodes)} started"
        time.sleep(0.2)
    return nodes


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.timeout(900)
def test_one_episode_ends_in_a_verdict_with_its_files(tmp_path: Path) -> None:
    demo = start(tmp_path, "--headless", "--episodes", "1", "--seed", "1", "--json", "out.json")
    output, _ = demo.communicate(timeout=880)
    assert demo.returncode == 0, output
    for stage in ("capture", "plan", "verdict", "of 1 objects lifted"):
        assert stage in output
    report = json.loads((tmp_path / "out.json").read_text())
    (episode,) = report["objects"]
    # whether it was lifted is a measurement, not a test; that the whole system acted is
    assert episode["failure"] in (None, "reach", "grasp", "lift", "hold", "shake"), output
    assert episode["seconds"]["plan"] > 0 and episode["seconds"]["perception"] > 0
    (folder,) = (tmp_path / "runs" / "demo").iterdir()
    for name, least in (("report.json", 500), ("grasp.png", 10_000), ("episode.mp4", 10_000)):
        assert (folder / name).stat().st_size > least, name


def test_a_node_that_dies_is_named(tmp_path: Path) -> None:
    demo = start(tmp_path)
    nodes = wait_for_nodes(demo)
    os.kill(nodes["inference"], signal.SIGKILL)
    output, _ = demo.communicate(timeout=30)
    assert demo.returncode == 1
    assert "error: node inference was ended by SIGKILL" in output
    assert all(gone(pid) for pid in nodes.values())


def test_ctrl_c_leaves_nothing_behind_within_5_s(tmp_path: Path) -> None:
    demo = start(tmp_path)
    nodes = wait_for_nodes(demo)
    time.sleep(5.0)
    demo.send_signal(signal.SIGINT)
    began = time.monotonic()
    output, _ = demo.communicate(timeout=30)
    assert time.monotonic() - began < 5.0
    assert demo.returncode != 0 and "Traceback" not in output, output
    assert all(gone(pid) for pid in nodes.values())
