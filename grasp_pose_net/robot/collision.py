"""Is a configuration of the robot free of collisions with itself and its scene?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import coal
import numpy as np
import pinocchio as pin

from grasp_pose_net.robot.cancel import Cancel
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.shape_geometry import HULL, SHELL, SOLID, SURFACE, collision_geometry
from grasp_pose_net.world import Array, Scene, SceneObject

# two shapes, and the distance under which they collide [m]; negative: allowed depth
Pair = tuple[int, int, float]


class CollisionChecker:
    """Tests chosen pairs of shapes at any configuration; not for several threads at once."""

    def __init__(
        self,
        robot: RobotModel,
        geometry: pin.GeometryModel,
        owners: Sequence[str],
        pairs: Sequence[Pair],
        carried: Mapping[int, tuple[Array, Array]] | None = None,
    ) -> None:
        """Prepare the pairs.

        Args:
            robot: the robot.
            geometry: shapes of robot and scene; its own pairs are replaced.
            owners: link or object of each shape.
            pairs: what is tested.
            carried: shapes of the attached object, with T_joint_link and T_object_shape (4, 4) each.
        """
        self._carried = dict(carried or {})
        self._model, self._data = robot.model, robot.model.createData()
        self._geometry, self._owners = geometry, tuple(owners)
        # as one matrix: adding pair after pair compares each with all before; they are kept in the matrix's order
        tested = np.zeros((len(owners), len(owners)), bool)
        margin = {(min(a, b), max(a, b)): distance for a, b, distance in pairs}
        tested[tuple(np.array(list(margin)).reshape(-1, 2).T)] = True
        geometry.setCollisionPairs(tested)
        self._geometry_data: pin.GeometryData = geometry.createData()
        for request, pair in zip(self._geometry_data.collisionRequests, sorted(margin), strict=True):
            request.security_margin = margin[pair]
        # For some hundred pairs, comparing all bounding boxes is faster than keeping a tree of them.
        self._manager = pin.BroadPhaseManager_NaiveCollisionManager(
            self._model, geometry, self._geometry_data
        )

    def carry(self, T_link_object: Array) -> None:
        """Hold the attached object at another pose (4, 4) in the link that carries it."""
        for index, (T_joint_link, T_object_shape) in self._carried.items():
            placement = pin.SE3(T_joint_link @ T_link_object @ T_object_shape)
            self._geometry.geometryObjects[index].placement = placement

    def free(self, configuration: Array) -> bool:
        """True if nothing collides at a configuration (J,) [rad]."""
        return not pin.computeCollisions(self._model, self._data, self._manager, configuration, True)

    def collision(self, configuration: Array) -> tuple[str, str] | None:
        """Names of two links or objects that collide at a configuration (J,) [rad], None if nothing does."""
        if self.free(configuration):
            return None
        # the manager says that something collides, but not what
        pin.computeCollisions(
            self._model, self._data, self._geometry, self._geometry_data, configuration, False
        )
        results = self._geometry_data.collisionResults
        for pair, result in zip(self._geometry.collisionPairs, results, strict=True):
            if result.isCollision():
                return self._owners[pair.first], self._owners[pair.second]
        return None

    def contacts(self, configuration: Array) -> dict[tuple[str, str], float]:
        """Links or objects that collide at a configuration (J,) [rad], and how deep [m]; empty if nothing does.

        Depth is counted from the distance that is to be kept, and into a mesh's hull, since it is not defined in a
        surface; into voxels it is not a number.
        """
        if self.free(configuration):
            return {}
        data = self._geometry_data
        pin.computeCollisions(self._model, self._data, self._geometry, data, configuration, False)
        found: dict[tuple[str, str], float] = {}
        for pair, request, result in zip(
            self._geometry.collisionPairs, data.collisionRequests, data.collisionResults, strict=True
        ):
            if result.isCollision():
                names = self._owners[pair.first], self._owners[pair.second]
                depth = request.security_margin - self._distance(pair.first, pair.second)
                found[names] = float(np.maximum(depth, found.get(names, -np.inf)))
        return found

    def _distance(self, a: int, b: int) -> float:
        """Distance of two shapes where they were placed last [m], negative inside; not a number to a bare surface."""
        solids = [self._solid(index) for index in (a, b)]
        if None in solids:
            return float("nan")
        shapes = [self._geometry.geometryObjects[index].geometry for index in solids]
        places = [self._geometry_data.oMg[index] for index in (a, b)]
        (first, second) = (coal.Transform3s(place.rotation, place.translation) for place in places)
        return float(
            coal.distance(shapes[0], first, shapes[1], second, coal.DistanceRequest(), coal.DistanceResult())
        )

    def _solid(self, index: int) -> int | None:
        """The shape itself, or the hull that follows a surface; None where there is none."""
        if not isinstance(self._geometry.geometryObjects[index].geometry, coal.BVHModelBase):
            return index
        hull = index + 1
        same = hull < len(self._owners) and self._owners[hull] == self._owners[index]
        is_hull = same and isinstance(self._geometry.geometryObjects[hull].geometry, coal.ConvexBase)
        return hull if is_hull else None


def scene_checker(
    robot: RobotModel, scene: Scene, clearance_m: float = 0.0, cancel: Cancel | None = None
) -> CollisionChecker:
    """Checker of the robot against itself and a scene.

    The links of the hand are not tested against each other, since that does not change while the arm moves;
    see :func:`hand_checker`. A mesh is its surface to the hand, which may reach into a bowl, and its convex
    hull to the arm and to what the robot holds. Voxels and flat meshes are their surface to all.

    Args:
        robot: the robot.
        scene: the objects, what may touch them, and what is attached.
        clearance_m: distance that arm and forearm keep from the scene [m]; the hand has to come near.
        cancel: asked before each shape; None: nobody cancels.

    Raises:
        PlanningFailed: cancelled.
    """
    geometry: pin.GeometryModel = robot.geometry.copy()
    owners = list(robot.geometry_links)
    pairs = [(a, b, 0.0) for a, b in robot.pairs if not (_in_hand(robot, a) and _in_hand(robot, b))]
    carried: dict[int, tuple[Array, Array]] = {}
    surfaces: set[int] = set()
    held = scene.attached.id if scene.attached else None
    # objects at rest are not tested against each other: what is held comes last, and is tested against all
    for entry in sorted(scene.objects, key=lambda entry: entry.id == held):
        joint, T_joint_link, T_link_object = _carrier(robot, scene, entry)
        there = list(owners if entry.id == held else robot.geometry_links)
        margins = {owner: _margin(robot, scene, owner, entry.id, clearance_m) for owner in set(there)}
        near = [
            (other, owner, margins[owner]) for other, owner in enumerate(there) if margins[owner] > -np.inf
        ]
        for part in entry.parts:
            for kind, shape in collision_geometry(part.shape):
                if cancel:
                    cancel.check()
                place = pin.SE3(T_joint_link @ T_link_object @ part.T_object_shape)
                new = geometry.addGeometryObject(
                    pin.GeometryObject(f"scene/{len(owners)}", joint, place, shape)
                )
                if joint:
                    carried[new] = (T_joint_link, part.T_object_shape)
                pairs += [
                    (other, new, margin)
                    for other, owner, margin in near
                    if other not in surfaces and _fits(kind, owner in robot.hand_links, margin)
                ]
                if kind in (SURFACE, SHELL):
                    surfaces.add(new)
                owners.append(entry.id)
    return CollisionChecker(robot, geometry, owners, pairs, carried)


def hand_checker(robot: RobotModel, depth_m: float = 0.0) -> CollisionChecker:
    """Checker of the hand's links against each other; they may reach into each other by ``depth_m``."""
    pairs = [(a, b, -depth_m) for a, b in robot.pairs if _in_hand(robot, a) and _in_hand(robot, b)]
    return CollisionChecker(robot, robot.geometry.copy(), robot.geometry_links, pairs)


