"""Capsules, which URDF cannot say: a cylinder with spheres of its radius at both ends."""

from __future__ import annotations

import coal
import numpy as np
import pinocchio as pin

from grasp_pose_net.world import Array


def merge_capsules(geometry: pin.GeometryModel) -> pin.GeometryModel:
    """Shapes in which each cylinder with equal spheres at both ends is one capsule: a third of the tests."""
    shapes = [pin.GeometryObject(shape) for shape in geometry.geometryObjects]
    spheres = [shape for shape in shapes if isinstance(shape.geometry, coal.Sphere)]
    capsules: dict[str, pin.GeometryObject] = {}
    caps: set[str] = set()
    for shape in shapes:
        if not isinstance(shape.geometry, coal.Cylinder):
            continue
        radius, half = shape.geometry.radius, shape.geometry.halfLength
        ends = [shape.placement.act(np.array([0.0, 0.0, end])) for end in (-half, half)]
        found = [{s.name for s in spheres if _is_cap(s, shape.parentFrame, radius, end)} for end in ends]
        if all(found):
            capsule = coal.Capsule(radius, 2 * half)
            capsules[shape.name] = pin.GeometryObject(
                shape.name, shape.parentJoint, shape.parentFrame, shape.placement, capsule
            )
            caps |= found[0] | found[1]
    merged = pin.GeometryModel()
    for shape in shapes:
        if shape.name not in caps:
            merged.addGeometryObject(capsules.get(shape.name, shape))
    return merged


def _is_cap(sphere: pin.GeometryObject, frame: int, radius: float, end: Array) -> bool:
    same_size = abs(sphere.geometry.radius - radius) < 1e-6
    return (
        sphere.parentFrame == frame
        and same_size
        and np.allclose(sphere.placement.translation, end, atol=1e-5)
    )
