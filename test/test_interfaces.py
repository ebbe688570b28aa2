"""The message packages: a node pair exchanges every kind of interface in use, over the real middleware."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

rclpy = pytest.importorskip("rclpy", reason="needs rclpy: make setup")

from control_msgs.action import FollowJointTrajectory
from control_msgs.msg import JointTolerance
from geometry_msgs.msg import Point, Pose, TransformStamped
from moveit_msgs.action import Pickup
from moveit_msgs.msg import CollisionObject, Grasp, MoveItErrorCodes, PlanningSceneWorld, RobotTrajectory
from moveit_msgs.srv import GraspPlanning
from rclpy.action import ActionClient, ActionServer
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.serialization import deserialize_message, serialize_message
from shape_msgs.msg import Mesh, MeshTriangle
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.bringup import free_domain

pytestmark = pytest.mark.ros

TIMEOUT_S = 20.0
DEFINITIONS = Path(__file__).parent.parent / "interfaces"


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Node, Node]]:
    """Yields a server node and a client node, spun by one executor in the background."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=free_domain())
    executor = MultiThreadedExecutor(2, context=context)
    server, client = (
        rclpy.create_node("server", context=context),
        rclpy.create_node("client", context=context),
    )
    executor.add_node(server)
    executor.add_node(client)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    yield server, client
    executor.shutdown()
    thread.join()
    server.destroy_node()
    client.destroy_node()
    context.shutdown()


def result_of(future: rclpy.Future) -> Any:
    """Waits for a future that a background executor completes."""
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    assert done.wait(TIMEOUT_S), "no answer over the middleware"
    return future.result()


def mug() -> CollisionObject:
    """A target with a mesh of one triangle."""
    mesh = Mesh(
        triangles=[MeshTriangle(vertex_indices=[0, 1, 2])],
        vertices=[Point(x=0.1), Point(y=0.2), Point(z=0.3)],
    )
    return CollisionObject(id="mug", operation=CollisionObject.ADD, meshes=[mesh], mesh_poses=[Pose()])


def test_service_grasp_planning(nodes: tuple[Node, Node]) -> None:
    server, client = nodes

    def plan(request: GraspPlanning.Request, response: GraspPlanning.Response) -> GraspPlanning.Response:
        quality = sum(vertex.x + vertex.y + vertex.z for vertex in request.target.meshes[0].vertices)
        response.grasps = [Grasp(id=request.target.id, grasp_quality=quality)]
        response.error_code = MoveItErrorCodes(val=MoveItErrorCodes.SUCCESS, message="fine", source="server")
        return response

    server.create_service(GraspPlanning, "plan_grasp", plan)
    caller = client.create_client(GraspPlanning, "plan_grasp")
    assert caller.wait_for_service(TIMEOUT_S)
    request = GraspPlanning.Request(group_name="right_arm", target=mug(), support_surfaces=["table"])
    response = result_of(caller.call_async(request))
    assert (response.error_code.val, response.error_code.message) == (1, "fine")
    assert [grasp.id for grasp in response.grasps] == ["mug"]
    assert response.grasps[0].grasp_quality == pytest.approx(0.6)


def test_action_pickup(nodes: tuple[Node, Node]) -> None:
    server, client = nodes

    def pick(goal: Any) -> Pickup.Result:
        goal.publish_feedback(Pickup.Feedback(state="lift"))
        goal.succeed()
        stages = [RobotTrajectory(joint_trajectory=JointTrajectory(joint_names=["elbow_joint"]))]
        return Pickup.Result(
            grasp=goal.request.possible_grasps[1], trajectory_stages=stages, planning_time=0.25
        )

    action = ActionServer(server, Pickup, "pickup", pick)
    caller = ActionClient(client, Pickup, "pickup")
    assert caller.wait_for_server(TIMEOUT_S)
    goal = Pickup.Goal(target_name="mug", possible_grasps=[Grasp(id="first"), Grasp(id="second")])
    heard = threading.Event()
    states: list[str] = []

    def hear(message: Any) -> None:
        states.append(message.feedback.state)
        heard.set()

    handle = result_of(caller.send_goal_async(goal, feedback_callback=hear))
    assert handle.accepted
    result = result_of(handle.get_result_async()).result
    assert result.grasp.id == "second"
    assert result.planning_time == 0.25
    assert result.trajectory_stages[0].joint_trajectory.joint_names == ["elbow_joint"]
    assert heard.wait(TIMEOUT_S) and states == ["lift"]
    action.destroy()
    caller.destroy()


def test_action_follow_joint_trajectory(nodes: tuple[Node, Node]) -> None:
    server, client = nodes

    def follow(goal: Any) -> FollowJointTrajectory.Result:
        goal.abort()
        last = goal.request.trajectory.points[-1].positions[0]
        text = f"{goal.request.goal_tolerance[0].name} at {last}"
        return FollowJointTrajectory.Result(
            error_code=FollowJointTrajectory.Result.GOAL_TOLERANCE_VIOLATED, error_string=text
        )

    action = ActionServer(server, FollowJointTrajectory, "follow", follow)
    caller = ActionClient(client, FollowJointTrajectory, "follow")
    assert caller.wait_for_server(TIMEOUT_S)
    trajectory = JointTrajectory(joint_names=["a"], points=[JointTrajectoryPoint(positions=[0.5])])
    tolerance = JointTolerance(name="a", position=0.01)
    goal = FollowJointTrajectory.Goal(trajectory=trajectory, goal_tolerance=[tolerance])
    handle = result_of(caller.send_goal_async(goal))
    result = result_of(handle.get_result_async()).result
    assert (result.error_code, result.error_string) == (-5, "a at 0.5")
    action.destroy()
    caller.destroy()


@pytest.mark.parametrize(
    "message",
    [
        PlanningSceneWorld(collision_objects=[mug()]),
        TFMessage(transforms=[TransformStamped(child_frame_id="camera_optical")]),
        CollisionObject(operation=CollisionObject.REMOVE),
    ],
)
def test_serialisation_keeps_every_field(message: Any) -> None:
    assert deserialize_message(serialize_message(message), type(message)) == message


def test_fields_are_those_published() -> None:
    """Names, types and order are the wire format; these are the ones that differ between releases."""
    assert list(CollisionObject.get_fields_and_field_types().items()) == [
        ("header", "std_msgs/Header"),
        ("pose", "geometry_msgs/Pose"),
        ("id", "string"),
        ("type", "object_recognition_msgs/ObjectType"),
        ("primitives", "sequence<shape_msgs/SolidPrimitive>"),
        ("primitive_poses", "sequence<geometry_msgs/Pose>"),
        ("meshes", "sequence<shape_msgs/Mesh>"),
        ("mesh_poses", "sequence<geometry_msgs/Pose>"),
        ("planes", "sequence<shape_msgs/Plane>"),
        ("plane_poses", "sequence<geometry_msgs/Pose>"),
        ("subframe_names", "sequence<string>"),
        ("subframe_poses", "sequence<geometry_msgs/Pose>"),
        ("operation", "octet"),
    ]
    # ROS 2 Kilted's control_msgs has the two indices; Jazzy's has not
    fields = list(FollowJointTrajectory.Feedback.get_fields_and_field_types())
    assert (fields[5], fields[-1]) == ("index", "multi_dof_index")
    assert list(MoveItErrorCodes.get_fields_and_field_types()) == ["val", "message", "source"]


def test_colcon_skips_the_definitions() -> None:
    assert (DEFINITIONS / "COLCON_IGNORE").is_file()