def _in_hand(robot: RobotModel, geometry: int) -> bool:
    return robot.geometry_links[geometry] in robot.hand_links


def _margin(robot: RobotModel, scene: Scene, owner: str, name: str, clearance_m: float) -> float:
    """Distance [m] under which a link or another object collides with object ``name``; -inf: not tested."""
    held = scene.attached.id if scene.attached else None
    if owner not in robot.geometry_links:
        if held not in (owner, name) or owner == name:
            return -np.inf  # two objects at rest
        return -max(scene.allowed_depth(owner, name), scene.allowed_depth(name, owner))
    if robot.parent_joint(owner)[0] == 0 and held != name:
        return -np.inf  # a stand and a table at rest
    if scene.attached and held == name and owner in scene.attached.touch_links:
        return -np.inf
    depth = scene.allowed_depth(owner, name)
    return clearance_m if depth == 0.0 and owner not in robot.hand_links else -depth


def _carrier(robot: RobotModel, scene: Scene, entry: SceneObject) -> tuple[int, Array, Array]:
    """The joint that an object moves with (0: the world), T_joint_link and T_link_object."""
    if scene.attached is None or scene.attached.id != entry.id:
        return 0, np.eye(4), entry.T_world_object
    return *robot.parent_joint(scene.attached.link), scene.attached.T_link_object


def _fits(kind: str, in_hand: bool, margin: float) -> bool:
    """Whether a shape of a kind is what a link has to keep ``margin`` from; depth in a surface is not defined."""
    return {SOLID: True, HULL: not in_hand, SURFACE: in_hand and margin >= 0.0, SHELL: margin >= 0.0}[kind]
