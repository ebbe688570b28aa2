"""The simulation waits for its cameras: however slow the drawing is, each simulated second has its clouds."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

from grasp_pose_net.nodes.support import drawing
from grasp_pose_net.nodes.support.drawing import CLOUDS, Drawing, Job
from grasp_pose_net.simulation.cameras import CameraConfig

pytestmark = pytest.mark.ros


class SlowStudio:
    """Draws when it is let; fails where it is told to."""

    may, broken = threading.Event(), False

    def __init__(self, *_):
        pass

    def cloud(self, camera, model, qpos):
        assert self.may.wait(10)
        if self.broken:
            raise RuntimeError("no graphics")
        return np.zeros((1, 3), np.float32)

    def close(self):
        pass


@pytest.fixture
def drawn(monkeypatch):
    """A drawing thread with a slow studio, the stamps that it published, and what stops it."""
    monkeypatch.setattr(drawing, "Studio", SlowStudio)
    SlowStudio.may, SlowStudio.broken = threading.Event(), False
    stamps, stop = [], threading.Event()
    publisher = SimpleNamespace(publish=lambda message: stamps.append(message.header.stamp.sec))
    logger = SimpleNamespace(error=lambda text: stamps.append("error"))
    node = SimpleNamespace(create_publisher=lambda *_: publisher, get_logger=lambda: logger)
    made = Drawing(node, CameraConfig(names=("camera",)), None, 0, stop)
    yield made, stamps, stop
    stop.set()
    SlowStudio.may.set()
    made.end()


def asked(made, second):
    """Ask for clouds, as the physics does, in a thread that may have to wait."""
    thread = threading.Thread(target=made.ask, args=[Job(CLOUDS, float(second), None, np.zeros(1))])
    thread.start()
    thread.join(0.3)
    return thread


def goes_on(made, second):
    """Whether what asks for clouds is let go on."""
    thread = asked(made, second)
    thread.join(10)
    return not thread.is_alive()


def test_the_physics_goes_on_when_the_clouds_before_are_drawn(drawn):
    made, stamps, _ = drawn
    assert goes_on(made, 1)
    second = asked(made, 2)
    assert second.is_alive() and stamps == []
    SlowStudio.may.set()
    second.join(10)
    assert not second.is_alive()
    assert goes_on(made, 3)
    made.end()
    assert stamps == [1, 2, 3]


def test_graphics_that_fail_and_a_node_that_ends_let_it_go_on(drawn):
    made, stamps, stop = drawn
    SlowStudio.broken = True
    SlowStudio.may.set()
    for second in (1, 2):
        asked(made, second).join(10)
    for _ in range(200):
        if len(stamps) == 2:
            break
        time.sleep(0.05)  # the second is drawn while nobody waits
    SlowStudio.may.clear()
    asked(made, 3)
    last = asked(made, 4)
    assert last.is_alive() and stamps[:2] == ["error", "error"]
    stop.set()
    last.join(5)
    assert not last.is_alive()
