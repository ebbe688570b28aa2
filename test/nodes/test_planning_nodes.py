"""``/plan_grasp`` and ``/refine_grasp`` as processes on real middleware, with an object that a test publishes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rclpy
import torch
import trimesh
from builtin_interfaces.msg import Time
from moveit_msgs.msg import CollisionObject, Grasp, MoveItErrorCodes, PlanningSceneWorld
from moveit_msgs.srv import GraspPlanning
from node_messages import box_object, mesh_object
from rclpy.node import Node

from grasp_pose_net.bringup import Runner
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.models import share_dir
from grasp_pose_net.nodes.hostile import BORDERS, KINDS
from grasp_pose_net.nodes.messages.grasps import pose_vectors
from grasp_pose_net.nodes.messages.scene import object_from_message
from grasp_pose_net.nodes.support.qos import LATCHED, REQUESTS
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
            # the first message takes each node longer than the others
            publish(client, standing("can", "can.ply", 0.7, 0.0))
            client.wait(lambda: bool(client.ask(client.plan, GraspPlanning.Request()).grasps), 60.0)
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


SHEET = [[0, 0, 0], [0, 0.4, 0], [0, 0.4, 0.4], [0, 0, 0.4]]


@pytest.mark.parametrize(
    "wall",
    [
        trimesh.Trimesh(SHEET, [[0, 1, 2], [0, 2, 3]], process=False),
        trimesh.Trimesh(SHEET, [[0, 1, 2]], process=False),
    ],
    ids=["wall", "triangle"],
)
def test_obstacles_may_be_sheets(client: Client, wall: trimesh.Trimesh) -> None:
    sheet = mesh_object("wall", wall, make_transform((0.4, 0.3, TABLE_TOP_M)))
    publish(client, standing("can", "can.ply", 0.7, 0.0), sheet)
    answer = client.ask(client.plan, GraspPlanning.Request(target=CollisionObject(id="can")))
    assert len(answer.grasps) == 5, answer.error_code.message


def test_what_is_hostile_is_refused_by_name_and_the_nodes_answer_the_next(client: Client) -> None:
    can, two = (
        standing("can", "can.ply", 0.7, 0.0),
        box_object("two", (0.1, 0.1, 0.1), make_transform((0.6, 0.3, 0.8))),
    )
    two.primitives[0].dimensions = [0.1, 0.1]
    publish(client, can, two)
    refused = client.ask(client.plan, GraspPlanning.Request(target=CollisionObject(id="can")))
    assert refused.error_code.val == MoveItErrorCodes.PLANNING_FAILED
    assert "object 'two': primitive of type 1 has dimensions [0.1, 0.1]" in refused.error_code.message
    publish(client, can)
    refused = client.ask(
        client.plan, GraspPlanning.Request(target=CollisionObject(id="can"), movable_obstacles=[two])
    )
    assert "object 'two': primitive of type 1 has dimensions [0.1, 0.1]" in refused.error_code.message
    client.scene.publish(BORDERS["scene"].honest())
    time.sleep(0.5)
    for kind in KINDS:
        if kind.border == "request" and kind.right == "refused":
            answer = client.ask(client.plan, kind.message())
            assert answer.error_code.val == MoveItErrorCodes.PLANNING_FAILED and not answer.grasps, kind.name
            assert "unexpected" not in answer.error_code.message, (kind.name, answer.error_code.message)
    for kind in KINDS:
        if kind.border == "candidates":
            request = kind.message()
            request.target.id = "can"
            answer = client.ask(client.refine, request)
            assert answer.error_code.val == MoveItErrorCodes.FAILURE, kind.name
            assert "unexpected" not in answer.error_code.message, (kind.name, answer.error_code.message)
    publish(client, can)
    assert client.ask(client.plan, GraspPlanning.Request(target=CollisionObject(id="can"))).grasps


def test_requests_say_what_they_mean_and_nothing_in_them_is_lost(client: Client) -> None:
    can = standing("can", "can.ply", 0.7, 0.0)
    mesh = object_from_message(can, "world").mesh
    hole = trimesh.Trimesh(mesh.vertices, mesh.faces[:-3], process=False)
    publish(client, can, mesh_object("broken", hole, make_transform((0.6, 0.25, TABLE_TOP_M + 0.06))))

    def said(**asked: object) -> str:
        return client.ask(client.plan, GraspPlanning.Request(**asked)).error_code.message

    assert said(group_name="left_arm") == "group_name is 'left_arm'; valid: 'right_arm'"
    assert said(candidate_grasps=[Grasp()]) == "candidate_grasps are for /refine_grasp; leave them empty"
    twin = mesh_object("mine", mesh, object_from_message(can, "world").T_world_object)
    assert said(target=twin).startswith("target 'mine' lies in object 'can', ")
    best = client.ask(client.plan, GraspPlanning.Request())
    assert (
        best.grasps
        and "; not to be grasped: broken (object 'broken': the mesh is not" in best.error_code.message
    )
    assert "object 'broken' is not to be grasped: object 'broken': the mesh is not" in said(
        target=CollisionObject(id="broken")
    )
    bare = standing("can", "can.ply", 0.7, 0.0)
    bare.mesh_poses = []
    assert client.ask(client.plan, GraspPlanning.Request(target=bare)).grasps


def test_many_requests_at_once_are_all_answered(client: Client) -> None:
    publish(client, standing("can", "can.ply", 0.7, 0.0))
    service = client.create_client(GraspPlanning, "/plan_grasp", qos_profile=REQUESTS)
    client.wait(service.service_is_ready, 20.0)
    asked = [service.call_async(GraspPlanning.Request(target=CollisionObject(id="can"))) for _ in range(14)]
    client.wait(lambda: all(future.done() for future in asked), 60.0)
    assert all(future.result().grasps for future in asked)


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
