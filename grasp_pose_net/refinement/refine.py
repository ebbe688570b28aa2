"""Refinement: from a network's candidates to grasps that touch and do not penetrate.

Two descents of the same kernel. First the objective: the paper's beta |x* - f(o)|^2 + (1 - beta)
L_collision, with self-collision, support plane and obstacles among the collisions, and a term that closes
the finger pads onto the surface (set `energy.contact` and `energy.normal` to 0 for the paper's objective
alone). Then pure descent of the collisions until no collision sphere penetrates, once more with more
clearance where the skin between the spheres still does, and an honest flag where that was in vain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.hand import Hand
from grasp_pose_net.refinement import kernel
from grasp_pose_net.refinement.arrays import hand_arrays, scene_arrays
from grasp_pose_net.refinement.descent import Descent, Energy, checked, descend, over_threads
from grasp_pose_net.shapes import SignedDistanceField
from grasp_pose_net.world import HalfSpace, Part

TOLERANCE_M = 0.0005  # deepest penetration that still counts as none

# On noisy scans of training objects on a table, 100 steps of 0.045 gave as many grasps as 200 of 0.03, and grasps that
# penetrate less. The collision spheres do not fill the hand's corners, hence their clearance.
OBJECTIVE = Descent(energy=Energy(normal=0.5, clearance_m=0.001, anchor=0.05), iterations=100, step=0.045)
SEPARATION = Descent(
    energy=Energy(
        contact=0.0, normal=0.0, penetration=(2e5, 2e5), self_penetration=(2e5, 2e5), clearance_m=0.001
    ),
    iterations=200,
    step=0.003,
    stop_depth_m=TOLERANCE_M,
)
CLEARING = replace(
    SEPARATION, energy=replace(SEPARATION.energy, clearance_m=0.002), iterations=40, stop_depth_m=None
)


@dataclass(frozen=True)
class Refinement(Settings):
    """How candidates are refined.

    Attributes:
        objective: the first descent.
        separation: the second, which ends early where no collision sphere penetrates.
        clearing: a third of those whose skin is still too deep in the object.
        tolerance_m: deepest penetration that still counts as none.
    """

    objective: Descent = OBJECTIVE
    separation: Descent = SEPARATION
    clearing: Descent = CLEARING
    tolerance_m: float = setting(TOLERANCE_M, 0.0, 0.1)


@dataclass(frozen=True)
class Refined:
    """Refined candidates, in the order they came.

    Attributes:
        x: (B, 7 + D) pose vectors, object frame.
        ok: (B,) whether nothing penetrates more than the tolerance.
        object_m: (B,) worst depth of the skin and of the collision spheres in the object [m], 0 where free.
        self_m, plane_m, obstacle_m: (B,) worst depth of the collision spheres [m], 0 where free.
    """

    x: NDArray[np.float64]
    ok: NDArray[np.bool_]
    object_m: NDArray[np.float64]
    self_m: NDArray[np.float64]
    plane_m: NDArray[np.float64]
    obstacle_m: NDArray[np.float64]


def refine(
    hand: Hand,
    field: SignedDistanceField,
    x: NDArray[np.floating],
    plane: HalfSpace | None = None,
    obstacles: tuple[Part, ...] = (),
    config: Refinement | None = None,
) -> Refined:
    """Refine candidates of one object, all at once.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) candidates, object frame; not modified.
        plane: support plane that hand and forearm stay above.
        obstacles: boxes that they stay out of.
        config: objective and tolerance.
    """
    config = config or Refinement()
    closed = descend(hand, field, x, config.objective, plane=plane, obstacles=obstacles)
    final = descend(hand, field, closed.x, config.separation, plane=plane, obstacles=obstacles)
    x, depths = final.x, np.maximum(final.depths, 0.0)
    skin = surface_depth(hand, field, x)
    deep = np.flatnonzero(skin > config.tolerance_m)
    cleared = descend(hand, field, x[deep], config.clearing, plane=plane, obstacles=obstacles)
    x[deep], depths[deep] = cleared.x, np.maximum(cleared.depths, 0.0)
    skin[deep] = surface_depth(hand, field, cleared.x)
    depths[:, 0] = np.maximum(depths[:, 0], skin)
    return Refined(x, np.asarray((depths <= config.tolerance_m).all(1)), *depths.T)


def surface_depth(hand: Hand, field: SignedDistanceField, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Depth (B,) [m] of the skin's deepest point in the object, as `quality.hand_penetration`; 0 where free.

    Args:
        hand: the hand.
        field: signed distance field of the object.
        x: (B, 7 + D) pose vectors, object frame.
    """
    poses, hand_data, scene_data = checked(hand, x), hand_arrays(hand), scene_arrays(field)
    depth = np.empty(len(poses))
    over_threads(kernel.surface_depth_batch, (hand_data, scene_data), poses, depth)
    return depth


def paper_objective(beta: float, iterations: int = 150) -> Descent:
    """The paper's run-time objective: beta |x* - f(o)|^2 + (1 - beta) L_collision, and no closing term.

    Args:
        beta: weight of staying close to the network's candidate, 0 to 1.
        iterations: steps.

    Raises:
        ValueError: beta is outside 0 to 1.
    """
    if not 0.0 <= beta <= 1.0:
        raise ValueError(f"beta: expected a number from 0 to 1, got {beta}")
    energy = replace(OBJECTIVE.energy, contact=0.0, normal=0.0, anchor=beta)
    collisions = (2e5 * (1.0 - beta),) * 2
    energy = replace(energy, penetration=collisions, self_penetration=collisions)
    return replace(OBJECTIVE, energy=energy, iterations=iterations)


# by what it is given: beta
OBJECTIVES: dict[str, Callable[[float], Descent]] = {
    "closing": lambda beta: OBJECTIVE,
    "paper": paper_objective,
}


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig(Settings):
    """How candidates are refined."""

    objective: str = setting(
        "closing",
        doc=(
            "closing: close the fingers onto the surface and keep clear of everything; "
            "paper: stay near the candidate and keep clear of everything"
        ),
        choices=tuple(OBJECTIVES),
    )
    beta: float = setting(0.75, 0.0, 1.0, doc="paper: weight of staying near, against that of collisions")
    iterations: int = setting(OBJECTIVE.iterations, 1, 2000, doc="steps of the objective's descent")

    def refinement(self) -> Refinement:
        """What `refinement.refine` is told."""
        return Refinement(
            objective=replace(OBJECTIVES[self.objective](self.beta), iterations=self.iterations)
        )
