"""The command line: reports are written, bad input is one line and a status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grasp_pose_net.models import share_dir

OBJECTS = share_dir() / "models" / "objects"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "grasp_pose_net.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


@pytest.mark.slow
def test_plan_writes_report_and_picture(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ply"
    broken.write_text("no mesh")
    image, out = tmp_path / "g.png", tmp_path / "out.json"
    done = run("plan", str(OBJECTS / "can.ply"), str(broken), "--image", str(image), "--json", str(out))
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    can, other = report["objects"]
    assert can["failure"] is None and can["epsilon"] > 0 and can["seconds"]["plan"] > 0
    assert len(can["grasps"][0]["x"]) == 25 and len(can["grasps"][0]["joints"]) == 24
    assert can["penetrating_points"] >= 0 and can["hand_penetration_m"] < 0.005
    assert other["failure"] == "mesh" and "broken.ply" in other["reason"] and other["epsilon"] is None
    assert report["summary"]["epsilon"] == pytest.approx(can["epsilon"])
    assert (tmp_path / "g-can.png").stat().st_size > 10_000


@pytest.mark.slow
def test_plan_for_another_hand_without_a_network(tmp_path: Path) -> None:
    image, out = tmp_path / "g.png", tmp_path / "out.json"
    wanted = ("plan", str(OBJECTS / "can.ply"), "--hand", "barrett", "--network", "sampled", "--seed", "3")
    done = run(*wanted, "--image", str(image), "--json", str(out))
    assert done.returncode == 0, done.stderr
    (can,) = json.loads(out.read_text())["objects"]
    assert can["epsilon"] > 0.1 and len(can["grasps"][0]["x"]) == 11 and len(can["grasps"][0]["joints"]) == 8
    assert image.stat().st_size > 10_000


def test_errors_are_one_line(tmp_path: Path) -> None:
    done = run("plan", str(OBJECTS / "can.ply"), "--hand", "nobody")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert "nobody" in done.stderr and "shadow" in done.stderr


def test_settings_are_refused_in_the_words_of_their_dataclass(tmp_path: Path) -> None:
    done = run("plan", str(OBJECTS / "can.ply"), "--rotations", "500")
    assert (done.returncode, done.stderr) == (1, "error: rotations: 500 is out of range; valid: 1 to 128\n")
    config = tmp_path / "c.yaml"
    config.write_text("voxel_m: 5.0")
    done = run("perceive", "view.pcd", "--config", str(config))
    text = f"error: {config}: voxel_m: 5.0 is out of range; valid: 0.0005 to 0.02\n"
    assert (done.returncode, done.stderr) == (1, text)


@pytest.mark.parametrize("command", ["demo", "plan", "hand", "perceive", "synthesize", "train", "benchmark"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0 and f"grasp-pose-net {command} " in done.stdout
