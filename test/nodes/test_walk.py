"""The walk of one request in docs/architecture.md passes the files that a request passes, and no others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

pytest.importorskip("rclpy", reason="needs rclpy")

import rclpy
from moveit_msgs.msg import MoveItErrorCodes, PlanningSceneWorld
from moveit_msgs.srv import GraspPlanning
from node_messages import box_object, mesh_object
from test_documents import ARCHITECTURE, PACKAGE, files_named, section

from grasp_pose_net.models import share_dir
from grasp_pose_net.nodes.inference import InferenceNode
from grasp_pose_net.nodes.refinement import RefinementNode
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.nodes.support.runtime import spinning
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.world import make_transform

pytestmark = [pytest.mark.ros, pytest.mark.slow]

DEADLINE_S = 60.0
# settings are made everywhere; what spins the nodes; how long they wait; what finds compiled code at its first call
ASIDE = {"config.py", "nodes/support/runtime.py", "nodes/support/patience.py", "compiled.py"}
# what is done once the answer is on its way
AFTER = {"nodes/messages/grasp_markers.py", "nodes/support/diagnostics.py"}


@contextmanager
def files_passed() -> Iterator[set[str]]:
    """Files of the package whose functions are called by threads that begin within the block."""
    seen: set[str] = set()
    top = f"{PACKAGE}/"

    def look(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(top):
            seen.add(frame.f_code.co_filename.removeprefix(top))

    threading.setprofile(look)
    try:
        yield seen
    finally:
        threading.setprofile(None)


def wait(ready: object) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def test_a_request_passes_the_files_of_the_walk() -> None:
    walk = set(files_named(section(ARCHITECTURE, "## The walk of one request")))
    mesh = load_mesh(share_dir() / "models" / "objects" / "can.ply")
    can = mesh_object("can", mesh, make_transform((0.7, 0.0, 0.72 - mesh.bounds[0, 2])))
    table = box_object("table", (0.8, 0.8, 0.04), make_transform((0.7, 0.0, 0.70)))
    wall = box_object(
        "wall", (0.02, 0.3, 0.3), make_transform((0.76, 0.0, 0.87))
    )  # some candidates are lost, more are drawn
    rclpy.init()
    with files_passed() as seen:
        nodes = [RefinementNode(), InferenceNode(), rclpy.create_node("client")]
        scenes = nodes[-1].create_publisher(PlanningSceneWorld, "/perception/objects", LATCHED)
        plan = nodes[-1].create_client(GraspPlanning, "/plan_grasp")
        with spinning(*nodes, threads=6):
            seen.clear()
            scenes.publish(PlanningSceneWorld(collision_objects=[table, can, wall]))
            wait(lambda: "planning/context.py" in seen and plan.service_is_ready())
            answer = plan.call_async(GraspPlanning.Request())
            wait(answer.done)
            assert answer.result().error_code.val == MoveItErrorCodes.SUCCESS
            wait(lambda: AFTER <= seen)
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown()
    assert sorted(seen - ASIDE) == sorted(walk)
