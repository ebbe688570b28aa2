"""A hand and an object that the tests of the refinement share."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from grasp_pose_net.hand import Hand
from grasp_pose_net.inference import draw_starts
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace


@pytest.fixture(scope="session")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="session")
def can() -> trimesh.Trimesh:
    """A can, 7 cm wide and 12 cm tall."""
    return trimesh.creation.cylinder(radius=0.035, height=0.12, sections=48)


@pytest.fixture(scope="session")
def field(can: trimesh.Trimesh) -> SignedDistanceField:
    return SignedDistanceField.from_mesh(can, 64)


@pytest.fixture(scope="session")
def table() -> HalfSpace:
    """The can stands on it."""
    return HalfSpace((0.0, 0.0, 1.0), -0.06)


@pytest.fixture(scope="session")
def starts(hand: Hand, can: trimesh.Trimesh, field: SignedDistanceField) -> np.ndarray:
    """Pose vectors (16, 25) around the can."""
    return draw_starts(hand, can, field, 16, rng=np.random.default_rng(3))
