"""``/plan_grasp`` and ``/refine_grasp`` as processes on real middleware, with an object that a test publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
import torch
from builtin_interfaces.msg import Time
from moveit_msgs.msg import CollisionObject, Grasp, MoveItErrorCodes, PlanningSceneWorld
from moveit_msgs.srv import GraspPlanning
from node_messages import box_object, mesh_object
from rclpy.node import Node

from grasp_pose_net.bringup import Runner
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.models import share_dir
from grasp_pose_net.nodes.messages.grasps import pose_vectors
from grasp_pose_net.nodes.messages.scene import object_from_message
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.quality import penetration
from grasp_pose_net.shapes import SignedDistanceField, load_mesh
from grasp_pose_net.system import NODES
from grasp_pose_net.world import make_transform

pytestmark = [pytest.mark.ros, pytest.mark.slow, pytest.mark.timeout(600)]

TABLE_TOP_M = 0.72


class Client(Node):
    """Publishes a scene as perception would, and asks for grasps."""

    def __init__(self, check: Callable[[], None]) -> None:
        super().__init__("test_client")
        self._check = check
        self.scene = self.create_publisher(PlanningSceneWorld, "/perception/objects", LATCHED)
        self.plan = self.create_client(GraspPlanning, "/plan_grasp")
        self.refine = self.create_client(GraspPlanning, "/refine_grasp")

    def ask(self, client: object, request: GraspPlanning.Request) -> GraspPlanning.Response:
        future = client.call_async(request)  # type: ignore[attr-defined]
        self.wait(future.done, 120.0)
        return future.result()

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            self._check()
            assert time.monotonic() < deadline, "no answer"
            rclpy.spin_once(self, timeout_sec=0.05)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    nodes = [node for node in NODES if node.name in ("inference", "refinement")]
    with Runner(tmp_path_factory.mktemp("logs"), nodes=nodes) as runner:
        rclpy.init()
        client = Client(runner.check)
        try:
            client.wait(lambda: client.plan.service_is_ready() and client.refine.service_is_ready(), 400.0)
            yield client
        finally:
            client.destroy_node()
            rclpy.shutdown()


def publish(client: Client, *objects: CollisionObject) -> None:
    table = box_object("table", (0.8, 0.8, 0.04), make_transform((0.7, 0, TABLE_TOP_M - 0.02)))
    client.scene.publish(PlanningSceneWorld(collision_objects=[table, *objects]))
    client.wait(lambda: client.scene.get_subscription_count() >= 2, 20.0)
    time.sleep(0.5)  # no acknowledgement tells when both have taken it


def standing(name: str, file: str, x: float, y: float) -> CollisionObject:
    mesh = load_mesh(share_dir() / "models" / "objects" / file)
    pose = make_transform((x, y, TABLE_TOP_M - mesh.bounds[0, 2]))
    return mesh_object(name, mesh, pose)


def test_ranked_grasps_with_all_joints_and_stamped_poses(client: Client) -> None:
    publish(client, standing("can", "can.ply", 0.7, 0.0))
    answer = client.ask(client.plan, GraspPlanning.Request())
    assert answer.error_code.val == MoveItErrorCodes.SUCCESS, answer.error_code.message
    quality = [grasp.grasp_quality for grasp in answer.grasps]
    assert quality and quality == sorted(quality, reverse=True)
    for grasp in answer.grasps:
        assert grasp.id.startswith("can/") and grasp.grasp_pose.header.frame_id == "world"
        assert len(set(grasp.grasp_posture.joint_names)) == 24
        position = grasp.grasp_pose.pose.position
        assert np.hypot(position.x - 0.7, position.y) < 0.6 and position.z > TABLE_TOP_M


def test_refusals_say_what_there_is(client: Client) -> None:
    publish(client, standing("can", "can.ply", 0.7, 0.0))
    unknown = client.ask(client.plan, GraspPlanning.Request(target=CollisionObject(id="cat")))
    assert unknown.error_code.val == MoveItErrorCodes.PLANNING_FAILED and not unknown.grasps
    assert "no object 'cat'" in unknown.error_code.message and "can" in unknown.error_code.message
    support = client.ask(client.plan, GraspPlanning.Request(support_surfaces=["shelf"]))
    assert "support surface 'shelf'" in support.error_code.message and "table" in support.error_code.message
    empty = client.ask(client.refine, GraspPlanning.Request(target=CollisionObject(id="can")))
    assert "candidate_grasps is empty" in empty.error_code.message


def test_out_of_reach_is_counted_and_said(client: Client) -> None:
    publish(client, standing("far", "can.ply", 4.0, 0.0))
    answer = client.ask(client.plan, GraspPlanning.Request())
    assert not answer.grasps and "no inverse kinematics" in answer.error_code.message
    assert answer.error_code.val == MoveItErrorCodes.NO_IK_SOLUTION
    assert "move the object nearer to the arm" in answer.error_code.message


def test_movable_obstacles_are_kept_clear_of(client: Client) -> None:
    """A can in a narrow pit of boxes that only the request knows of has no grasp, and the reason is said."""
    publish(client, standing("can", "can.ply", 0.7, 0.0))
    assert client.ask(client.plan, GraspPlanning.Request()).grasps
    pit = [
        box_object(f"wall_{i}", (0.3, 0.3, 0.4), make_transform((0.7 + x, y, TABLE_TOP_M + 0.2)))
        for i, (x, y) in enumerate(((0.2, 0.0), (-0.2, 0.0), (0.0, 0.2), (0.0, -0.2)))
    ]
    answer = client.ask(client.plan, GraspPlanning.Request(movable_obstacles=pit))
    assert not answer.grasps and "hits a neighbour" in answer.error_code.message
    assert "move the object's neighbours away" in answer.error_code.message


def test_an_object_as_of_another_time_is_not_refined(client: Client) -> None:
    """Who names an object without its mesh must not get grasps of what stood there at another time."""
    publish(client, standing("can", "can.ply", 0.7, 0.0))
    asked = CollisionObject(id="can")
    asked.header.stamp = Time(sec=7)
    answer = client.ask(client.refine, GraspPlanning.Request(target=asked, candidate_grasps=[Grasp()]))
    assert answer.error_code.val == MoveItErrorCodes.FAILURE
    assert "object 'can' as of 7.000 s is not on" in answer.error_code.message


def test_refinement_keeps_ids_and_removes_penetration(client: Client) -> None:
    can = standing("can", "can.ply", 0.7, 0.0)
    publish(client, can)
    hand, target = Hand.load("shadow"), object_from_message(can, "world")
    field, kinematics = SignedDistanceField.from_mesh(target.mesh, 128), Kinematics(hand)

    def depths(grasps: list[Grasp]) -> np.ndarray:
        x = pose_vectors(hand, grasps, target.T_world_object)
        return penetration(hand, kinematics, field, torch.tensor(x).float()).hand_penetration_m.numpy()

    pushed = client.ask(client.plan, GraspPlanning.Request()).grasps
    for grasp in pushed:
        grasp.grasp_pose.pose.position.x += 0.006  # a hand around the can has something on each side of it
    assert depths(pushed).min() > 2e-3
    request = GraspPlanning.Request(target=CollisionObject(id="can"), candidate_grasps=pushed)
    refined = client.ask(client.refine, request).grasps
    assert 0 < len(refined) and {grasp.id for grasp in refined} <= {grasp.id for grasp in pushed}
    assert depths(refined).max() <= 1.2e-3
