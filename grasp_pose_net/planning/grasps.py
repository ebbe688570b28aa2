"""From a row of a batch to the grasp that everybody else knows."""

from __future__ import annotations

import numpy as np

from grasp_pose_net.planning.batch import Batch
from grasp_pose_net.planning.config import PlannerConfig
from grasp_pose_net.planning.context import UP, Context
from grasp_pose_net.refinement import Postures
from grasp_pose_net.world import Grasp, make_transform

# Position gain [N m/rad] by which a squeeze posture becomes the effort that it asks for.
SQUEEZE_NM_RAD = Postures().stiffness_nm


def grasp_of(batch: Batch, row: int, context: Context, config: PlannerConfig, rank: int = 0) -> Grasp:
    """Grasp of one candidate, in the scene's frame; the tip is the hand's root link.

    Args:
        batch: what is known of the candidates.
        row: which.
        context: hand and target.
        config: lengths of approach and lift.
        rank: place among what is offered; part of the grasp's id.
    """
    hand, target, x = context.hand, context.target, batch.x[row]
    grasp, squeeze = hand.all_joints(x[7:]), hand.all_joints(batch.squeeze[row])
    T_object_tip = make_transform(x[:3], x[3:7]) @ hand.T_base_root
    judged = {"epsilon": float(batch.epsilon[row]), "worst_epsilon": float(batch.worst_epsilon[row])}
    return Grasp(
        id=f"{target.id}/{rank}",
        joint_names=hand.joint_names,
        T_world_tip=target.T_world_object @ T_object_tip,
        approach=target.T_world_object[:3, :3] @ batch.approach[row],
        approach_m=(config.approach_m, config.approach_m),
        retreat=UP,
        retreat_m=(config.lift_m, config.lift_m),
        pre_grasp=hand.all_joints(batch.pre_grasp[row]),
        grasp=grasp,
        squeeze=squeeze,
        efforts=SQUEEZE_NM_RAD * (squeeze - grasp),
        quality=float(batch.quality[row]),
        parts={name: value for name, value in judged.items() if np.isfinite(value)},
        x=x,
    )
