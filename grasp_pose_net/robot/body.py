"""Where the robot's collision shapes are, as plain arrays: for asking of many points whether they are on the robot."""

from __future__ import annotations

from typing import NamedTuple

import coal
import numpy as np
import pinocchio as pin

from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.world import Array


class Body(NamedTuple):
    """The robot's shapes at one moment.

    A shape is everything within ``radius`` of a core: of a box with half sides ``core``, or, where it is ``round``, of a
    cylinder along z with radius ``core[0]`` and half length ``core[2]``. So a sphere is a point and a radius, a capsule a
    line and a radius.

    Attributes:
        T_shape_world: (S, 4, 4) the world's pose in each shape's frame.
        core: (S, 3) [m].
        radius: (S,) [m].
        round: (S,) whether the core is a cylinder.
        low: (S, 3) lowest corner of the box around each shape [m], world frame.
        high: (S, 3) its highest corner.
    """

    T_shape_world: Array
    core: Array
    radius: Array
    round: Array
    low: Array
    high: Array


def body_at(robot: RobotModel, configuration: Array) -> Body:
    """The robot's shapes in the world at a configuration (J,) [rad]; a mesh is the box around it."""
    pin.forwardKinematics(robot.model, robot.data, configuration)
    entries = list(robot.geometry.geometryObjects)
    shapes = [_shape(entry.geometry) for entry in entries]
    # not by Pinocchio's GeometryData: to make one takes 7 ms
    places = [(robot.data.oMi[entry.parentJoint] * entry.placement).homogeneous for entry in entries]
    T_world_shape = np.array([T @ T_own for T, (T_own, *_) in zip(places, shapes, strict=True)]).reshape(
        -1, 4, 4
    )
    core, radius, is_round = (np.array([shape[i] for shape in shapes]) for i in (1, 2, 3))
    half = np.where(is_round[:, None], core[:, [0, 0, 2]], core)
    reach = np.einsum("sij,sj->si", np.abs(T_world_shape[:, :3, :3]), half) + radius[:, None]
    middle = T_world_shape[:, :3, 3]
    return Body(np.linalg.inv(T_world_shape), core, radius, is_round, middle - reach, middle + reach)


def _shape(geometry: coal.CollisionGeometry) -> tuple[Array, tuple[float, float, float], float, bool]:
    """Pose (4, 4) of the core in the geometry's frame, its half sides [m], the radius around it [m], whether it is round."""
    here = np.eye(4)
    if isinstance(geometry, coal.Sphere):
        return here, (0.0, 0.0, 0.0), geometry.radius, True
    if isinstance(geometry, coal.Capsule):
        return here, (0.0, 0.0, geometry.halfLength), geometry.radius, True
    if isinstance(geometry, coal.Cylinder):
        return here, (geometry.radius, 0.0, geometry.halfLength), 0.0, True
    if isinstance(geometry, coal.Box):
        return here, tuple(geometry.halfSide), 0.0, False
    geometry.computeLocalAABB()
    low, high = geometry.aabb_local.min_, geometry.aabb_local.max_
    here[:3, 3] = (low + high) / 2
    return here, tuple((high - low) / 2), 0.0, False
