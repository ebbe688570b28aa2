"""From a scene to grasps of an object in it: the one way that command, node and benchmark share."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import trimesh

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.execution import Scene, SceneObject
from grasp_pose_net.execution.reach import Reach
from grasp_pose_net.geometry import Array, inverse_transform, make_transform, transform_points
from grasp_pose_net.inference import GraspPlanner, Plan, PlannedGrasp, Reachable, Refine
from grasp_pose_net.refinement import Box, Plane
from grasp_pose_net.shapes import SignedDistanceField

# What is farther than this from an object's surface cannot be touched by a hand that grasps it.
HAND_M = 0.4
KEPT_FIELDS = 8


@dataclass(frozen=True, kw_only=True)
class Target:
    """An object to grasp.

    Attributes:
        name: its id.
        mesh: in the object frame (origin at its centre of mass) [m].
        T_world_object: (4, 4) pose in the scene's frame.
    """

    name: str
    mesh: trimesh.Trimesh
    T_world_object: Array


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a hand has to keep clear of, object frame.

    Attributes:
        plane: top of what the object stands on.
        obstacles: boxes around everything else that is near.
        supports: names of what it stands on.
    """

    plane: Plane | None
    obstacles: tuple[Box, ...]
    supports: tuple[str, ...]


class Fields:
    """Distance fields by mesh, the last few kept; the same mesh is computed once."""

    def __init__(self, cells: int) -> None:
        """Keep none yet; fields have ``cells`` cells per side."""
        self._cells = cells
        self._kept: OrderedDict[int, SignedDistanceField] = OrderedDict()

    def __getitem__(self, mesh: trimesh.Trimesh) -> SignedDistanceField:
        """Field of a mesh in the object frame.

        Raises:
            MeshError: the mesh has no inside.
        """
        key = hash(mesh)
        if key not in self._kept:
            self._kept[key] = SignedDistanceField.from_mesh(mesh, self._cells)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_FIELDS:
            self._kept.popitem(last=False)
        return self._kept[key]


class ScenePlanner:
    """Plans grasps of objects in scenes; not for several threads at once.

    Attributes:
        description: who proposes candidates, in words for a log.
    """

    def __init__(self, grasps: GraspPlanner, reach: Reach | None = None) -> None:
        """Prepare.

        Args:
            grasps: plans grasps of one object.
            reach: checks what the arm can do; None: there is no arm.
        """
        self._grasps, self._reach = grasps, reach
        self._fields = Fields(grasps.config.field_cells)
        self.description = grasps.description

    def warm_up(self) -> None:
        """Compile or load what the first request would wait for."""
        self._grasps.warm_up()
        if self._reach:
            self._reach.warm_up()

    def field(self, mesh: trimesh.Trimesh) -> SignedDistanceField:
        """Field of a mesh in the object frame, the one that a plan uses; kept for a while.

        Raises:
            MeshError: the mesh has no inside.
        """
        return self._fields[mesh]

    def plan(
        self, around: Scene, target: Target, supports: Sequence[str] = (), refine: Refine | None = None
    ) -> Plan:
        """Grasps of one object.

        Args:
            around: everything that stands there; an object of the target's name is the target itself.
            target: the object.
            supports: names of what it stands on; what is beneath it where none is named.
            refine: refinement and ranking; in this process where left out.

        Raises:
            PlanningError: a support is not in the scene, or is no box.
            MeshError: the target's mesh has no inside.
        """
        started = time.perf_counter()
        field = self.field(target.mesh)
        field_s = time.perf_counter() - started
        near = surroundings(around, target, supports)
        before = time.perf_counter()
        reachable = self._reachable(around, target, near.supports)
        scene_s = time.perf_counter() - before
        plan = self._grasps.plan(
            field, plane=near.plane, obstacles=near.obstacles, refine=refine, reachable=reachable
        )
        plan.seconds.update(field=field_s, scene=scene_s, plan=time.perf_counter() - started)
        return plan

    def _reachable(self, around: Scene, target: Target, supports: tuple[str, ...]) -> Reachable | None:
        """The arm's check of one grasp in a scene."""
        if self._reach is None:
            return None
        reach = self._reach
        others = tuple(entry for entry in around.objects if entry.name != target.name)
        itself = SceneObject(target.name, target.T_world_object, meshes=(target.mesh,))
        checks = reach.checks(Scene((*others, itself)), target.name, supports)

        def reason(grasp: PlannedGrasp) -> str | None:
            return reach.reason(checks, grasp, target.T_world_object)

        return reason


