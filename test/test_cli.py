"""The command line: reports are written, bad input is one line and a status."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from grasp_pose_net.commands import app
from grasp_pose_net.exceptions import GraspPoseNetError
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


CAN = str(OBJECTS / "can.ply")
PLACES = [
    (("plan", CAN, "--image", "x.foo"), "cannot write x.foo: its name must end in .png"),
    (("plan", CAN, "--json", "folder"), "cannot write folder: it is a folder; name a file in it"),
    (("hand", "barrett", "--image", "file/h.png"), "cannot write file: File exists"),
    (("perceive", "none.pcd", "--out", "file"), "cannot write file: File exists"),
    (("synthesize", "--meshes", ".", "--out", "file/d.npz"), "cannot write file: File exists"),
    (("synthesize", "--meshes", ".", "--out", "d"), "cannot write d: its name must end in .npz"),
    (("train", "--dataset", "d.npz", "--meshes", ".", "--out", "file"), "cannot write file: File exists"),
    (("benchmark", "--meshes", ".", "--out", "file"), "cannot write file: File exists"),
    (("study", "broken-files", "--out", "folder"), "cannot write folder: it is a folder; name a file in it"),
    (("plan", CAN, "--seed", "-5"), "seed: -5 is out of range; valid: 0 to 2147483647"),
    (("demo", "--seed", "-5"), "seed: -5 is out of range; valid: 0 to 2147483647"),
    (
        ("synthesize", "--meshes", ".", "--out", "d.npz", "--seed", "99999999999"),
        "seed: 99999999999 is out of range; ",
    ),
]


@pytest.mark.parametrize(
    ("words", "refusal"), PLACES, ids=lambda value: " ".join(value[:1]) if type(value) is tuple else ""
)
def test_what_cannot_be_written_or_is_out_of_range_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], refusal: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(GraspPoseNetError) as refused:
        app(words, standalone_mode=False)
    assert str(refused.value).startswith(refusal)


def test_a_report_is_whole_or_the_old_one_and_the_run_says_so(tmp_path: Path) -> None:
    """A file may have 100 bytes: what a full disk does, without one."""
    report = tmp_path / "r.json"
    report.write_text('{"yesterday": 1}')
    command = [sys.executable, "-m", "grasp_pose_net.cli", "hand", "barrett", "--json", str(report)]

    def narrow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(command, capture_output=True, text=True, timeout=280, preexec_fn=narrow)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"error: cannot write {report}: File too large"
    assert "Traceback" not in done.stderr
    assert report.read_text() == '{"yesterday": 1}' and list(tmp_path.iterdir()) == [report]


def test_folders_of_reports_and_pictures_are_made(tmp_path: Path) -> None:
    report, picture = tmp_path / "a" / "r.json", tmp_path / "b" / "c" / "h.png"
    app(["hand", "barrett", "--json", str(report), "--image", str(picture)], standalone_mode=False)
    assert json.loads(report.read_text())["name"] == "barrett" and picture.stat().st_size > 10_000


@pytest.mark.parametrize("command", ["demo", "plan", "hand", "perceive", "synthesize", "train", "benchmark"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0 and f"grasp-pose-net {command} " in done.stdout
