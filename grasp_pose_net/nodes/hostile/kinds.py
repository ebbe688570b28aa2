"""The table of hostile messages: at a border, a field of the honest message, values that it gets, and what is right.

A row stands for as many kinds as it has values. A value may be a function of what the field has been.

Long because it is one table.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from builtin_interfaces.msg import Duration, Time
from control_msgs.msg import JointComponentTolerance, JointTolerance
from geometry_msgs.msg import Point, Pose, Quaternion
from moveit_msgs.msg import AttachedCollisionObject, CollisionObject, Constraints, Grasp, JointConstraint
from sensor_msgs.msg import PointField
from shape_msgs.msg import Mesh, MeshTriangle, Plane, SolidPrimitive
from std_msgs.msg import Header
from trajectory_msgs.msg import JointTrajectoryPoint, MultiDOFJointTrajectoryPoint

from grasp_pose_net.nodes.hostile.borders import BORDERS, block, can, robot
from grasp_pose_net.nodes.messages.basics import MOST_TRIANGLES, mesh_message
from grasp_pose_net.nodes.messages.grasps import MOST_GRASPS
from grasp_pose_net.nodes.messages.scene import MOST_SHAPES

TAKEN, REFUSED = "taken", "refused"

NAN, INF = float("nan"), float("inf")
NO_NUMBER = (NAN, INF, -INF)
NO_PLACE = (*NO_NUMBER, 1e300, -1e9, 5e3)
NO_LENGTH = (*NO_NUMBER, 0.0, -0.1, 1e-310, 1e300, 5e3)
NO_QUATERNION = (
    Quaternion(x=0.0, y=0.0, z=0.0, w=0.0),
    Quaternion(x=0.0, y=0.0, z=0.0, w=NAN),
    Quaternion(x=INF, y=0.0, z=0.0, w=1.0),
    Quaternion(x=0.0, y=0.0, z=0.0, w=1e-310),
)
NO_TIME = (Time(sec=-1), Time(sec=-(2**31)), Time(nanosec=10**9), Time(nanosec=2**32 - 1))
OBJECT, BALL, POST = "collision_objects[1]", "collision_objects[2]", "collision_objects[3]"
HUGE = 2**32 - 1


@dataclass(frozen=True)
class Kind:
    """One kind of hostile message.

    Attributes:
        border: where it comes in.
        path: of the field that is changed, empty for all of the message.
        value: what the field becomes; a function: of what it was.
        right: what is right: it is taken, or refused.
    """

    border: str
    path: str
    value: Any
    right: str

    @property
    def name(self) -> str:
        """In few words."""
        value = self.value.__doc__ if callable(self.value) else re.sub(r"\s+", " ", repr(self.value))
        return f"{self.border}: {self.path} = {str(value)[:60]}"

    def message(self) -> Any:
        """A new message of this kind."""
        message = BORDERS[self.border].honest()
        *way, last = re.findall(r"\w+", self.path)
        holder = message
        for step in way:
            holder = holder[int(step)] if step.isdigit() else getattr(holder, step)
        old = holder[int(last)] if last.isdigit() else getattr(holder, last)
        new = self.value(old) if callable(self.value) else self.value
        if last.isdigit():
            holder[int(last)] = new
        else:
            setattr(holder, last, new)
        return message


def sheet(points: Sequence[Sequence[float]], faces: Sequence[Sequence[int]]) -> Mesh:
    """Mesh message as it is given, with whatever is wrong with it."""
    return Mesh(
        vertices=[Point(x=float(x), y=float(y), z=float(z)) for x, y, z in points],
        triangles=[MeshTriangle(vertex_indices=np.array(face, np.uint32)) for face in faces],
    )


CORNERS, FACES = (
    ((0, 0, 0), (0.1, 0, 0), (0, 0.1, 0), (0, 0, 0.1)),
    ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)),
)
CUBE = trimesh.creation.box((0.06, 0.06, 0.1))
WALL = sheet(((0, 0, 0), (0, 0.4, 0), (0, 0.4, 0.4), (0, 0, 0.4)), ((0, 1, 2), (0, 2, 3)))
SOUP = mesh_message(
    trimesh.Trimesh(CUBE.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
)
OBSTACLE_MESHES = (  # not to be grasped, and there all the same
    WALL,
    sheet(CORNERS[:3], FACES[:1]),
    sheet(CORNERS, FACES[:-1]),
    sheet(CORNERS, [face[::-1] for face in FACES]),
    sheet([(100 * x, 100 * y, 100 * z) for x, y, z in CORNERS], FACES),
    sheet([(1e-3 * x, 1e-3 * y, 1e-3 * z) for x, y, z in CORNERS], FACES),
    SOUP,
)
NO_MESHES = (
    Mesh(),
    sheet(CORNERS, ()),
    sheet((), FACES),
    sheet(CORNERS, ((0, 1, 4),)),
    sheet(CORNERS, ((0, 1, HUGE),)),
    sheet(CORNERS, ((0, 0, 0),)),
    sheet([(0, 0, 0)] * 4, FACES),
    sheet([(x, 0, 0) for x, _, _ in CORNERS], FACES),
    sheet([(NAN, 0, 0), *CORNERS[1:]], FACES),
    sheet([(0, INF, 0), *CORNERS[1:]], FACES),
    sheet([(1e300, 0, 0), *CORNERS[1:]], FACES),
)
PART = SolidPrimitive(type=SolidPrimitive.BOX, dimensions=[0.1] * 3)
FIELDS = [PointField(name=n, offset=4 * i, datatype=PointField.FLOAT32, count=1) for i, n in enumerate("xyz")]
POINT = JointTrajectoryPoint(positions=[0.0] * 3)


def without(entries: Any) -> Any:
    """Its last one away."""
    return entries[:-1]


def twice(entries: Any) -> Any:
    """Its first one twice."""
    return [*entries, entries[0]]


def doubled(entries: Any) -> Any:
    """Its first one in place of its last."""
    return [*entries[:-1], entries[0]]


def hand_links(none: list[str]) -> list[str]:
    """All links of the hand."""
    return sorted(robot().hand_links)


def too_many(mesh: Mesh) -> Mesh:
    """More triangles than are taken."""
    return Mesh(
        vertices=mesh.vertices, triangles=mesh.triangles * (MOST_TRIANGLES // len(mesh.triangles) + 1)
    )


def too_many_objects(objects: list[CollisionObject]) -> list[CollisionObject]:
    """More boxes than are taken."""
    return [
        block(f"box {i}", (1.0, 0.0, 1.0), SolidPrimitive.BOX, (0.01,) * 3) for i in range(MOST_SHAPES + 1)
    ]


def too_many_grasps(grasps: list[Grasp]) -> list[Grasp]:
    """More grasps than are taken."""
    return grasps * (MOST_GRASPS + 1)


Row = tuple[str, str, Sequence[Any], str]
ROWS: tuple[Row, ...] = (
    # scene: the numbers
    ("scene", f"{OBJECT}.pose.position.x", NO_PLACE, REFUSED),
    ("scene", f"{OBJECT}.pose.orientation", NO_QUATERNION, REFUSED),
    ("scene", f"{OBJECT}.mesh_poses[0].position.z", NO_NUMBER, REFUSED),
    ("scene", f"{OBJECT}.mesh_poses[0].orientation", NO_QUATERNION, REFUSED),
    ("scene", f"{OBJECT}.header.stamp", NO_TIME, REFUSED),
    ("scene", "collision_objects[0].primitives[0].dimensions[1]", NO_LENGTH, REFUSED),
    ("scene", f"{BALL}.primitives[0].dimensions[0]", NO_LENGTH, REFUSED),
    ("scene", f"{POST}.primitives[0].dimensions[0]", NO_LENGTH, REFUSED),
    ("scene", f"{POST}.primitives[0].dimensions[1]", NO_LENGTH, REFUSED),
    ("scene", "collision_objects[4].primitives[0].dimensions[1]", NO_LENGTH, REFUSED),
    ("scene", "collision_objects[0].primitives[0].dimensions", ([], [0.1], [0.1] * 2, [0.1] * 4), REFUSED),
    ("scene", f"{BALL}.primitives[0].dimensions", ([], [0.1, 0.1]), REFUSED),
    ("scene", f"{POST}.primitives[0].type", (0, 5, 255), REFUSED),
    ("scene", "collision_objects[5].planes[0].coef[1]", (*NO_NUMBER, 0.0, 1e300), REFUSED),
    ("scene", "collision_objects[5].planes[0].coef[3]", (*NO_NUMBER, 1e300), REFUSED),
    ("scene", f"{OBJECT}.meshes[0]", OBSTACLE_MESHES, TAKEN),
    ("scene", f"{OBJECT}.meshes[0]", (*NO_MESHES, too_many), REFUSED),
    # scene: what it says
    ("scene", f"{OBJECT}.operation", (CollisionObject.REMOVE, CollisionObject.APPEND, CollisionObject.MOVE, b"\xff"), REFUSED),
    ("scene", f"{OBJECT}.header.frame_id", ("", "map", "camera", "x" * 5000), REFUSED),
    ("scene", f"{OBJECT}.id", ("", "table"), REFUSED),
    ("scene", f"{OBJECT}.id", ("x" * 5000, "ünï \U0001f916", "%s{}{0}", "a\nb"), TAKEN),
    ("scene", f"{OBJECT}.meshes", ([],), REFUSED),
    ("scene", f"{OBJECT}.mesh_poses", ([],), TAKEN),
    ("scene", f"{OBJECT}.mesh_poses", ([Pose(), Pose()],), REFUSED),
    ("scene", f"{OBJECT}.type.key", ("obstacle", "support", "several", "mug"), TAKEN),
    ("scene", "collision_objects[0].type.key", ("object", "several"), TAKEN),
    ("scene", f"{POST}.primitive_poses", ([],), TAKEN),
    ("scene", f"{POST}.primitive_poses", ([Pose(), Pose()],), REFUSED),
    ("scene", f"{POST}.primitives", ([], [PART, PART]), REFUSED),
    ("scene", "collision_objects[5].plane_poses", ([Pose(), Pose()],), REFUSED),
    ("scene", "collision_objects[5].planes", ([], [Plane(), Plane()]), REFUSED),
    ("scene", "octomap.octomap.data", (array("b", [1, 2, 3]), array("b", [0] * 10_000)), REFUSED),
    ("scene", "collision_objects", ([],), TAKEN),
    ("scene", "collision_objects", (twice, [CollisionObject()], too_many_objects), REFUSED),
    # request
    ("request", "target.meshes[0]", (WALL, *NO_MESHES), REFUSED),
    ("request", "target.meshes[0]", (SOUP,), TAKEN),
    ("request", "target.meshes", (twice,), REFUSED),
    ("request", "target.id", ("table", "bar"), REFUSED),
    ("request", "target.id", ("", "can"), TAKEN),
    ("request", "target.header.frame_id", ("", "map"), REFUSED),
    ("request", "target.operation", (CollisionObject.REMOVE, CollisionObject.MOVE), REFUSED),
    ("request", "target.pose.orientation", NO_QUATERNION, REFUSED),
    ("request", "target.pose.position.y", NO_PLACE, REFUSED),
    ("request", "target", (CollisionObject(), CollisionObject(id="can"),
                           CollisionObject(id="can", header=Header(stamp=Time(sec=1000)))), TAKEN),
    ("request", "target", (CollisionObject(id="table"), CollisionObject(id="nothing"), CollisionObject(id="ball"),
                           CollisionObject(pose=Pose(position=Point(x=0.5))),
                           CollisionObject(id="can", pose=Pose(position=Point(x=0.5))),
                           CollisionObject(id="can", operation=CollisionObject.REMOVE),
                           block("", (0.5, 0.2, 0.8), SolidPrimitive.SPHERE, (0.03,)),
                           block("mybox", (0.5, 0.2, 0.8), SolidPrimitive.BOX, (0.06, 0.06, 0.12))), REFUSED),
    ("request", "movable_obstacles[0].id", ("table", "can", "mine", ""), REFUSED),
    ("request", "movable_obstacles[0].primitives[0].dimensions", ([0.1, 0.1], [0.1, NAN, 0.1], [0.1, -0.1, 0.1]), REFUSED),
    ("request", "movable_obstacles[0].header.frame_id", ("", "map"), REFUSED),
    ("request", "movable_obstacles", (too_many_objects,), REFUSED),
    # grasp
    ("grasp", "grasp_pose.pose.position.x", NO_PLACE, REFUSED),
    ("grasp", "grasp_pose.pose.orientation", NO_QUATERNION, REFUSED),
    ("grasp", "grasp_pose.header.frame_id", ("", "map", "nothing"), REFUSED),
    ("grasp", "grasp_pose.header.frame_id", ("can",), TAKEN),
    ("grasp", "grasp_quality", NO_NUMBER, REFUSED),
    ("grasp", "pre_grasp_approach.desired_distance", (*NO_NUMBER, -0.1, 1e5, 1e30), REFUSED),
    ("grasp", "pre_grasp_approach.min_distance", (*NO_NUMBER, -0.1, 0.5, 1e30), REFUSED),
    ("grasp", "post_grasp_retreat.desired_distance", (*NO_NUMBER, 1e5), REFUSED),
    ("grasp", "pre_grasp_approach.direction.vector.z", (*NO_NUMBER, 0.0, 1e-310, 1e300), REFUSED),
    ("grasp", "pre_grasp_approach.direction.header.frame_id", ("", "map"), REFUSED),
    ("grasp", "pre_grasp_approach.direction.header.frame_id", ("can", "rh_forearm"), TAKEN),
    ("grasp", "pre_grasp_posture.points", ([], twice), REFUSED),
    ("grasp", "pre_grasp_posture.joint_names", ([], without, twice, doubled), REFUSED),
    ("grasp", "grasp_posture.points", ([], twice), REFUSED),
    ("grasp", "grasp_posture.points", (without,), TAKEN),
    ("grasp", "grasp_posture.points[0].positions", ([], without), REFUSED),
    ("grasp", "grasp_posture.points[0].positions[3]", (*NO_NUMBER, 1e300), REFUSED),
    ("grasp", "grasp_posture.points[1].positions[3]", NO_NUMBER, REFUSED),
    ("grasp", "grasp_posture.points[1].effort[3]", (*NO_NUMBER, 1e300), REFUSED),
    ("grasp", "grasp_posture.points[1].effort", (without,), REFUSED),
    ("grasp", "grasp_posture.points[1].effort", (array("d"),), TAKEN),
    ("grasp", "max_contact_force", (NAN, 5.0), REFUSED),
    ("grasp", "max_contact_force", (-1.0, 0.0), TAKEN),
    ("grasp", "allowed_touch_objects", (["table"],), REFUSED),
    # candidates, and what comes back of them
    ("candidates", "candidate_grasps[1].grasp_pose.pose.position.z", NO_PLACE, REFUSED),
    ("candidates", "candidate_grasps[1].grasp_pose.pose.orientation", NO_QUATERNION, REFUSED),
    ("candidates", "candidate_grasps[1].grasp_posture.points", ([],), REFUSED),
    ("candidates", "candidate_grasps[1].grasp_posture.joint_names", ([], without, doubled), REFUSED),
    ("candidates", "candidate_grasps[1].grasp_posture.points[0].positions[0]", NO_NUMBER, REFUSED),
    ("refined", "grasps[0].id", ("", "7", "-1", "x", "1", "٣"), REFUSED),
    ("refined", "grasps[0].grasp_quality", NO_NUMBER, REFUSED),
    ("refined", "grasps[0].grasp_pose.pose.position.x", NO_NUMBER, REFUSED),
    ("refined", "grasps", (twice,), REFUSED),
    ("refined", "error_code.message", ("", "[", "[]", "{}", '{"reasons": 7}', '{"reasons": []}',
                                       '{"reasons": ["no", null, null]}', '{"reasons": [[], {}, 1]}', "[" * 100_000), REFUSED),
    # pickup goal
    ("pickup goal", "target_name", ("", "nothing", "table"), REFUSED),
    ("pickup goal", "support_surface_name", ("nothing", "can"), REFUSED),
    ("pickup goal", "support_surface_name", ("table",), TAKEN),
    ("pickup goal", "group_name", ("left_arm", "right_hand"), REFUSED),
    ("pickup goal", "group_name", ("right_arm",), TAKEN),
    ("pickup goal", "end_effector", ("left_hand",), REFUSED),
    ("pickup goal", "end_effector", ("shadow_hand", "right_hand"), TAKEN),
    ("pickup goal", "attached_object_touch_links", (["nolink"], ["forearm_link"]), REFUSED),
    ("pickup goal", "attached_object_touch_links", (hand_links,), TAKEN),
    ("pickup goal", "allowed_touch_objects", (["table"], ["can", "nothing"]), REFUSED),
    ("pickup goal", "allowed_touch_objects", (["can"],), TAKEN),
    ("pickup goal", "minimize_object_distance", (True,), REFUSED),
    ("pickup goal", "planner_id", ("RRTConnect",), REFUSED),
    ("pickup goal", "path_constraints", (Constraints(joint_constraints=[JointConstraint()]),), REFUSED),
    ("pickup goal", "planning_options.planning_scene_diff.world.collision_objects", ([can()],), REFUSED),
    ("pickup goal", "planning_options.planning_scene_diff.robot_state.attached_collision_objects",
     ([AttachedCollisionObject(link_name="rh_forearm", object=can())],), REFUSED),
    ("pickup goal", "planning_options.planning_scene_diff.is_diff", (True,), TAKEN),
    ("pickup goal", "planning_options.look_around", (True,), REFUSED),
    ("pickup goal", "planning_options.replan", (True,), REFUSED),
    ("pickup goal", "possible_grasps", ([],), TAKEN),
    ("pickup goal", "possible_grasps", (twice, too_many_grasps), REFUSED),
    # cloud
    ("cloud", "width", (0,), TAKEN),
    ("cloud", "width", (13, HUGE), REFUSED),
    ("cloud", "height", (0,), TAKEN),
    ("cloud", "height", (2, HUGE), REFUSED),
    ("cloud", "point_step", (0, 1, 11, 13, 2**31, HUGE), REFUSED),
    ("cloud", "row_step", (0, 1, 143), REFUSED),
    ("cloud", "row_step", (HUGE,), TAKEN),
    ("cloud", "data", (array("B"), without), REFUSED),
    ("cloud", "fields", ([], without, twice, FIELDS[::2]), REFUSED),
    ("cloud", "fields", (FIELDS[::-1],), TAKEN),
    ("cloud", "fields[0].datatype", (0, 1, 6, 255), REFUSED),
    ("cloud", "fields[0].datatype", (8,), TAKEN),
    ("cloud", "fields[2].offset", (9, 12, 2**31, HUGE), REFUSED),
    ("cloud", "is_bigendian", (True,), TAKEN),
    # depth
    ("depth", "image.width", (0, 7, 9, HUGE), REFUSED),
    ("depth", "image.height", (0, 7, HUGE), REFUSED),
    ("depth", "image.step", (0, 1, 15, 17, HUGE), REFUSED),
    ("depth", "image.encoding", ("", "rgb8", "16uc1", "32FC1", "64FC1"), REFUSED),
    ("depth", "image.data", (array("B"), without), REFUSED),
    ("depth", "info.width", (0, 640, HUGE), REFUSED),
    ("depth", "info.p[0]", (*NO_NUMBER, 0.0, -10.0, 1e-300, 1e300), REFUSED),
    ("depth", "info.p[2]", (*NO_NUMBER, 1e300), REFUSED),
    ("depth", "info.p[3]", (*NO_NUMBER, -12.0), REFUSED),
    ("depth", "info.p", (np.zeros(12),), TAKEN),
    ("depth", "info.binning_x", (2, HUGE), REFUSED),
    ("depth", "info.roi.x_offset", (4,), REFUSED),
    # transforms
    ("transforms", "transforms[0].transform.translation.x", (*NO_NUMBER, 1e300), REFUSED),
    ("transforms", "transforms[0].transform.rotation", NO_QUATERNION, REFUSED),
    ("transforms", "transforms[0].header.stamp", (*NO_TIME, Time(sec=2**31 - 1), Time(sec=1100)), REFUSED),
    ("transforms", "transforms[0].header.stamp", (Time(sec=1005), Time(sec=1)), REFUSED),
    ("transforms", "transforms[0].header.frame_id", ("", "base", "camera", "other"), REFUSED),
    ("transforms", "transforms[0].header.frame_id", ("/world",), TAKEN),
    ("transforms", "transforms[1].child_frame_id", ("", "base", "world"), REFUSED),
    ("transforms", "transforms", ([], without), REFUSED),
    ("transforms", "transforms", (twice,), TAKEN),
    # joint states
    ("joint states", "position[1]", (*NO_NUMBER, 1e300), REFUSED),
    ("joint states", "velocity[1]", (*NO_NUMBER, 1e300), REFUSED),
    ("joint states", "effort[1]", (*NO_NUMBER, 1e300), REFUSED),
    ("joint states", "position", (array("d"), without), REFUSED),
    ("joint states", "velocity", (without,), REFUSED),
    ("joint states", "velocity", (array("d"),), TAKEN),
    ("joint states", "name", ([], without, doubled), REFUSED),
    ("joint states", "header.stamp", NO_TIME, REFUSED),
    # trajectories
    ("trajectory goal", "trajectory.points", ([], [POINT, POINT]), REFUSED),
    ("trajectory goal", "trajectory.points[1].positions[0]", (*NO_NUMBER, 1e300), REFUSED),
    ("trajectory goal", "trajectory.points[1].velocities[0]", (*NO_NUMBER, 1e300), REFUSED),
    ("trajectory goal", "trajectory.points[1].velocities", (array("d"), without), REFUSED),
    ("trajectory goal", "trajectory.points[1].positions", (array("d"), without), REFUSED),
    ("trajectory goal", "trajectory.points[1].time_from_start", (Duration(sec=-1), Duration(), Duration(sec=2**31 - 1)),
     REFUSED),
    ("trajectory goal", "trajectory.joint_names", ([], without, doubled), REFUSED),
    ("trajectory goal", "path_tolerance[0].position", NO_NUMBER, REFUSED),
    ("trajectory goal", "path_tolerance[0].name", ("", "nothing"), REFUSED),
    ("trajectory goal", "path_tolerance[0].position", (-1.0, 0.0), TAKEN),
    ("trajectory goal", "goal_tolerance", ([JointTolerance(name="wrist", position=NAN)],), REFUSED),
    ("trajectory goal", "component_path_tolerance", ([JointComponentTolerance()],), REFUSED),
    ("trajectory goal", "multi_dof_trajectory.points", ([MultiDOFJointTrajectoryPoint()],), REFUSED),
    ("MoveIt's trajectory", "joint_trajectory.points", ([], [POINT]), REFUSED),
    ("MoveIt's trajectory", "joint_trajectory.points[1].positions[0]", NO_NUMBER, REFUSED),
    ("MoveIt's trajectory", "joint_trajectory.points[1].velocities", (array("d"), without), REFUSED),
    ("MoveIt's trajectory", "joint_trajectory.joint_names", ([], without, doubled), REFUSED),
)  # fmt: skip
KINDS = tuple(Kind(border, path, value, right) for border, path, values, right in ROWS for value in values)