def surroundings(around: Scene, target: Target, supports: Sequence[str] = ()) -> Surroundings:
    """What is near a target.

    A neighbour stands for a hand as an upright box around it: what reaches into its hollows is taken for a hit.

    Args:
        around: everything that stands there.
        target: the object; one of its name in the scene is not its own neighbour.
        supports: names of what it stands on; the highest box beneath its centre of mass where none is named.

    Raises:
        PlanningError: a support is not in the scene, or is no box.
    """
    boxes = {entry.name: entry.boxes for entry in around.objects if entry.boxes}
    if unknown := [name for name in supports if name not in boxes]:
        raise PlanningError(
            f"support surface {unknown[0]!r} is no box of the scene; boxes: {', '.join(sorted(boxes)) or 'none'}"
        )
    T_object_world = inverse_transform(target.T_world_object)
    tops: list[tuple[Plane, str]] = []
    obstacles: list[Box] = []
    for entry in around.objects:
        if entry.name == target.name:
            continue
        for T_world_box, size in _boxes(entry):
            plane = _plane_beneath(entry, T_world_box, size, target.T_world_object, supports)
            if plane is not None:
                tops.append((plane, entry.name))
            elif entry.name not in supports:
                obstacles.append(Box(T_object_world @ T_world_box, (size[0], size[1], size[2])))
    highest = max(tops, key=lambda top: top[0].offset, default=None)
    size_m = float(np.linalg.norm(target.mesh.extents))
    return Surroundings(
        plane=highest[0] if highest else None,
        obstacles=tuple(box for box in obstacles if _distance(box) <= size_m + HAND_M),
        supports=tuple(supports) or ((highest[1],) if highest else ()),
    )


def supports_beneath(around: Scene, entry: SceneObject) -> tuple[str, ...]:
    """Names of what an object of a scene stands on: the highest box beneath it, or nothing."""
    tops = [
        (plane.offset, other.name)
        for other in around.objects
        if other.name != entry.name and other.boxes
        for T_world_box, size in _boxes(other)
        if (plane := _plane_beneath(other, T_world_box, size, entry.T_world_object))
    ]
    return (max(tops, key=lambda top: top[0])[1],) if tops else ()


def _boxes(entry: SceneObject) -> Iterator[tuple[Array, Array]]:
    """Pose (4, 4) and size (3,) [m] of boxes around an object's parts, in the scene's frame."""
    for size, T_object_box in entry.boxes:
        yield entry.T_world_object @ T_object_box, np.asarray(size, float)
    for mesh in entry.meshes:
        yield upright_box(transform_points(entry.T_world_object, mesh.vertices))


def upright_box(points: Array) -> tuple[Array, Array]:
    """Pose (4, 4) and size (3,) [m] of the smallest box with a vertical axis around points (N, 3)."""
    T_box_flat, (width, depth) = trimesh.bounds.oriented_bounds_2D(points[:, :2])
    T_flat_box = np.linalg.inv(T_box_flat)
    low, high = points[:, 2].min(), points[:, 2].max()
    T_world_box = make_transform((*T_flat_box[:2, 2], (low + high) / 2))
    T_world_box[:2, :2] = T_flat_box[:2, :2]
    return T_world_box, np.array([width, depth, high - low])


def _plane_beneath(
    entry: SceneObject, T_world_box: Array, size: Array, T_world_object: Array, supports: Sequence[str] = ()
) -> Plane | None:
    """Top of an entry's box in object coordinates, if the object stands on it: on a named one, else on any it is over."""
    if not entry.boxes or (supports and entry.name not in supports):
        return None
    plane = _top(T_world_box, size, inverse_transform(T_world_object))
    beneath = entry.name in supports or _is_over(T_world_object, T_world_box, size)
    return plane if beneath and plane.offset <= 0.0 else None


def _top(T_world_box: Array, size: Array, T_object_world: Array) -> Plane:
    """Plane of the box's face that looks up most, in object coordinates, keep-out below it."""
    axis = int(np.abs(T_world_box[2, :3]).argmax())
    up = T_world_box[:3, axis] * np.sign(T_world_box[2, axis])
    normal = T_object_world[:3, :3] @ up
    point = transform_points(T_object_world, T_world_box[:3, 3] + up * size[axis] / 2)
    return Plane(normal=tuple(normal.tolist()), offset=float(normal @ point))


def _is_over(T_world_object: Array, T_world_box: Array, size: Array) -> bool:
    """Whether an object's origin is above or below a box, not beside it."""
    axis = int(np.abs(T_world_box[2, :3]).argmax())
    place = np.abs(transform_points(inverse_transform(T_world_box), T_world_object[:3, 3]))
    return bool(np.delete(place <= size / 2, axis).all())


def _distance(box: Box) -> float:
    """How far a box is from the origin [m]."""
    place = np.abs(box.T_object_box[:3, :3].T @ box.T_object_box[:3, 3])
    return float(np.linalg.norm(np.maximum(place - np.asarray(box.size) / 2, 0.0)))
