"""The paper's losses (Liu et al., 2019). Every residual is a sum over the pose vector, a mean over the batch.

The paper adds squared metres, quaternion parts and radians as they are; `PAPER_WEIGHTS` does that. For
training, `PoseWeights` brings the three to one scale: how far they move the hand's skin, counted in units
of 0.1 m.

A quaternion q and -q are the same rotation. The residual takes the closer sign: |q - r|² or |q + r|²,
whichever is less, which is 2 - 2 |q · r| for unit quaternions. For a small angle θ it is θ² / 4.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from grasp_pose_net.config import Settings, setting


@dataclass(frozen=True, kw_only=True)
class PoseWeights(Settings):
    """Weights of the parts of a squared pose residual.

    Attributes:
        position_per_m2: 100, so that 0.1 m, the lever from palm to fingertips, counts 1.
        quaternion: 4, so that an angle of 1 rad, which moves the fingertips by 0.1 m, counts about 1.
        joints_per_rad2: 0.25, because a finger joint has half that lever; each is one of many.
    """

    position_per_m2: float = setting(100.0, 0.0, 1e9)
    quaternion: float = setting(4.0, 0.0, 1e9)
    joints_per_rad2: float = setting(0.25, 0.0, 1e9)


PAPER_WEIGHTS = PoseWeights(position_per_m2=1.0, quaternion=1.0, joints_per_rad2=1.0)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What a residual is counted in; figures compare only where this is the same.

    Attributes:
        weights: of position, quaternion and joints.
        beta: share of the consistency loss in the combined one.
        collision_per_m2: weight of the collision loss in it.
    """

    weights: PoseWeights = field(default_factory=PoseWeights)
    beta: float = 0.75
    collision_per_m2: float = 2500.0


# squared metres, quaternion parts and radians added as they are
PAPER_MEASURE = Measure(weights=PAPER_WEIGHTS, collision_per_m2=1.0)


def pose_residual(x: torch.Tensor, target: torch.Tensor, weights: PoseWeights) -> torch.Tensor:
    """Weighted ‖x - target‖² over the last axis, with the closer of the two signs of the quaternion.

    Args:
        x: (..., 7 + J) pose vectors with unit quaternions.
        target: (..., 7 + J) likewise, broadcast against x.
        weights: of position, quaternion and joints.

    Returns:
        (...) residuals.
    """
    position = (x[..., :3] - target[..., :3]).square().sum(-1)
    quaternion = 2 - 2 * (x[..., 3:7] * target[..., 3:7]).sum(-1).abs()
    joints = (x[..., 7:] - target[..., 7:]).square().sum(-1)
    return (
        weights.position_per_m2 * position
        + weights.quaternion * quaternion
        + weights.joints_per_rad2 * joints
    )


def l2_loss(x: torch.Tensor, target: torch.Tensor, weights: PoseWeights) -> torch.Tensor:
    """Plain L2 (K = 1): predictions x (B, D) against one grasp (B, D) chosen for each object; a scalar."""
    return pose_residual(x, target, weights).mean()


def consistency_loss(
    x: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor, weights: PoseWeights
) -> torch.Tensor:
    """L_consistency = Σ_i min_j ‖f(o_i) - x_ij‖² / N: each prediction against its nearest grasp.

    The gradient goes to the nearest grasp only, so that the network may settle for one of many good grasps
    instead of their average, which is none.

    Args:
        x: (B, D) predictions.
        targets: (B, K, D) grasps of each object.
        valid: (B, K) bool, which of them exist; at least one of each object.
        weights: of position, quaternion and joints.

    Returns:
        Scalar.
    """
    residual = pose_residual(x[:, None], targets, weights)
    return residual.masked_fill(~valid, torch.inf).amin(1).mean()


def collision_loss(distance: torch.Tensor) -> torch.Tensor:
    """L_collision = Σ_p min²(o_s(T(p, f(o))), 0): squared depths of the hand's contact points.

    Args:
        distance: (B, P) signed distances of the points to the object [m], positive outside.

    Returns:
        Scalar [m²], sum over the points, mean over the batch.
    """
    return distance.clamp(max=0).square().sum(1).mean()


def combined_loss(
    consistency: torch.Tensor, collision: torch.Tensor, beta: float, collision_per_m2: float
) -> torch.Tensor:
    """L_combined = β L_consistency + (1 - β) L_collision, the latter brought to the former's unit.

    Args:
        consistency: scalar.
        collision: scalar [m²].
        beta: 0 to 1; the paper's best is 0.75.
        collision_per_m2: weight that gives the collision loss the unit of the consistency loss.
    """
    return beta * consistency + (1 - beta) * collision_per_m2 * collision
