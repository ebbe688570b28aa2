"""The planner's own conversions agree with those through messages, and a message is converted once."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import numpy as np
import pytest
import trimesh

pytest.importorskip("rclpy", reason="needs the message packages")

from builtin_interfaces.msg import Time
from moveit_msgs.msg import MoveItErrorCodes

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.hand import Hand
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.inference import error_code
from grasp_pose_net.nodes.messages.basics import box_object, mesh_object
from grasp_pose_net.nodes.messages.grasps import grasp_message
from grasp_pose_net.nodes.messages.motion import pick_grasp
from grasp_pose_net.nodes.messages.scene import MessageScenes
from grasp_pose_net.planning import NoGraspFound, Plan, PlannedGrasp, PlannerConfig, Reach
from grasp_pose_net.robot import Grasp, MotionConfig, RobotModel
from grasp_pose_net.world import Scene, make_transform

pytestmark = pytest.mark.ros

T_WORLD_OBJECT = make_transform((0.6, 0.1, 0.8), (0.9, 0.1, -0.2, 0.3))


def test_a_grasp_is_the_same_for_the_arm_with_and_without_messages() -> None:
    hand, robot, config = Hand.load("shadow"), RobotModel(robot_urdf(), robot_srdf()), PlannerConfig()
    rng = np.random.default_rng(0)
    joints = rng.uniform(hand.lower, hand.upper, (3, len(hand.lower)))
    direction = np.array([0.0, 0.6, 0.8])
    grasp = PlannedGrasp(
        x=np.concatenate([[0.1, 0.02, -0.03, 0.5, 0.5, -0.5, 0.5], joints[0]]),
        epsilon=0.2,
        worst_epsilon=0.1,
        approach_direction=direction,
        approach_joints=joints[1],
        squeeze_joints=joints[2],
    )
    message = grasp_message(
        hand, grasp, config, name="can/0", T_frame_object=T_WORLD_OBJECT, frame="world", stamp=Time()
    )
    through = pick_grasp(message, Scene(), robot.tip, robot.hand.names)
    direct = Reach(robot, hand, MotionConfig(), config).pick_grasp(grasp, T_WORLD_OBJECT, "can/0")
    for field in fields(Grasp):
        got, expected = getattr(direct, field.name), getattr(through, field.name)
        if isinstance(expected, str):
            assert got == expected
        else:
            np.testing.assert_allclose(got, expected, atol=1e-9, err_msg=field.name)


def test_messages_of_one_request_after_another_are_converted_once() -> None:
    mesh = trimesh.creation.box((0.1, 0.2, 0.3))
    can = mesh_object("can", mesh, T_WORLD_OBJECT, "map", Time())
    table = box_object("table", (1.0, 1.0, 0.1), np.eye(4), "map", Time())
    scenes = MessageScenes()
    first, second = scenes.scene((can, table), "map"), scenes.scene((can,), "map")
    assert [entry.name for entry in first.objects] == ["can", "table"]
    assert second.objects[0] is first.objects[0]
    np.testing.assert_allclose(first["can"].T_world_object, T_WORLD_OBJECT, atol=1e-12)
    np.testing.assert_allclose(first["can"].meshes[0].extents, mesh.extents, atol=1e-9)
    with pytest.raises(ValueError, match="'can' is given in frame 'map', the target in 'world'; give both"):
        scenes.scene((can,), "world")


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("no inverse kinematics", MoveItErrorCodes.NO_IK_SOLUTION),
        ("arm in collision", MoveItErrorCodes.GOAL_IN_COLLISION),
        ("penetrates", MoveItErrorCodes.PLANNING_FAILED),
    ],
)
def test_the_error_code_is_that_of_the_stage_that_took_most(reason: str, code: int) -> None:

    plan = Plan(grasps=(), candidates=9, rejected=Counter({"ε too low": 2, reason: 7}))
    assert error_code(NoGraspFound(plan)) == code
    assert error_code(PlanningError("nobody there")) == MoveItErrorCodes.PLANNING_FAILED
