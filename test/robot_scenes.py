"""A box, a grasp and a robot that obeys, which the tests of robot and execution share."""

from __future__ import annotations

import time

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from grasp_pose_net.execution import OmplPlanner, Pickup, PickupConfig
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.robot import ExecutionFailed, MotionConfig, Problem, RobotModel
from grasp_pose_net.world import Grasp, JointState, Scene, SceneObject, inverse_transform, make_transform

MOTION = MotionConfig()
NEVER = bool  # bool() is False


HELD_RAD = 0.02


class Recorder:
    """Controllers that do at once what they are told, until a motion that they are to fail.

    Fingers that may be stopped by an object stay ``held_rad`` behind.
    """

    held_rad = HELD_RAD

    def __init__(self, robot, start, fail_at=None, problem=Problem.ABORTED):
        self.positions = dict(zip(robot.joint_names, start, strict=True))
        self.age_s = 0.01
        self.fail_at, self.problem = fail_at, problem
        self.asked = []

    def joint_state(self):
        if self.age_s > 0.5:
            raise ExecutionFailed(
                Problem.STALE_STATE, f"joint states are {self.age_s:.2f} s old, allowed 0.5 s"
            )
        names, positions = tuple(self.positions), list(self.positions.values())
        return JointState(names, positions, stamp=time.monotonic(), age_s=self.age_s)

    def wait(self, seconds):
        time.sleep(seconds)

    def execute(self, trajectory, may_stop_short, cancelled):
        self.asked.append((trajectory, may_stop_short))
        if len(self.asked) == self.fail_at:
            middle = trajectory.positions[len(trajectory.positions) // 2]
            self.positions.update(zip(trajectory.joint_names, middle, strict=True))
            raise ExecutionFailed(self.problem, "the controller says so")
        end = trajectory.positions[-1]
        if may_stop_short:
            end = end - np.clip(end - trajectory.positions[0], -self.held_rad, self.held_rad)
        self.positions.update(zip(trajectory.joint_names, end, strict=True))


def pickup(robot, controllers):
    return Pickup(robot, OmplPlanner(robot, MOTION), controllers, MOTION, PickupConfig())


def box(name, size, position):
    return SceneObject.box(name, make_transform(position), size)


def slanted_grasp(robot, home, T_world_object, name="slanted", lift_m=0.15):
    R_world_palm = Rotation.from_euler("xz", [150, -90], degrees=True)
    T_world_palm = np.eye(4)
    T_world_palm[:3, :3] = R_world_palm.as_matrix()
    # the middle of the fingers, 7 cm up and 6 cm in front of the palm, comes over the object
    T_world_palm[:3, 3] = T_world_object[:3, 3] + (0, 0, 0.035) - R_world_palm.apply((0.0, -0.06, 0.07))
    T_tip_palm = inverse_transform(robot.link_pose(home, robot.tip)) @ robot.link_pose(home, "rh_palm")
    closed = np.where([n[-1] in "23" and "TH" not in n and "WR" not in n for n in robot.hand.names], 0.5, 0.0)
    return Grasp(
        id=name,
        joint_names=robot.hand.names,
        T_world_tip=T_world_palm @ inverse_transform(T_tip_palm),
        approach=R_world_palm.apply((0.0, -1.0, 0.0)),
        approach_m=(0.10, 0.10),
        retreat=np.array([0.0, 0.0, 1.0]),
        retreat_m=(lift_m, lift_m),
        pre_grasp=np.zeros(24),
        grasp=closed,
        squeeze=closed * 1.2,
    )


@pytest.fixture(scope="session")
def robot():
    return RobotModel(robot_urdf(), robot_srdf())


@pytest.fixture(scope="session")
def home(robot):
    return robot.named_states["home"]


@pytest.fixture(scope="session")
def scene():
    can = trimesh.creation.cylinder(radius=0.033, height=0.12)
    return Scene(
        (
            SceneObject.target("can", make_transform((0.7, 0.1, 0.78)), can),
            box("table", (0.8, 0.8, 0.04), (0.7, 0.0, 0.70)),
        )
    )


@pytest.fixture(scope="session")
def grasp(robot, home, scene):
    """The palm above and beside the can, coming from above at a slant."""
    return slanted_grasp(robot, home, scene["can"].T_world_object)
