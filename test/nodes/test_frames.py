"""Frames over time, without any node."""

from __future__ import annotations

import numpy as np
import pytest

from grasp_pose_net.exceptions import MessageError, PlanningError
from grasp_pose_net.nodes.support import frames
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


def test_a_frame_in_itself_and_a_frame_without_a_name_are_no_transforms(graph: FrameGraph) -> None:
    with pytest.raises(MessageError, match="a frame in itself"):
        graph.add("tip", "/tip", np.eye(4), 1.0, static=False)
    for names in (("", "tip"), ("world", "")):
        with pytest.raises(MessageError, match="without the names"):
            graph.add(*names, np.eye(4), 1.0, static=False)
    np.testing.assert_allclose(graph.lookup("/base", "tip", 1.0), T_BASE_TIP, atol=1e-12)


@pytest.mark.parametrize("static", [True, False])
def test_a_calibration_in_both_directions_is_a_loop_and_is_named(static: bool) -> None:
    graph = FrameGraph()
    graph.add("world", "camera", T_WORLD_BASE, 1.0, static)
    graph.add("camera", "world", inverse_transform(T_WORLD_BASE), 1.0, static)
    graph.add("camera", "lens", np.eye(4), 1.0, static)
    with pytest.raises(PlanningError, match="the frames camera, world form a loop"):
        graph.lookup("world", "lens", 1.0)


def test_what_is_stamped_by_another_clock_is_refused_and_does_no_harm(graph: FrameGraph) -> None:
    with pytest.raises(
        MessageError, match=r"stamped 2147483647\.000 s, but it is 3\.000 s; are the clocks in step"
    ):
        graph.add("base", "tip", np.eye(4), 2.0**31 - 1, static=False, now=3.0)
    graph.add("base", "tip", T_BASE_TIP, 3.0, static=False, now=3.0)
    np.testing.assert_allclose(graph.lookup("base", "tip", 3.0), T_BASE_TIP, atol=1e-12)


@pytest.mark.parametrize("told", [True, False], ids=["the clock says so", "only the stamps say so"])
def test_a_clock_that_begins_again_freezes_nothing(told: bool) -> None:
    graph = FrameGraph()
    graph.add("world", "base", T_WORLD_BASE, 0.0, static=True)
    graph.add("base", "tip", np.eye(4), 1000.0, static=False, now=1000.0)
    if told:
        graph.begin_again()
    graph.add("base", "tip", T_BASE_TIP, 0.5, static=False, now=0.5)
    np.testing.assert_allclose(graph.lookup("world", "tip", 0.5), T_WORLD_BASE @ T_BASE_TIP, atol=1e-12)


def test_two_publishers_that_differ_about_a_fixed_frame_are_refused_while_both_are_there() -> None:
    there = {"one", "other"}
    graph = FrameGraph(lambda: there)
    graph.add("world", "camera", T_WORLD_BASE, 0.0, static=True, source="one")
    graph.add("world", "camera", T_BASE_TIP, 0.0, static=True, source="other")
    with pytest.raises(
        PlanningError,
        match=r"two publishers on /tf_static differ about 'camera': at \[1\.0, 0\.0, 0\.0\] m.* and at \[0\.0, 2\.0",
    ):
        graph.lookup("world", "camera", None)
    there.remove("other")
    np.testing.assert_allclose(graph.lookup("world", "camera", None), T_WORLD_BASE, atol=1e-12)
    there.clear()  # both have said it once and gone: the last word counts
    np.testing.assert_allclose(graph.lookup("world", "camera", None), T_BASE_TIP, atol=1e-12)


def test_a_new_calibration_by_the_same_publisher_counts_and_so_do_two_of_one_opinion() -> None:
    graph = FrameGraph(lambda: {"one", "other"})
    graph.add("world", "camera", np.eye(4), 0.0, static=True, source="one")
    graph.add("world", "camera", T_WORLD_BASE, 0.0, static=True, source="one")
    graph.add("world", "camera", T_WORLD_BASE, 0.0, static=True, source="other")
    np.testing.assert_allclose(graph.lookup("world", "camera", None), T_WORLD_BASE, atol=1e-12)
    with pytest.raises(MessageError, match="it is fixed on /tf_static, which counts"):
        graph.add("world", "camera", np.eye(4), 5.0, static=False)


def test_a_flood_of_frames_or_stamps_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST_FRAMES", 5)
    monkeypatch.setattr(frames, "MOST_STAMPS", 50)
    graph = FrameGraph()
    for i in range(200):
        graph.add("world", "tip", np.eye(4), 1.0 + 1e-3 * i, static=False)
    with pytest.raises(PlanningError, match=r"known from 1\.150 s to 1\.199 s"):
        graph.lookup("world", "tip", 1.0)
    with pytest.raises(MessageError, match="there are 5 frames already"):
        for i in range(10):
            graph.add("world", f"frame {i}", np.eye(4), 1.0, static=False)
