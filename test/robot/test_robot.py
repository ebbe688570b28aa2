from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter

import coal
import mujoco
import numpy as np
import pytest

from grasp_pose_net.exceptions import ConfigError, PlanningError
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.robot import RobotModel


def random_configuration(robot, rng):
    return rng.uniform(robot.lower, robot.upper)


def test_groups_tip_and_hand_links(robot):
    assert robot.tip == "rh_forearm"
    assert robot.arm.names == (
        "shoulder_pan_joint",
        "shoulder_lift_joint",
        "elbow_joint",
        "wrist_1_joint",
        "wrist_2_joint",
        "wrist_3_joint",
    )
    assert len(robot.hand.names) == 24 and all(name.startswith("rh_") for name in robot.hand.names)
    assert {"rh_palm", "rh_thdistal", "rh_wrist"} <= robot.hand_links
    assert "rh_forearm" not in robot.hand_links


def test_link_poses_agree_with_mujoco(robot):
    spec = mujoco.MjSpec.from_string(robot_urdf())
    spec.compiler.fusestatic = False
    model = spec.compile()
    data = mujoco.MjData(model)
    rng = np.random.default_rng(0)
    links = ("forearm_link", "rh_forearm", "rh_palm", "rh_thdistal", "rh_lfdistal")
    for _ in range(50):
        configuration = random_configuration(robot, rng)
        for name, value in zip(robot.joint_names, configuration, strict=True):
            data.joint(name).qpos[0] = value
        mujoco.mj_kinematics(model, data)
        for link in links:
            T_world_link = robot.link_pose(configuration, link)
            np.testing.assert_allclose(T_world_link[:3, 3], data.body(link).xpos, atol=1e-6)
            np.testing.assert_allclose(T_world_link[:3, :3].ravel(), data.body(link).xmat, atol=1e-5)


def test_configuration_takes_names_in_any_order_and_ignores_others(robot, home):
    positions = dict(reversed(list(zip(robot.joint_names, home, strict=True)))) | {
        "gripper_of_another_robot": 1.0
    }
    np.testing.assert_array_equal(robot.configuration(positions), home)


def test_configuration_names_missing_joints(robot):
    with pytest.raises(PlanningError, match="joint state lacks 30 of 30 joints: shoulder_pan_joint"):
        robot.configuration({})


def test_outside_limits_names_joint_value_and_limits(robot, home):
    assert robot.outside_limits(home) == []
    wrong = home.copy()
    wrong[2] = 3.5
    assert robot.outside_limits(wrong) == ["elbow_joint = 3.500 (limits -3.142 to 3.142)"]


def test_unknown_link(robot, home):
    with pytest.raises(ConfigError, match="no link 'rh_tail'"):
        robot.link_pose(home, "rh_tail")


def test_srdf_without_end_effector():
    with pytest.raises(ConfigError, match="names no <end_effector>"):
        RobotModel(robot_urdf(), "<robot name='ur10_shadow'/>")


def test_srdf_with_unknown_group():
    srdf = robot_srdf().replace('parent_group="right_arm"', 'parent_group="left_arm"')
    with pytest.raises(ConfigError, match="no group 'left_arm'"):
        RobotModel(robot_urdf(), srdf)


def test_capsules_replace_each_three_shapes_and_nothing_is_lost(robot):
    kinds = Counter(type(shape.geometry).__name__ for shape in robot.geometry.geometryObjects)
    assert kinds["Capsule"] >= 14  # three for each of four fingers, and the thumb's
    collisions = ElementTree.fromstring(robot_urdf()).iter("collision")
    assert sum(kinds.values()) + 2 * kinds["Capsule"] == len(list(collisions))
    capsule = next(
        shape for shape in robot.geometry.geometryObjects if isinstance(shape.geometry, coal.Capsule)
    )
    cylinder = coal.Cylinder(capsule.geometry.radius, 2 * capsule.geometry.halfLength)
    capsule.geometry.computeLocalAABB()
    cylinder.computeLocalAABB()
    longer = capsule.geometry.aabb_local.depth() - cylinder.aabb_local.depth()
    assert longer == pytest.approx(2 * capsule.geometry.radius)


def test_a_finger_is_a_chain_that_nothing_branches_off_from(robot):
    fingers = [[robot.hand.names[place] for place in finger] for finger in robot.fingers]
    assert [{name[:5] for name in finger} for finger in fingers] == [
        {f"rh_{which}"} for which in ("WR", "FF", "LF", "MF", "RF", "TH")
    ]
    assert sorted(name for finger in fingers for name in finger) == sorted(robot.hand.names)
    assert fingers[0] == ["rh_WRJ2", "rh_WRJ1"] and len(fingers[-1]) == 5
