"""Scene → ranked grasps of an object in it: the list of stages that command, benchmark, examples and node run alike."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeVar

import numpy as np
import trimesh

from grasp_pose_net.exceptions import ConfigError, PlanningError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference import SampledProposer, make_proposer, retry_rotations
from grasp_pose_net.planning.account import Account
from grasp_pose_net.planning.batch import Batch
from grasp_pose_net.planning.config import PlannerConfig
from grasp_pose_net.planning.context import Context, Fields, check_place, surroundings
from grasp_pose_net.planning.grasps import grasp_of
from grasp_pose_net.planning.reject import STAGES, Reject
from grasp_pose_net.planning.stages import (
    Approach,
    BestFirst,
    Doubt,
    Judge,
    Propose,
    Reach,
    Refine,
    Stage,
    run,
)
from grasp_pose_net.robot import GraspMotion, MotionConfig, RobotModel
from grasp_pose_net.world import Grasp, HalfSpace, Scene, SceneObject

# Rotations from which those are chosen that bring the hand from above, where the object stands on something.
ROTATIONS = 128
KEPT_SCENES = 4  # whose checks are kept; making them anew takes longer than the checks of a request
SAME_PLACE_M = (
    0.005  # how deep the middle of an object may be in another; meshes of what was seen overlap a little
)
START = "home"  # state of the SRDF that the arm comes from

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Grasps, best first, and where the other candidates went.

    Attributes:
        grasps: in the scene's frame, ranked by their quality.
        account: what became of every candidate.
        batch: all that is known of them.
    """

    grasps: tuple[Grasp, ...]
    account: Account
    batch: Batch


def default_stages(hand: Hand, config: PlannerConfig, refine: Stage) -> list[Stage]:
    """The stages of a plan: propose → refine → judge → of the best: doubt, approach, reach.

    Args:
        hand: the hand.
        config: what is asked.
        refine: refines in this process, or asks who does.

    Raises:
        CheckpointError: the weights are missing or belong to another hand.
    """
    network = make_proposer(hand, config.network)
    return [
        Propose(network, SampledProposer(hand), retry_rotations(ROTATIONS), config.rotations),
        refine,
        Judge(config.min_epsilon),
        BestFirst(
            Doubt(config.place_error_m),
            [Approach(config.approach_m, config.approach_clearance_m), Reach(config)],
            config.max_grasps,
        ),
    ]


class GraspPlanner:
    """Plans grasps of objects in scenes; not for several threads at once.

    Attributes:
        config: what is asked.
        stages: what a round of candidates goes through.
    """

    def __init__(
        self,
        hand: Hand,
        config: PlannerConfig,
        arm: ArmChecks | None = None,
        refine: Stage | None = None,
        fields: Fields | None = None,
    ) -> None:
        """Load the network, if any.

        Args:
            hand: the hand.
            config: what is asked.
            arm: checks what the arm can do; None: there is no arm.
            refine: the stage of refinement; in this process, with the default objective, without.
            fields: those that are known already.

        Raises:
            CheckpointError: the weights are missing or belong to another hand.
        """
        self.config = config
        self._hand, self._arm = hand, arm
        self._kinematics = Kinematics(hand)
        self.fields = fields or Fields(config.field_cells)
        self.stages: list[Stage] = default_stages(hand, config, refine or Refine())

    @property
    def description(self) -> str:
        """Who proposes candidates, in words for a log."""
        propose = next(stage for stage in self.stages if isinstance(stage, Propose))
        return propose.description

    def warm_up(self) -> None:
        """Plan once for a small box, so that the first answer does not wait for compilers."""
        box = SceneObject.target("box", np.eye(4), trimesh.creation.box((0.06, 0.06, 0.12)))
        stages = [Refine() if stage.name == Refine.name else stage for stage in self.stages]
        self._run(self._context(Scene(), box, HalfSpace(np.array([0.0, 0.0, 1.0]), -0.06)), stages)
        if self._arm:
            self._arm.warm_up()

    def prepare(self, scene: Scene) -> None:
        """Compute ahead what plans in a scene would wait for: fields of what may be grasped, and the arm's checks.

        Raises:
            MeshError: a target's mesh has no inside.
        """
        for target in scene.targets:
            self.fields[target.mesh]
            if self._arm:
                self._arm.of(scene, target, surroundings(scene, target).supports)

    def plan(self, scene: Scene, target: SceneObject, supports: Sequence[str] = ()) -> Plan:
        """Grasps of one object.

        Args:
            scene: everything that stands there; an object of the target's id is the target itself.
            target: the object, its frame's origin at its centre of mass.
            supports: ids of what it stands on; what is beneath it where none is named.

        Raises:
            PlanningError: a support is not in the scene, or the target is no single mesh.
            MeshError: the target's mesh has no inside.
        """
        started = perf_counter()
        context = self._context(scene, target, supports=supports)
        batch = self._run(context, self.stages)
        grasps = [grasp_of(batch, row, context, self.config, rank) for rank, row in enumerate(batch.best())]
        context.seconds["plan"] = perf_counter() - started
        return Plan(grasps=tuple(grasps), account=Account.of(batch, context.seconds), batch=batch)

    def _context(
        self, scene: Scene, target: SceneObject, plane: HalfSpace | None = None, supports: Sequence[str] = ()
    ) -> Context:
        started = perf_counter()
        field = self.fields[target.mesh]
        field_s = perf_counter() - started
        check_place(scene, target, self.fields)
        near = surroundings(scene, target, supports)
        motion = self._arm.of(scene, target, near.supports) if self._arm else None
        seconds = dict.fromkeys((Propose.name, *STAGES[:-1]), 0.0)
        return Context(
            hand=self._hand,
            kinematics=self._kinematics,
            target=target,
            field=field,
            near=near if plane is None else replace(near, plane=plane),
            motion=motion,
            start=self._arm.start if self._arm else None,
            rng=np.random.default_rng(self.config.seed),
            seconds=seconds | {"field": field_s, "scene": perf_counter() - started - field_s},
        )

    def _run(self, context: Context, stages: Sequence[Stage]) -> Batch:
        """Rounds of candidates until there are enough, one of them strong; of more than are wanted the best."""
        batch = Batch.of(np.empty((0, self._hand.size)))
        for _ in range(self.config.tries):
            batch = run(stages, batch, context)
            quality = batch.quality[batch.alive]
            if len(quality) >= self.config.enough and quality.max() >= self.config.strong:
                break
        return batch.rejected(batch.best()[self.config.max_grasps :], Reject.SPARE)


