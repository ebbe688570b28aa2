"""The scan of the protocols in this process: what the cameras see of an episode, and what is perceived of it."""

from __future__ import annotations

import numpy as np

from grasp_pose_net.perception import Scene as PerceivedScene
from grasp_pose_net.perception import View
from grasp_pose_net.simulation.studio import Studio, VideoConfig
from grasp_pose_net.simulation.world import Episode, WorldConfig, nominal_cameras
from grasp_pose_net.world import Role, Scene, SceneObject

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


def perceived_scene(scene: PerceivedScene) -> Scene:
    """What perception found, as planning wants it: everything that stands there."""
    table = SceneObject.box(TABLE, scene.table.T_world_box, scene.table.size, Role.SUPPORT)
    obstacles = [SceneObject.box(item.id, item.T_world_box, item.size) for item in scene.obstacles]
    objects = [SceneObject.target(item.id, item.T_world_object, item.mesh) for item in scene.objects]
    return Scene((table, *obstacles, *objects))
