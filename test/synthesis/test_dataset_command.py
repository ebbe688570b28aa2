"""`grasp-pose-net synthesize`: what is written, what is said, and the exit status."""

from __future__ import annotations

import json

import pytest
import trimesh
from quick_planner import write_bad_meshes
from typer.testing import CliRunner

from grasp_pose_net.commands import app
from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.synthesis import load_dataset


def run(*arguments):
    return CliRunner().invoke(app, ["synthesize", *map(str, arguments), "--jobs", "1"])


@pytest.mark.sim
def test_tried_grasps_of_what_is_good_a_line_for_what_is_not_and_status_3(tmp_path):
    meshes, out = tmp_path / "meshes", tmp_path / "out.npz"
    reasons = write_bad_meshes(meshes)
    trimesh.creation.cylinder(radius=0.03, height=0.1, sections=16).export(meshes / "shop" / "can.obj")
    done = run("--meshes", meshes, "--out", out, "--grasps", 2, "--json", tmp_path / "report.json")
    assert done.exit_code == 3, done.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["grasps"] == report["held"] == 2 and report["trials"] >= 2 and report["commit"]
    assert load_dataset(out).held.all()
    for name, text in reasons.items():
        assert text in report["left_out"][name]
        assert any(line.startswith(f"- {name}: ") and text in line for line in done.output.splitlines())


def test_nothing_usable_is_status_1(tmp_path):
    write_bad_meshes(tmp_path / "meshes")
    done = run("--meshes", tmp_path / "meshes", "--out", tmp_path / "out.npz", "--no-trial")
    assert done.exit_code == 1 and "| objects planned / left out | 0 / 6 |" in done.output


def test_an_empty_folder_is_an_error(tmp_path):
    done = run("--meshes", tmp_path, "--out", tmp_path / "out.npz")
    assert done.exit_code == 1 and isinstance(done.exception, GraspPoseNetError)
    assert "no meshes in it" in str(done.exception) and not (tmp_path / "out.npz").exists()


def test_all_planned_is_status_0_and_a_sample_can_be_asked_for(tmp_path):
    for source in ("one", "two"):
        (tmp_path / "meshes" / source).mkdir(parents=True)
        for number in range(2):
            box = trimesh.creation.box((0.05, 0.06, 0.08))
            box.export(tmp_path / "meshes" / source / f"box_{number}.obj")
    given = ("--meshes", tmp_path / "meshes", "--out", tmp_path / "out.npz", "--grasps", 1, "--no-trial")
    done = run(*given, "--sources", "two", "--limit", 1)
    assert done.exit_code == 0, done.output
    assert [str(name).split("/")[0] for name in load_dataset(tmp_path / "out.npz").objects] == ["two"]


@pytest.mark.parametrize(
    ("option", "text"),
    [("--method", "gradient, annealing"), ("--backend", "loky, ray"), ("--hand", "shadow")],
)
def test_a_wrong_choice_is_an_error_that_names_the_right_ones(tmp_path, option, text):
    (tmp_path / "shop").mkdir()
    trimesh.creation.box((0.05, 0.06, 0.1)).export(tmp_path / "shop" / "box.obj")
    done = run("--meshes", tmp_path, "--out", tmp_path / "out.npz", option, "nonsense")
    assert isinstance(done.exception, GraspPoseNetError) and text in str(done.exception)
    assert "nonsense" in str(done.exception)
