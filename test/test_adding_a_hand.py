"""docs/adding_a_hand.md: its two files make a hand, and its commands run as they are written there."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import trimesh
from typer.testing import CliRunner

from grasp_pose_net.commands import app
from grasp_pose_net.hand import Hand
from grasp_pose_net.hand.primitives import signed_distance
from grasp_pose_net.models import share_dir
from grasp_pose_net.synthesis import synthesize

PAGE = Path(__file__).parent.parent / "docs" / "adding_a_hand.md"
COMMANDS = [
    text for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.S) for text in block.splitlines()
]


def block(language: str) -> str:
    """The page's only code block of a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)
    return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has after sections 1 and 2, beside the package's models."""
    folder = tmp_path_factory.mktemp("reader")
    (folder / "claw").mkdir()
    (folder / "claw" / "claw.urdf.xacro").write_text(block("xml"))
    (folder / "claw" / "hand.yaml").write_text(block("yaml"))
    (folder / "models").symlink_to(share_dir() / "models")
    return folder


@pytest.fixture(scope="module")
def claw(folder: Path) -> Hand:
    return Hand.load(str(folder / "claw" / "hand.yaml"))


def test_the_pages_hand_is_what_the_page_says(claw: Hand) -> None:
    assert claw.size == 10 and len(claw.joint_names) == 6
    np.testing.assert_allclose(claw.lower, -0.5)  # -0.6 from the followers does not bind
    np.testing.assert_allclose(claw.upper, 1.4)
    assert claw.is_palm.sum() == 4 and claw.digit_names[-1] == "palm"
    contacts = claw.contacts
    for link, position, normal in zip(contacts.link, contacts.position, contacts.normal, strict=True):
        shapes = [shape for shape in claw.shapes if shape.link == claw.tree.names[link]]
        outside = np.min([signed_distance(shape, (position + 0.001 * normal)[None]) for shape in shapes])
        assert outside == pytest.approx(0.001, abs=1e-6)


def test_any_three_finger_hand_gets_grasps_of_a_box(claw: Hand) -> None:
    box = trimesh.creation.box((0.06, 0.05, 0.09))
    grasps = synthesize(claw, box, 5, np.random.default_rng(0))
    assert len(grasps.x) == 5
    assert grasps.epsilon.min() > 0.05 and grasps.hand_penetration_m.max() <= 1.001e-3
    joints = grasps.x[:, 7:]
    assert (joints >= claw.lower - 1e-9).all() and (joints <= claw.upper + 1e-9).all()


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.split()[1])
def test_the_pages_commands_run(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    program, *arguments = shlex.split(command)
    assert program == "grasp-pose-net"
    done = CliRunner().invoke(app, [*arguments, "--json", "report.json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    for name, value in pairwise(arguments):
        if name in ("--image", "--out"):
            assert (folder / value).stat().st_size > 500
    assert json.loads((folder / "report.json").read_text())


def test_the_page_has_the_commands_it_talks_about() -> None:
    assert [command.split()[1] for command in COMMANDS] == ["hand", "plan", "synthesize"]
