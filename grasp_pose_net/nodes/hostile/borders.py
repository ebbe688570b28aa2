"""Where messages come in: at each border an honest message, and what the nodes make of it."""

from __future__ import annotations

import copy
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import trimesh
from builtin_interfaces.msg import Time
from control_msgs.action import FollowJointTrajectory
from control_msgs.msg import JointTolerance
from geometry_msgs.msg import Pose
from moveit_msgs.action import Pickup
from moveit_msgs.msg import CollisionObject, MoveItErrorCodes, PlanningSceneWorld, RobotTrajectory
from moveit_msgs.msg import Grasp as GraspMessage
from moveit_msgs.srv import GraspPlanning
from sensor_msgs.msg import CameraInfo, Image
from sensor_msgs.msg import JointState as JointStateMessage
from shape_msgs.msg import Plane, SolidPrimitive
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from grasp_pose_net.hand import Hand
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.messages import moveit
from grasp_pose_net.nodes.messages.basics import (
    duration_message,
    mesh_message,
    pose_message,
    stamp_seconds,
    transform_from_message,
    transform_stamped,
)
from grasp_pose_net.nodes.messages.clouds import (
    camera_info_message,
    depth_image_message,
    points_from_cloud,
    points_from_depth,
    xyz_cloud_message,
)
from grasp_pose_net.nodes.messages.grasps import (
    candidate_messages,
    grasp_from_message,
    grasp_message,
    pose_vectors,
)
from grasp_pose_net.nodes.messages.motion import joint_state_from_message
from grasp_pose_net.nodes.messages.pickup import supports_of_goal
from grasp_pose_net.nodes.messages.scene import scene_from_message
from grasp_pose_net.nodes.messages.targets import scene_around
from grasp_pose_net.nodes.support.frames import FrameGraph
from grasp_pose_net.nodes.support.remote_refine import refined
from grasp_pose_net.nodes.support.trajectory_server import goal_from_message
from grasp_pose_net.planning import Batch, to_json
from grasp_pose_net.robot import RobotModel
from grasp_pose_net.simulation.controller import ControllerConfig
from grasp_pose_net.world import WORLD, Array, Grasp, Scene, make_transform

NOW = Time(sec=1000)  # of the clock, where one is asked
TABLE_TOP_M = 0.72
JOINTS = ("shoulder", "elbow", "wrist")
CANDIDATES = 3


@dataclass(frozen=True)
class Border:
    """A place where messages come in.

    Attributes:
        name: what errors and tables call it.
        example: a message that is taken; parts of it may be shared with others.
        decode: what the nodes make of a message; raises a `GraspPoseNetError` where it is refused.
    """

    name: str
    example: Callable[[], Any]
    decode: Callable[[Any], Any]

    def honest(self) -> Any:
        """A message that is taken, and may be changed."""
        return copy.deepcopy(self.example())


@dataclass
class DepthView:
    """A depth image and its camera's calibration, which come as two messages."""

    image: Image
    info: CameraInfo


def block(id: str, place: Sequence[float], kind: int, dimensions: Sequence[float]) -> CollisionObject:
    """Message of a primitive."""
    return CollisionObject(
        header=Header(frame_id=WORLD),
        id=id,
        pose=pose_message(make_transform(place)),
        primitives=[SolidPrimitive(type=kind, dimensions=[*dimensions])],
        primitive_poses=[Pose()],
    )


def can() -> CollisionObject:
    """Message of something to grasp."""
    return CollisionObject(
        header=Header(frame_id=WORLD, stamp=NOW),
        id="can",
        pose=pose_message(make_transform((0.7, 0.0, TABLE_TOP_M + 0.05))),
        meshes=[mesh_message(trimesh.creation.box((0.06, 0.06, 0.1)))],
        mesh_poses=[Pose()],
    )


def scene_message() -> PlanningSceneWorld:
    """A can on a table, and one obstacle of each shape."""
    wall = CollisionObject(header=Header(frame_id=WORLD), id="wall", plane_poses=[Pose()])
    wall.planes = [Plane(coef=[0.0, 1.0, 0.0, 0.8])]
    return PlanningSceneWorld(
        collision_objects=[
            block("table", (0.7, 0.0, TABLE_TOP_M - 0.02), SolidPrimitive.BOX, (0.8, 0.8, 0.04)),
            can(),
            block("ball", (0.5, 0.3, 0.8), SolidPrimitive.SPHERE, (0.05,)),
            block("post", (0.5, -0.3, 0.8), SolidPrimitive.CYLINDER, (0.2, 0.03)),
            block("hat", (0.9, -0.3, 0.8), SolidPrimitive.CONE, (0.2, 0.03)),
            wall,
        ]
    )


@cache
def robot() -> RobotModel:
    """The arm that carries the hand."""
    return RobotModel(robot_urdf("ur10_shadow"), robot_srdf("ur10_shadow"))


@cache
def hand() -> Hand:
    """The hand."""
    return Hand.load("shadow")


@cache
def scene() -> Scene:
    """The scene of :func:`scene_message`."""
    return scene_from_message(scene_message(), WORLD)


def request() -> GraspPlanning.Request:
    """A request for grasps of a mesh, with an obstacle of its own."""
    target = can()
    target.id = "mine"
    obstacle = block("bar", (0.9, 0.3, 0.8), SolidPrimitive.BOX, (0.1, 0.1, 0.1))
    return GraspPlanning.Request(target=target, movable_obstacles=[obstacle])


