"""The benchmark of motion planning on few goals: its figures, and that it sees a wrong motion."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from robot_scenes import box

from grasp_pose_net.execution import OmplPlanner
from grasp_pose_net.robot import MotionConfig, scene_checker
from grasp_pose_net.world import Scene

CONFIG = MotionConfig()


@pytest.fixture(scope="module")
def script():
    file = Path(__file__).parents[2] / "scripts" / "benchmark_motion.py"
    spec = importlib.util.spec_from_file_location("benchmark_motion", file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setitem(sys.modules, spec.name, module)  # where dataclasses look
    spec.loader.exec_module(module)
    yield module
    monkeypatch.undo()


def test_ten_goals(script, robot):
    rows = script.benchmark(robot, CONFIG, OmplPlanner(robot, CONFIG), 10, [5])
    script.print_table({"starts": rows})
    assert len(rows) == 2
    for row in rows.values():
        assert row["goals"] == 10 and row["planned"] == 1.0, row["problems"]
        assert row["with_a_fault"] == 0, row["faults"]
        # the process's own time: other work has the cores while tests run
        assert row["process_s_p50"] < 0.5


def test_goals_are_free_and_spread_over_tilts(script, robot):
    home, scene = script.open_at_home(robot), script.scene_with_post()
    checker = scene_checker(robot, scene, CONFIG.clearance_m)
    goals = list(script.reachable_goals(robot, home, checker, 20, np.random.default_rng(1)))
    starts = robot.chain.spread_starts(32, np.random.default_rng(2))
    for T_world_tip in goals:
        assert len(robot.chain.inverse(T_world_tip, home[robot.arm.indices], starts))
    palms = np.array([script.random_palm(np.random.default_rng(seed))[:3, :3] for seed in range(200)])
    np.testing.assert_allclose(np.linalg.det(palms), 1.0)
    down = -palms[:, 2, 1]  # the palm's -y, along the world's z
    assert down.min() < -0.9 and down.max() < np.cos(script.TILT_RAD) * -1 + 1e-6


def test_wrong_motions_are_seen(script, robot):
    home, scene = script.open_at_home(robot), script.scene_with_post()
    checker = scene_checker(robot, scene, CONFIG.clearance_m)
    goal = home[robot.arm.indices] + (0.5, 0.0, 0.0, 0.0, 0.0, 0.0)
    motion = OmplPlanner(robot, CONFIG).plan_to_joints(home, goal, scene)
    assert script.outside(robot, CONFIG, motion) is None
    assert script.hit(robot, checker, home, motion.positions) is None
    fast = replace(motion, velocities=10 * motion.velocities)
    assert "velocity of" in script.outside(robot, CONFIG, fast)
    # both ends are free, the post is between them
    post = Scene((box("post", (0.05, 0.05, 0.05), robot.link_pose(home, "rh_palm")[:3, 3]),))
    checker = scene_checker(robot, post, CONFIG.clearance_m)
    ends = np.array([home[robot.arm.indices], home[robot.arm.indices]])
    ends[:, 0] += (-0.5, 0.5)
    assert script.hit(robot, checker, home, ends) is None
    assert "hits" in script.hit(robot, checker, home, script.filled(ends))
