"""The scan of the protocols in this process: what the cameras see of an episode, and what is perceived of it."""

from __future__ import annotations

import numpy as np

from grasp_pose_net.execution import Scene, SceneObject
from grasp_pose_net.perception import Scene as PerceivedScene
from grasp_pose_net.perception import View
from grasp_pose_net.planning import Target
from grasp_pose_net.simulation.studio import Studio, VideoConfig
from grasp_pose_net.simulation.world import Episode, WorldConfig, nominal_cameras

TABLE = "table"


def views_of(episode: Episode, config: WorldConfig, rng: np.random.Generator) -> list[View]:
    """Clouds of all cameras, noisy, with the poses that a calibration would say.

    Args:
        episode: the scene at rest.
        config: its cameras.
        rng: source of the depth noise.
    """
    simulation = episode.simulation
    studio = Studio(config.cameras, VideoConfig(), rng)
    try:
        return [
            View(name, studio.cloud(name, simulation.model, simulation.data.qpos), T_world_camera)
            for name, T_world_camera in nominal_cameras(config).items()
        ]
    finally:
        studio.close()


def perceived_scene(scene: PerceivedScene) -> tuple[Scene, list[Target]]:
    """What perception found, as planning wants it: everything that stands there, and what may be grasped."""
    targets = [
        Target(name=item.id, mesh=item.mesh, T_world_object=item.T_world_object) for item in scene.objects
    ]
    table = SceneObject(TABLE, scene.table.T_world_box, boxes=((scene.table.size, np.eye(4)),))
    obstacles = [
        SceneObject(item.id, item.T_world_box, boxes=((item.size, np.eye(4)),)) for item in scene.obstacles
    ]
    objects = [SceneObject(one.name, one.T_world_object, meshes=(one.mesh,)) for one in targets]
    return Scene((table, *obstacles, *objects)), targets
