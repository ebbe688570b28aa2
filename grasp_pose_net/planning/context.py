"""What all stages of a plan know: the object, its field, what is around it, and the arm; made once for a request."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import perf_counter

import numpy as np
import torch
import trimesh

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.robot import GraspMotion
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import (
    Array,
    Box,
    HalfSpace,
    Mesh,
    Part,
    Scene,
    SceneObject,
    Shape,
    Voxels,
    inverse_transform,
    make_transform,
    transform_points,
)

# What is farther than this from an object's surface cannot be touched by a hand that grasps it.
HAND_M = 0.4
KEPT_FIELDS = 8
SAME_PLACE_M = (
    0.005  # how deep the middle of an object may be in another; meshes of what was seen overlap a little
)
UP = np.array([0.0, 0.0, 1.0])
LEVEL = 0.7071  # what leans less than 45° carries, what leans more is a wall
LINE = 1e-6  # points that are no farther off a line than this, relative to its length, are one
WALL_M = 2.0  # a wall without end is, for a hand, a box of this side


class Fields:
    """Distance fields by mesh, the last few kept; the same mesh is computed once, whichever thread asks."""

    def __init__(self, cells: int) -> None:
        """Keep none yet; fields have ``cells`` cells per side."""
        self._cells, self._lock = cells, Lock()
        self._kept: OrderedDict[int, SignedDistanceField] = OrderedDict()

    def __getitem__(self, mesh: trimesh.Trimesh) -> SignedDistanceField:
        """Field of a mesh in the object frame.

        Raises:
            MeshError: the mesh has no inside.
        """
        with self._lock:
            key = hash(mesh)
            if key not in self._kept:
                self._kept[key] = SignedDistanceField.from_mesh(mesh, self._cells)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_FIELDS:
                self._kept.popitem(last=False)
            return self._kept[key]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a hand has to keep clear of, object frame.

    Attributes:
        plane: top of what the object stands on.
        obstacles: boxes around everything else that is near.
        supports: ids of what it stands on.
    """

    plane: HalfSpace | None = None
    obstacles: tuple[Part, ...] = ()
    supports: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Context:
    """What the stages share.

    Attributes:
        hand: the hand.
        kinematics: its kinematics, single precision.
        target: the object.
        field: its signed distance field, object frame.
        near: what the hand has to keep clear of.
        motion: the arm's checks in this scene; None: there is no arm.
        start: (J,) configuration that the arm comes from [rad].
        rng: random numbers; anew for each request, so that the same object gets the same grasps.
        seconds: wall time by stage, which running a stage adds to.
    """

    hand: Hand
    kinematics: Kinematics
    target: SceneObject
    field: SignedDistanceField
    near: Surroundings
    rng: np.random.Generator
    motion: GraspMotion | None = None
    start: Array | None = None
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        started = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - started


def check_place(scene: Scene, target: SceneObject, fields: Fields) -> None:
    """Refuse a target whose innermost point lies in another object to grasp: one of them is not there.

    Raises:
        PlanningError: naming both.
    """
    for other in scene.targets:
        T_other_target = inverse_transform(other.T_world_object) @ target.T_world_object
        reach_m = max(*other.mesh.extents, *target.mesh.extents)
        if other.id == target.id or np.linalg.norm(T_other_target[:3, 3]) > reach_m:
            continue
        inside = transform_points(T_other_target, fields[target.mesh].innermost)
        depth_m = -float(fields[other.mesh].distance(torch.as_tensor(inside)[None, None]))
        if depth_m > SAME_PLACE_M:
            raise PlanningError(
                f"target {target.id!r} lies in object {other.id!r}, {1e3 * depth_m:.0f} mm deep; ask for {other.id!r}, or take "
                "it out of the scene"
            )


def surroundings(scene: Scene, target: SceneObject, supports: Sequence[str] = ()) -> Surroundings:
    """What is near a target.

    A neighbour stands for a hand as an upright box around it: what reaches into its hollows is taken for a hit.

    Args:
        scene: everything that stands there.
        target: the object; one of its id in the scene is not its own neighbour.
        supports: ids of what it stands on; the highest solid beneath its centre of mass where none is named.

    Raises:
        PlanningError: a support is not in the scene.
    """
    others = [entry for entry in scene.objects if entry.id != target.id]
    if unknown := [id for id in supports if id not in {entry.id for entry in others}]:
        raise PlanningError(
            f"support surface {unknown[0]!r} is not in the scene; objects: "
            f"{', '.join(sorted(entry.id for entry in others)) or 'none'}"
        )
    tops: list[tuple[HalfSpace, str]] = []
    obstacles: list[Part] = []
    T_object_world = inverse_transform(target.T_world_object)
    for entry in others:
        for shape, T_world_shape in entry.placed():
            top = top_beneath(shape, T_world_shape, target.T_world_object, entry.id in supports)
            if top is not None and (not supports or entry.id in supports):
                tops.append((top, entry.id))
            elif entry.id not in supports:
                obstacles.append(_box_around(shape, T_object_world @ T_world_shape, T_object_world))
    highest = max(tops, key=lambda top: top[0].offset, default=None)
    size_m = float(np.linalg.norm(target.mesh.extents))
    return Surroundings(
        plane=highest[0] if highest else None,
        obstacles=tuple(box for box in obstacles if _distance(box) <= size_m + HAND_M),
        supports=tuple(supports) or ((highest[1],) if highest else ()),
    )


