from __future__ import annotations

import numpy as np
import pytest
import trimesh

from grasp_pose_net.simulation.cameras import CameraConfig, camera_ring
from grasp_pose_net.simulation.objects import SimObject
from grasp_pose_net.simulation.physics import Simulation
from grasp_pose_net.simulation.robot_files import posture, robot_model
from grasp_pose_net.simulation.scene_model import CameraView, SceneConfig

SCENE = SceneConfig()
CAMERAS = CameraConfig()


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """Convex pieces are computed here, not taken from what the machine has; once per test run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def box_object():
    return SimObject.from_mesh("box", trimesh.creation.box([0.06, 0.08, 0.12]))


@pytest.fixture(scope="module")
def views():
    ring = camera_ring(CAMERAS, SCENE.table_top)
    return [
        CameraView(name, T_world_optical, CAMERAS.vertical_fov_rad) for name, T_world_optical in ring.items()
    ]


@pytest.fixture(scope="module")
def scene(box_object, views):
    """Simulation with a box; tests get it as it was made."""
    sim = Simulation(SCENE, [box_object], views)
    robot = robot_model(SCENE.robot)
    sim.set_joints(posture(robot, robot.arm, "home"))
    T_world_box = np.eye(4)
    T_world_box[:3, 3] = SCENE.table_top + np.array([0.03, -0.04, 0.06])
    sim.place_object("box", T_world_box)
    return sim, sim.save()


@pytest.fixture
def sim(scene):
    scene[0].restore(scene[1])
    return scene[0]
