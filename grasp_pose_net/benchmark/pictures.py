"""Pictures of failures: the grasp on the object as it is, and the scene as it was when the trial ended."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import trimesh

from grasp_pose_net.hand import Hand
from grasp_pose_net.simulation.laboratory import Episode
from grasp_pose_net.simulation.picture import draw_grasp
from grasp_pose_net.simulation.render import SceneRenderer
from grasp_pose_net.simulation.scene_model import VIDEO_CAMERA
from grasp_pose_net.storage import whole
from grasp_pose_net.world import Array

WIDTH_PX, HEIGHT_PX = 640, 480


def draw_failure(
    folder: Path, name: str, hand: Hand, mesh: trimesh.Trimesh, grasp: Array | None, episode: Episode | None
) -> list[str]:
    """Draw what there is to see of a failed trial.

    Args:
        folder: of the stage that failed; made where it is missing.
        name: of the files.
        hand: the hand.
        mesh: the object as it is, object frame [m].
        grasp: (D,) the chosen grasp in that frame, None where there is none.
        episode: the scene, None where there was no scan.

    Returns:
        The files' paths, from the folder above the stages.
    """
    files = []
    if grasp is not None:
        files.append(folder / f"{name}_grasp.png")
        draw_grasp(hand, grasp, mesh, files[-1])
    if episode is not None:
        files.append(folder / f"{name}_scene.png")
        model = episode.simulation.model
        renderer = SceneRenderer(model, WIDTH_PX, HEIGHT_PX, smooth=True)
        try:
            renderer.show(episode.simulation.data.qpos)
            with whole(files[-1]) as unfinished:
                imageio.imwrite(unfinished, renderer.rgb(VIDEO_CAMERA))
        finally:
            renderer.close()
    return [str(file.relative_to(folder.parent)) for file in files]
