from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.hand import Hand


@pytest.fixture(scope="session")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
