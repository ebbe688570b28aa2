"""What perception found, as planning wants it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import trimesh

from grasp_pose_net.benchmark.scan import perceived_scene
from grasp_pose_net.planning import surroundings
from grasp_pose_net.world import make_transform

TOP_M = 0.72


def test_table_obstacles_and_objects_are_all_there_and_in_their_parts() -> None:
    size = np.array([0.8, 0.8, 0.04])
    found: Any = SimpleNamespace(
        table=SimpleNamespace(T_world_box=make_transform((0.7, 0.0, TOP_M - 0.02)), size=size),
        obstacles=[
            SimpleNamespace(
                id="obstacle_0",
                T_world_box=make_transform((0.85, 0.0, TOP_M + 0.05)),
                size=np.array([0.1, 0.1, 0.1]),
            )
        ],
        objects=[
            SimpleNamespace(
                id="object_0",
                mesh=trimesh.creation.box((0.06, 0.06, 0.12)),
                T_world_object=make_transform((0.7, 0.0, TOP_M + 0.06)),
            )
        ],
    )
    scene, (target,) = perceived_scene(found)
    assert [entry.name for entry in scene.objects] == ["table", "obstacle_0", "object_0"]
    near = surroundings(scene, target)
    assert near.supports == ("table",) and near.plane is not None
    np.testing.assert_allclose(near.plane.offset, -0.06, atol=1e-12)
    (obstacle,) = near.obstacles
    np.testing.assert_allclose(obstacle.T_object_box[:3, 3], [0.15, 0.0, -0.01], atol=1e-12)
