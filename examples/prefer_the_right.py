"""A planning stage of one's own prefers grasps from the right: python examples/prefer_the_right.py mug.ply"""

import sys

import numpy as np

from grasp_pose_net.hand import Hand
from grasp_pose_net.planning import Batch, BestFirst, Context, GraspPlanner, PlannerConfig
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.world import Scene, SceneObject


class FromTheRight:
    """Lowers the quality of a grasp by up to a half, the further left its palm is (y points left, REP-103)."""

    name = "from the right"

    def __call__(self, batch: Batch, context: Context) -> Batch:
        """The batch with lower qualities."""
        palm = batch.x[batch.rows, :3] @ context.target.T_world_object[:3, :3].T
        left = palm[:, 1] / np.linalg.norm(palm, axis=1)
        return batch.with_rows(batch.rows, quality=batch.quality[batch.rows] * (0.75 - 0.25 * left))


if __name__ == "__main__":
    planner = GraspPlanner(Hand.load("shadow"), PlannerConfig())
    next(stage for stage in planner.stages if isinstance(stage, BestFirst)).stages.append(FromTheRight())
    mug = SceneObject.target("mug", np.eye(4), load_mesh(sys.argv[1]))
    print(*(f"{grasp.id}: {grasp.quality:.3f}" for grasp in planner.plan(Scene(), mug).grasps), sep="\n")
