"""Where an object comes to rest: a random stable pose, position and yaw, dropped from a small height."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.exceptions import ExecutionError
from grasp_pose_net.simulation.physics import Simulation
from grasp_pose_net.world import Array

REST_SPEED_M_S = 0.005
LEAST_PROBABILITY = 0.02  # of a stable pose; below, real objects topple


@dataclass(frozen=True, kw_only=True)
class PlacementConfig(Settings):
    """How an episode starts."""

    spread_m: float = setting(0.10, 0.0, 1.0, "largest distance of the object from the table centre")
    drop_height_m: float = setting(0.005, 0.0, 0.1, "fall before the object touches the table")
    settle_s: float = setting(4.0, 0.1, 60.0, "longest time for an object to come to rest")
    tries: int = setting(10, 1, 100, "placements tried before giving up")


def stable_poses(mesh: trimesh.Trimesh) -> tuple[Array, Array]:
    """Ways to stand on a plane.

    Args:
        mesh: object in its own frame [m].

    Returns:
        Rotations (S, 3, 3) that turn the mesh so that it stands on its lowest points, and their probabilities
        (S,).
    """
    hull = mesh.convex_hull
    hull.density, hull.center_mass = 1.0, np.zeros(3)  # the object's own centre of mass, not the hull's
    poses, probabilities = trimesh.poses.compute_stable_poses(hull, sigma=0.0, n_samples=1, threshold=0.0)
    likely = probabilities >= min(LEAST_PROBABILITY, probabilities.max())
    return poses[likely, :3, :3], probabilities[likely] / probabilities[likely].sum()


def place_on_table(sim: Simulation, name: str, config: PlacementConfig, rng: np.random.Generator) -> None:
    """Drop one object of a simulation onto the table and wait until it rests there.

    Raises:
        ExecutionError: after all tries it still rolled or fell off the table.
    """
    mesh = next(item.mesh for item in sim.objects if item.name == name)
    rotations, probabilities = stable_poses(mesh)
    for _ in range(config.tries):
        yaw = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)).as_matrix()
        rotation = yaw @ rotations[rng.choice(len(rotations), p=probabilities)]
        distance, direction = config.spread_m * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        T_world_object = np.eye(4)
        T_world_object[:3, :3] = rotation
        T_world_object[:2, 3] = distance * np.cos(direction), distance * np.sin(direction)
        T_world_object[2, 3] = config.drop_height_m - (mesh.vertices @ rotation[2]).min()
        T_world_object[:3, 3] += sim.config.table_top
        sim.place_object(name, T_world_object)
        if _settle(sim, name, config):
            return
    raise ExecutionError(
        f"{name}: did not come to rest on the table in {config.tries} tries; give another mesh"
    )


def _settle(sim: Simulation, name: str, config: PlacementConfig) -> bool:
    """Step until the object rests; False where it moves on, or not within twice the spread of the centre."""
    steps = round(0.05 / sim.config.timestep_s)
    calm = 0
    for _ in range(round(config.settle_s / 0.05)):
        sim.step(steps)
        calm = calm + 1 if sim.object_speed(name) < REST_SPEED_M_S else 0
        if calm == 4:
            break
    T_world_object = sim.object_pose(name)
    off_centre = np.linalg.norm(T_world_object[:2, 3] - sim.config.table_center_m)
    on_table = T_world_object[2, 3] > sim.config.table_height_m
    sim.place_object(name, T_world_object)  # stops what a round object has left of its roll
    return bool(calm == 4 and on_table and off_centre <= 2 * config.spread_m)
