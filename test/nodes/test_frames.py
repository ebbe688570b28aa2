"""Frames over time, without any node."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.nodes.support.frames import FrameGraph
from grasp_pose_net.world import inverse_transform, make_transform

pytestmark = pytest.mark.ros

T_WORLD_BASE = make_transform((1.0, 0.0, 0.0), (0.7, 0.1, 0.0, 0.7))
T_BASE_TIP = make_transform((0.0, 2.0, 0.0), (0.5, 0.5, -0.5, 0.5))


@pytest.fixture
def graph() -> FrameGraph:
    graph = FrameGraph()
    graph.add("world", "base", T_WORLD_BASE, 0.0, static=True)
    graph.add("base", "tip", T_BASE_TIP, 1.0, static=False)
    graph.add("base", "tip", make_transform((0.0, 4.0, 0.0), (0.5, 0.5, -0.5, 0.5)), 2.0, static=False)
    return graph


def test_chain_and_its_inverse(graph: FrameGraph) -> None:
    T_world_tip = graph.lookup("world", "tip", 1.0)
    np.testing.assert_allclose(T_world_tip, T_WORLD_BASE @ T_BASE_TIP, atol=1e-12)
    np.testing.assert_allclose(graph.lookup("tip", "world", 1.0), inverse_transform(T_world_tip), atol=1e-12)


def test_between_two_stamps(graph: FrameGraph) -> None:
    np.testing.assert_allclose(graph.lookup("base", "tip", 1.25)[:3, 3], (0.0, 2.5, 0.0), atol=1e-12)
    np.testing.assert_allclose(graph.lookup("base", "tip", None)[:3, 3], (0.0, 4.0, 0.0), atol=1e-12)


def test_refusals_name_frames_and_times(graph: FrameGraph) -> None:
    with pytest.raises(PlanningError, match=r"'tip' asked at 2\.500 s, known from 1\.000 s to 2\.000 s"):
        graph.lookup("world", "tip", 2.5)
    with pytest.raises(PlanningError, match="between 'world' and 'camera'; frames on /tf: base, tip, world"):
        graph.lookup("world", "camera", 1.0)
