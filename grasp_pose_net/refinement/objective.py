"""Which objective refinement descends: a choice of names, so that a further one is one more entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from grasp_pose_net.config import Settings
from grasp_pose_net.refinement.descent import Descent
from grasp_pose_net.refinement.refine import Refinement, paper_objective


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig(Settings):
    """How candidates are refined."""

    objective: str = field(
        default="closing",
        metadata={
            "doc": "closing: close the fingers onto the surface and keep clear of everything; "
            "paper: stay near the candidate and keep clear of everything",
            "choices": ("closing", "paper"),
        },
    )
    beta: float = field(
        default=0.75,
        metadata={"doc": "paper: weight of staying near, against that of collisions", "range": (0.0, 1.0)},
    )
    iterations: int = field(
        default=Refinement().objective.iterations,
        metadata={"doc": "steps of the objective's descent", "range": (1, 2000)},
    )

    def refinement(self) -> Refinement:
        """What `refinement.refine` is told."""
        descent = replace(OBJECTIVES[self.objective](self), iterations=self.iterations)
        return replace(Refinement(), objective=descent)


OBJECTIVES: dict[str, Callable[[ObjectiveConfig], Descent]] = {
    "closing": lambda config: Refinement().objective,
    "paper": lambda config: paper_objective(config.beta),
}