class ArmChecks:
    """The arm's collision checks by scene and target; the last few are kept.

    Attributes:
        group: name of the arm's group of joints.
        start: (J,) configuration that the arm comes from [rad].
    """

    def __init__(self, robot: RobotModel, hand: Hand, motion: MotionConfig) -> None:
        """Prepare for a robot.

        Args:
            robot: the robot.
            hand: the hand whose grasps are checked.
            motion: clearance and steps of the arm.

        Raises:
            ConfigError: the robot carries another hand.
        """
        if missing := sorted(set(robot.hand.names) - set(hand.joint_names)):
            raise ConfigError(
                f"hand {hand.name!r} has no joint {missing[0]!r}, which the robot's hand has; name the hand that the "
                "robot carries, or no robot"
            )
        self._robot, self._motion = robot, motion
        self.group, self.start = robot.arm_group, robot.named_states[START]
        self._known: OrderedDict[Hashable, GraspMotion] = OrderedDict()

    def warm_up(self) -> None:
        """Compile what would else be compiled during the first check."""
        self._robot.chain.warm_up()

    def of(self, scene: Scene, target: SceneObject, supports: tuple[str, ...]) -> GraspMotion:
        """Checks for grasps of a target; those of scenes of equal content are made once.

        Raises:
            PlanningError: a support is not in the scene.
        """
        scene = scene.with_object(target)
        key = (_content(scene), target.id, supports)
        if key not in self._known:
            self._known[key] = GraspMotion(self._robot, scene, target.id, supports, self._motion)
        self._known.move_to_end(key)
        while len(self._known) > KEPT_SCENES:
            self._known.popitem(last=False)
        return self._known[key]


def best_of(plans: Iterable[tuple[T, Plan]]) -> tuple[T, Plan]:
    """Of objects with their plans the one with the best grasp; the first where none has any."""
    return max(plans, key=lambda one: one[1].grasps[0].quality if one[1].grasps else -1.0)


class NoGraspFound(PlanningError):
    """No candidate was left.

    Attributes:
        plan: where they went.
        reason: what took most of them; None where none was proposed.
    """

    def __init__(self, plan: Plan) -> None:
        """Say which reason took most candidates and which the last stage that they came to, and what would help."""
        self.plan, rejected = plan, plan.account.rejected
        self.reason = next((reason for reason, _ in rejected.most_common(1)), None)
        text = f"no grasp: {plan.account.text()}."
        if self.reason:
            text += f" Most were lost in {self.reason.stage} ({self.reason.text}): {self.reason.remedy}."
        last = max(rejected, key=lambda reason: (STAGES.index(reason.stage), rejected[reason]), default=None)
        if last and last is not self.reason:
            text += f" The last were lost in {last.stage} ({last.text}): {last.remedy}."
        # what is pushed out of a neighbour often ends up in the object: the count alone hides the cause
        neighbour = Reject.HITS_NEIGHBOUR
        if rejected[neighbour] and neighbour not in (self.reason, last):
            text += f" {rejected[neighbour]} were lost to neighbours: {neighbour.remedy}."
        super().__init__(text)


def _content(scene: Scene) -> Hashable:
    """What tells a scene of other objects or poses apart; equal for equal content, whoever made it."""
    return tuple(
        (
            entry.id,
            entry.T_world_object.tobytes(),
            tuple((part.T_object_shape.tobytes(), part.shape.content) for part in entry.parts),
        )
        for entry in scene.objects
    )
