from __future__ import annotations

import pytest
import trimesh
from execution_scenes import box, slanted_grasp

from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.robot import RobotModel
from grasp_pose_net.world import Scene, SceneObject, make_transform


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
            SceneObject("can", make_transform((0.7, 0.1, 0.78)), meshes=(can,)),
            box("table", (0.8, 0.8, 0.04), (0.7, 0.0, 0.70)),
        )
    )


@pytest.fixture(scope="session")
def grasp(robot, home, scene):
    """The palm above and beside the can, coming from above at a slant."""
    return slanted_grasp(robot, home, scene["can"].T_world_object)
