"""The hand, the can and the planner that most tests of planning share."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.hand import Hand
from grasp_pose_net.models import share_dir
from grasp_pose_net.planning import GraspPlanner, PlannerConfig
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.world import SceneObject


@pytest.fixture(scope="session")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="session")
def can() -> SceneObject:
    return SceneObject.target("can", np.eye(4), load_mesh(share_dir() / "models" / "objects" / "can.ply"))


@pytest.fixture(scope="session")
def planner(hand: Hand) -> GraspPlanner:
    return GraspPlanner(hand, PlannerConfig())
