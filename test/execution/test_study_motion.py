"""The benchmark of motion planning on few goals: its figures, and that it sees a wrong motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from robot_scenes import box

from grasp_pose_net.commands.study import motion as motion_study
from grasp_pose_net.execution import OmplPlanner
from grasp_pose_net.robot import MotionConfig, scene_checker
from grasp_pose_net.world import Scene

CONFIG = MotionConfig()


def test_ten_goals(robot):
    rows = motion_study.benchmark(robot, CONFIG, OmplPlanner(robot, CONFIG), 10, [5])
    assert motion_study.table_of({"starts": rows}).count("\n") == 4
    assert len(rows) == 2
    for row in rows.values():
        assert row["goals"] == 10 and row["planned"] == 1.0, row["problems"]
        assert row["with_a_fault"] == 0, row["faults"]
        # the process's own time: other work has the cores while tests run
        assert row["process_s_p50"] < 0.5


def test_goals_are_free_and_spread_over_tilts(robot):
    home, scene = motion_study.open_at_home(robot), motion_study.scene_with_post()
    checker = scene_checker(robot, scene, CONFIG.clearance_m)
    goals = list(motion_study.reachable_goals(robot, home, checker, 20, np.random.default_rng(1)))
    starts = robot.chain.spread_starts(32, np.random.default_rng(2))
    for T_world_tip in goals:
        assert len(robot.chain.inverse(T_world_tip, home[robot.arm.indices], starts))
    palms = np.array([motion_study.random_palm(np.random.default_rng(seed))[:3, :3] for seed in range(200)])
    np.testing.assert_allclose(np.linalg.det(palms), 1.0)
    down = -palms[:, 2, 1]  # the palm's -y, along the world's z
    assert down.min() < -0.9 and down.max() < np.cos(motion_study.TILT_RAD) * -1 + 1e-6


def test_wrong_motions_are_seen(robot):
    home, scene = motion_study.open_at_home(robot), motion_study.scene_with_post()
    checker = scene_checker(robot, scene, CONFIG.clearance_m)
    goal = home[robot.arm.indices] + (0.5, 0.0, 0.0, 0.0, 0.0, 0.0)
    motion = OmplPlanner(robot, CONFIG).plan_to_joints(home, goal, scene)
    assert motion_study.outside(robot, CONFIG, motion) is None
    assert motion_study.hit(robot, checker, home, motion.positions) is None
    fast = replace(motion, velocities=10 * motion.velocities)
    assert "velocity of" in motion_study.outside(robot, CONFIG, fast)
    # both ends are free, the post is between them
    post = Scene((box("post", (0.05, 0.05, 0.05), robot.link_pose(home, "rh_palm")[:3, 3]),))
    checker = scene_checker(robot, post, CONFIG.clearance_m)
    ends = np.array([home[robot.arm.indices], home[robot.arm.indices]])
    ends[:, 0] += (-0.5, 0.5)
    assert motion_study.hit(robot, checker, home, ends) is None
    assert "hits" in motion_study.hit(robot, checker, home, motion_study.filled(ends))