def grasp() -> GraspMessage:
    """A grasp of the can."""
    names = robot().hand.names
    return grasp_message(
        Grasp(
            id="can/0",
            joint_names=names,
            T_world_tip=make_transform((0.7, 0.0, 1.1)),
            approach=np.array([0.0, 0.0, -1.0]),
            approach_m=(0.1, 0.05),
            retreat=np.array([0.0, 0.0, 1.0]),
            retreat_m=(0.1, 0.1),
            pre_grasp=np.zeros(len(names)),
            grasp=np.full(len(names), 0.1),
            squeeze=np.full(len(names), 0.2),
            efforts=np.full(len(names), 0.3),
            quality=0.5,
        ),
        WORLD,
        Time(),
    )


def _candidates() -> list[GraspMessage]:
    x = np.tile([0.0, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0, *np.zeros(hand().size - 7)], (CANDIDATES, 1))
    ids = [str(i) for i in range(CANDIDATES)]
    return candidate_messages(hand(), x, ids, np.eye(4), WORLD, Time())


def _refined() -> GraspPlanning.Response:
    return GraspPlanning.Response(
        grasps=_candidates(),
        error_code=MoveItErrorCodes(
            val=MoveItErrorCodes.SUCCESS,
            message=to_json("all", Batch.of(np.zeros((CANDIDATES, hand().size)))),
        ),
    )


def _goal() -> Pickup.Goal:
    return Pickup.Goal(target_name="can", possible_grasps=[grasp()])


def _picked(goal: Pickup.Goal) -> Any:
    supports = supports_of_goal(goal, scene(), robot())
    return supports, [_grasp(message) for message in goal.possible_grasps]


def _grasp(message: GraspMessage) -> Grasp:
    return grasp_from_message(message, scene(), robot().tip, robot().hand.names)


def _depth() -> DepthView:
    stamp = NOW
    return DepthView(
        depth_image_message(np.full((6, 8), 0.5), "camera", stamp),
        camera_info_message(8, 6, 10.0, "camera", stamp),
    )


def _transforms() -> TFMessage:
    stamp = NOW
    places = (("world", "base", 0.1), ("base", "camera", 0.2))
    return TFMessage(
        transforms=[transform_stamped(a, b, make_transform((x, 0.0, 1.0)), stamp) for a, b, x in places]
    )


def _frames(message: TFMessage) -> Array:
    """As the TF buffer of a node, which keeps each transform or says why not."""
    graph, now = FrameGraph(), stamp_seconds(NOW)
    for stamped in message.transforms:
        at = stamp_seconds(stamped.header.stamp)
        pose = transform_from_message(stamped.transform)
        graph.add(stamped.header.frame_id, stamped.child_frame_id, pose, at, static=False, now=now)
    return graph.lookup("world", "camera", now)


def _points(velocities: bool) -> JointTrajectory:
    points = [
        JointTrajectoryPoint(
            positions=[0.1 * i] * len(JOINTS),
            velocities=[0.1] * len(JOINTS) if velocities else [],
            accelerations=[0.0] * len(JOINTS) if velocities else [],
            time_from_start=duration_message(float(i)),
        )
        for i in range(3)
    ]
    return JointTrajectory(joint_names=[*JOINTS], points=points)


def _follow() -> FollowJointTrajectory.Goal:
    tolerance = [JointTolerance(name=JOINTS[0], position=0.1)]
    return FollowJointTrajectory.Goal(
        trajectory=_points(velocities=True), path_tolerance=tolerance, goal_tolerance=copy.deepcopy(tolerance)
    )


def _joint_states() -> JointStateMessage:
    return JointStateMessage(
        header=Header(stamp=NOW),
        name=[*JOINTS],
        position=[0.1, 0.2, 0.3],
        velocity=array("d", [0.0, 0.0, 0.0]),
        effort=array("d", [1.0, 1.0, 1.0]),
    )


BORDERS = {
    border.name: border
    for border in (
        Border("scene", scene_message, lambda message: scene_from_message(message, WORLD)),
        Border(
            "request",
            request,
            lambda message: scene_around(scene(), message.target, message.movable_obstacles, "/objects"),
        ),
        Border("grasp", grasp, _grasp),
        Border("candidates", lambda: GraspPlanning.Request(candidate_grasps=_candidates()),
               lambda message: pose_vectors(hand(), message.candidate_grasps, np.eye(4))),
        Border("refined", _refined, lambda message: refined(message, hand(), CANDIDATES, np.eye(4))),
        Border("pickup goal", _goal, _picked),
        Border("cloud", lambda: xyz_cloud_message(np.ones((12, 3)), "camera", Time()), points_from_cloud),
        Border("depth", _depth, lambda view: points_from_depth(view.image, view.info)),
        Border("transforms", _transforms, _frames),
        Border("joint states", _joint_states, joint_state_from_message),
        Border("trajectory goal", _follow, lambda goal: goal_from_message(goal, ControllerConfig())),
        Border("MoveIt's trajectory", lambda: RobotTrajectory(joint_trajectory=_points(velocities=True)),
               lambda message: moveit.trajectory(message, JOINTS)),
    )
}  # fmt: skip
