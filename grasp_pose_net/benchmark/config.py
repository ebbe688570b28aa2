"""What a benchmark does: its stages, and the very parameters that the nodes are started with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from grasp_pose_net.config import Settings, from_mapping, setting
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.execution import PickupConfig
from grasp_pose_net.perception import PerceptionConfig
from grasp_pose_net.planning import PlannerConfig
from grasp_pose_net.reading import read_yaml
from grasp_pose_net.refinement import ObjectiveConfig
from grasp_pose_net.robot import MotionConfig
from grasp_pose_net.simulation.force_trial import ForceTrialConfig
from grasp_pose_net.simulation.laboratory import WorldConfig
from grasp_pose_net.system import NODES, Start

SCAN, PLAN, FORCE, LIFT = STAGES = ("scan", "plan", "force", "lift")
NEEDS = {FORCE: (PLAN,), LIFT: (SCAN, PLAN)}

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig(Settings):
    """All that entries depend on besides the meshes.

    Attributes:
        stages: of `STAGES`. Without scan, grasps are planned on the meshes themselves, in free space.
        episodes: of each object; each has its own pose on the table, camera errors and noise.
        seed: of all random choices.
        hand: name of the hand, or path of its hand.yaml.
        robot: that stands at the table; grasps that it cannot do are not offered. Empty: there is none.
        grasps, descent, perception, motion, pickup, world: parameters of the nodes.
        forces: figures of the force trial.
    """

    stages: tuple[str, ...] = setting(STAGES, choices=STAGES)
    episodes: int = setting(1, 1)
    seed: int = setting(0, 0, 2**31 - 1)
    hand: str = "shadow"
    robot: str = "ur10_shadow"
    grasps: PlannerConfig = field(default_factory=PlannerConfig)
    descent: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    perception: PerceptionConfig = field(default_factory=PerceptionConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    pickup: PickupConfig = field(default_factory=PickupConfig)
    world: WorldConfig = field(default_factory=WorldConfig)
    forces: ForceTrialConfig = field(default_factory=ForceTrialConfig)

    def __post_init__(self) -> None:
        """Check what belongs together.

        Raises:
            ConfigError: naming the entry, its value and what is valid.
        """
        super().__post_init__()
        for stage in self.stages:
            if missing := [need for need in NEEDS.get(stage, ()) if need not in self.stages]:
                raise ConfigError(f"stages: {stage} needs {missing[0]}; ask for --stages {missing[0]},…")
        if not self.stages:
            raise ConfigError("stages: expected at least one")
        if LIFT in self.stages and not self.robot:
            raise ConfigError(
                f"stages: lift needs an arm, and none carries hand {self.hand!r}; leave lift out"
            )


def benchmark_config(
    *,
    stages: Sequence[str],
    hand: str = "shadow",
    arm: bool = True,
    grasps: dict[str, Any],
    descent: dict[str, Any],
    **known: Any,
) -> BenchmarkConfig:
    """Configuration with the parameters of ``config/*.yaml``, and what differs from them.

    Args:
        stages: of `STAGES`, in any order.
        hand: name of the hand, or path of its hand.yaml.
        arm: whether the robot that carries the hand, if there is one, stands at the table.
        grasps: fields of `PlannerConfig` that differ.
        descent: fields of `ObjectiveConfig` that differ.
        known: other fields of `BenchmarkConfig` that differ.

    Raises:
        ConfigError: stages or parameters are not possible.
    """
    inference, refinement, executor = (_parameters(name) for name in ("inference", "refinement", "executor"))
    simulated = _parameters("simulation")
    own = {field.name for field in fields(WorldConfig)}
    given: dict[str, Any] = {
        "stages": tuple(sorted(set(stages), key=(*STAGES, *stages).index)),
        "hand": hand,
        "robot": Start(hand=hand).robot if arm else "",
        "grasps": replace(_built(inference.get("planner", {}), PlannerConfig), **grasps),
        "descent": replace(_built(refinement.get("descent", {}), ObjectiveConfig), **descent),
        "perception": _built(_parameters("perception").get("scene", {}), PerceptionConfig),
        "motion": _built(executor.get("motion", {}), MotionConfig),
        "pickup": _built(executor.get("pickup", {}), PickupConfig),
        "world": _built({key: value for key, value in simulated.items() if key in own}, WorldConfig),
    }
    return BenchmarkConfig(**{**given, **known})


def _parameters(node: str) -> dict[str, Any]:
    """Parameters of a node as it is started in simulation."""
    spec = next(spec for spec in NODES if spec.name == node)
    parameters: dict[str, Any] = {}
    for file in spec.parameter_files(Start()):
        parameters |= read_yaml(file)[f"/{node}"]["ros__parameters"]
    return parameters


def _built(values: dict[str, Any], cls: type[T]) -> T:
    return from_mapping(values, cls, where=f"config of {cls.__name__}")
