from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.shapes import SignedDistanceField

CAN_RADIUS_M = 0.033


@pytest.fixture(scope="session")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="session")
def kinematics(hand: Hand) -> Kinematics:
    return Kinematics(hand, torch.float64)


@pytest.fixture(scope="session")
def can() -> SignedDistanceField:
    return SignedDistanceField.from_mesh(trimesh.creation.cylinder(CAN_RADIUS_M, 0.15, sections=128))


@pytest.fixture
def poses(hand: Hand) -> torch.Tensor:
    """Eight postures with the palm around the can, some in it."""
    rng = np.random.default_rng(0)
    x = np.zeros((8, hand.size))
    x[:, 3:7] = rng.normal(size=(8, 4))
    x[:, 7:] = rng.uniform(hand.lower, hand.upper, (8, len(hand.lower)))
    x[:, :3] = rng.uniform(-0.08, 0.08, (8, 3))
    return torch.tensor(x)
