"""Ranked grasps as markers for RViz; pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from geometry_msgs.msg import Point
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.hand.primitives import Solid
from grasp_pose_net.nodes.messages.basics import pose_message, time_from_ns, vector_message
from grasp_pose_net.quality import Contacts, contacts
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import Array, Grasp, SceneObject, make_transform, transform_points

GOOD_EPSILON = 0.3  # as green as it gets
HAND_OPACITY = 0.6
CONTACT_COLOUR = ColorRGBA(r=0.1, g=0.3, b=1.0, a=1.0)
DOT_M, NEEDLE_M, NEEDLE_WIDTH_M = 0.006, 0.03, 0.0015
TEXT_M, TEXT_ABOVE_M = 0.03, 0.12


def grasp_markers(
    hand: Hand, grasps: Sequence[Grasp], target: SceneObject, field: SignedDistanceField, frame: str
) -> MarkerArray:
    """Every grasp as the hand's own shapes at its posture, its contacts and its ε; one namespace each.

    The hand is red at ε = 0 and green from ε = 0.3 on. Contacts are dots where the hand touches the object, with
    needles along the object's outward normals. What an earlier array showed goes away.

    Args:
        hand: the hand.
        grasps: the best first; their namespaces are ``grasp_0``, ``grasp_1``, ….
        target: the object that they hold.
        field: its signed distance field.
        frame: of the scene.
    """
    markers = MarkerArray(markers=[Marker(action=Marker.DELETEALL)])
    if not grasps:
        return markers
    x = torch.as_tensor(np.stack([grasp.pose_vector for grasp in grasps]))
    kinematics = Kinematics(hand, torch.float64)
    T_object_link = kinematics.link_poses(x).numpy()
    touching = contacts(hand, kinematics, field, x)
    header = Header(frame_id=frame, stamp=time_from_ns(target.stamp_ns))
    for rank, grasp in enumerate(grasps):
        own = [
            *_hand(hand, T_object_link[rank], target.T_world_object, colour(grasp.quality)),
            *_contacts(touching, rank, target.T_world_object),
            _label(grasp),
        ]
        for number, marker in enumerate(own):
            marker.ns, marker.id = f"grasp_{rank}", number
            marker.header = header
        markers.markers += own
    return markers


def colour(epsilon: float) -> ColorRGBA:
    """From red for an ε of 0 to green for a good one."""
    good = float(np.clip(epsilon / GOOD_EPSILON, 0.0, 1.0))
    return ColorRGBA(r=1.0 - good, g=good, b=0.15, a=HAND_OPACITY)


def _hand(hand: Hand, T_object_link: Array, T_world_object: Array, paint: ColorRGBA) -> list[Marker]:
    """The hand's shapes, its links at (L, 4, 4) in the object."""
    markers = []
    for shape in hand.shapes:
        T_world_shape = T_world_object @ T_object_link[hand.tree.index(shape.link)] @ shape.T_link_shape
        for kind, size, T_shape_part in _parts(shape):
            marker = Marker(type=kind, action=Marker.ADD, scale=vector_message(size), color=paint)
            marker.pose = pose_message(T_world_shape @ T_shape_part)
            markers.append(marker)
    return markers


def _parts(shape: Solid) -> list[tuple[int, list[float], Array]]:
    """Marker types with scale (3,) and pose (4, 4) that make up one shape; RViz knows no capsule."""
    middle = np.eye(4)
    if shape.kind == "box":
        return [(Marker.CUBE, list(shape.size), middle)]
    diameter = 2 * shape.size[0]
    ball = [diameter] * 3
    if shape.kind == "sphere":
        return [(Marker.SPHERE, ball, middle)]
    length = shape.size[1]
    parts = [(Marker.CYLINDER, [diameter, diameter, length], middle)]
    if shape.kind == "capsule":
        parts += [(Marker.SPHERE, ball, make_transform((0, 0, end))) for end in (-length / 2, length / 2)]
    return parts


def _contacts(touching: Contacts, rank: int, T_world_object: Array) -> list[Marker]:
    """Dots and needles of one grasp; none where nothing touches, which RViz would complain about."""
    points, inward = touching.of(rank)
    if not len(points):
        return []
    ends = transform_points(T_world_object, points - NEEDLE_M * inward)
    points = transform_points(T_world_object, points)
    dots = Marker(type=Marker.SPHERE_LIST, scale=vector_message([DOT_M] * 3), points=_points(points))
    needles = Marker(type=Marker.LINE_LIST, scale=vector_message([NEEDLE_WIDTH_M, 0.0, 0.0]))
    needles.points = _points(np.stack([points, ends], axis=1).reshape(-1, 3))
    for marker in (dots, needles):
        marker.pose, marker.color = pose_message(np.eye(4)), CONTACT_COLOUR
    return [dots, needles]


def _points(points: Array) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in points.tolist()]


def _label(grasp: Grasp) -> Marker:
    """ε above the hand's root, where neither hand nor object hides it."""
    # RViz's letters are Latin ones
    marker = Marker(type=Marker.TEXT_VIEW_FACING, text=f"epsilon {grasp.quality:.2f}")
    marker.pose = pose_message(make_transform(grasp.T_world_tip[:3, 3] + [0.0, 0.0, TEXT_ABOVE_M]))
    marker.color = colour(grasp.quality)
    marker.color.a, marker.scale.z = 1.0, TEXT_M
    return marker