def supports_beneath(scene: Scene, target: SceneObject) -> tuple[str, ...]:
    """Ids of what an object of a scene stands on: the highest solid beneath it, or nothing."""
    return surroundings(scene, target).supports


def top_beneath(
    shape: Shape, T_world_shape: Array, T_world_object: Array, named: bool = False
) -> HalfSpace | None:
    """Top of a solid on which an object stands, object frame; None where it does not.

    Args:
        shape: the solid.
        T_world_shape: (4, 4) its pose.
        T_world_object: (4, 4) pose of the object.
        named: somebody says that the object stands on it: it need not be seen to be over it, and may be a mesh.
    """
    if isinstance(shape, (Mesh, Voxels)) and not named:
        return None
    top = shape.top(T_world_shape[:3, :3].T @ UP).moved(T_world_shape)
    if top.normal @ UP < LEVEL or not (named or _is_over(shape, T_world_shape, T_world_object[:3, 3])):
        return None
    top = top.moved(inverse_transform(T_world_object))
    return top if top.offset <= 0.0 else None


def upright_box(points: Array) -> tuple[Array, Array]:
    """Pose (4, 4) and size (3,) [m] of the smallest box with a vertical axis around points (N, 3).

    Sides may be zero: a wall that is drawn as one sheet is seen as a line from above.
    """
    low, high = points[:, 2].min(), points[:, 2].max()
    middle = points[:, :2].mean(0)
    across = np.linalg.svd(points[:, :2] - middle, full_matrices=False)[2]  # rows: along, and across
    along = (points[:, :2] - middle) @ across.T
    length, width = np.ptp(along, axis=0)
    if width <= LINE * length + 1e-9:  # a hull needs an area
        R_flat_box, size = across.T * (1.0, np.linalg.det(across)), np.ptp(along, axis=0)
        place = middle + across.T @ (along.min(0) + size / 2)
    else:
        T_box_flat, size = trimesh.bounds.oriented_bounds_2D(points[:, :2])
        T_flat_box = np.linalg.inv(T_box_flat)
        R_flat_box, place = T_flat_box[:2, :2], T_flat_box[:2, 2]
    T_world_box = make_transform((*place, (low + high) / 2))
    T_world_box[:2, :2] = R_flat_box
    return T_world_box, np.array([*size, high - low])


def _box_around(shape: Shape, T_object_shape: Array, T_object_world: Array) -> Part:
    """Box (object frame) that stands for a neighbour's shape at ``T_object_shape`` (4, 4)."""
    if isinstance(shape, Box):
        return Part(shape, T_object_shape)
    if isinstance(shape, HalfSpace):
        return _wall(shape.moved(T_object_shape))
    T_world_shape = inverse_transform(T_object_world) @ T_object_shape
    T_world_box, size = upright_box(transform_points(T_world_shape, shape.corners))
    return Part(Box(np.maximum(size, 1e-4)), T_object_world @ T_world_box)


def _wall(solid: HalfSpace) -> Part:
    """Box that fills a half-space near the origin."""
    T_object_box = trimesh.geometry.align_vectors([0.0, 0.0, 1.0], solid.normal)
    T_object_box[:3, 3] = solid.normal * (solid.offset - WALL_M / 2)
    return Part(Box(np.full(3, WALL_M)), T_object_box)


def _is_over(shape: Shape, T_world_shape: Array, point: Array) -> bool:
    """Whether a point (3,) is above or below a solid, not beside it."""
    if isinstance(shape, HalfSpace):
        return True
    axis = int(np.abs(T_world_shape[2, :3]).argmax())
    low, high = shape.bounds
    place = transform_points(inverse_transform(T_world_shape), point)
    return bool(np.delete((low <= place) & (place <= high), axis).all())


def _distance(box: Part) -> float:
    """How far a box is from the origin [m]."""
    place = np.abs(box.T_object_shape[:3, :3].T @ box.T_object_shape[:3, 3])
    return float(np.linalg.norm(np.maximum(place - box.shape.bounds[1], 0.0)))
