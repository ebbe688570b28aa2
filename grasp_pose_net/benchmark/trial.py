"""What a worker does with one object once: scan, plan, measure, try, and say in one line what went wrong."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import trimesh

from grasp_pose_net.benchmark.config import FORCE, LIFT, PLAN, SCAN, BenchmarkConfig
from grasp_pose_net.benchmark.entries import entry, grasp_figures, known_stages
from grasp_pose_net.benchmark.lift import SimulatedRobot, StageFailure, lift
from grasp_pose_net.benchmark.pictures import draw_failure
from grasp_pose_net.benchmark.scan import views_of
from grasp_pose_net.exceptions import GraspPoseNetError, PerceptionError
from grasp_pose_net.hand import Hand
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.perception import View, perceive
from grasp_pose_net.planning import (
    ArmChecks,
    GraspPlanner,
    NoGraspFound,
    Plan,
    Refine,
    best_of,
    supports_beneath,
)
from grasp_pose_net.robot import RobotModel
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.simulation.force_trial import ForceTrial
from grasp_pose_net.simulation.laboratory import Episode, World, prepare_episode
from grasp_pose_net.synthesis.sources import object_name, object_seed
from grasp_pose_net.world import (
    Array,
    Grasp,
    Scene,
    SceneObject,
    inverse_transform,
    make_transform,
    split_transform,
)

logger = logging.getLogger(__name__)
LEFT_OUT = "left out"  # failure of what could not be measured at all
T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """One object, once; all that a worker is told.

    Attributes:
        mesh: file, at the same path for every worker.
        mesh_hash: of the file.
        episode: counts from zero.
        config: of the benchmark.
        pictures: folder for pictures of failures.
    """

    mesh: Path
    mesh_hash: str
    episode: int
    config: BenchmarkConfig
    pictures: Path

    @property
    def name(self) -> str:
        """The object's "source/name"."""
        return object_name(self.mesh)

    @property
    def own_seed(self) -> int:
        """Seed of this object: no other object's, and the same wherever and whenever it is tried."""
        return object_seed(self.config.seed, self.name)


@dataclass(frozen=True)
class Tools:
    """What all tasks of a worker share: loading and compiling it takes seconds."""

    hand: Hand
    planner: GraspPlanner
    robot: RobotModel | None


def make_tools(config: BenchmarkConfig) -> Tools:
    """Tools of a configuration.

    Raises:
        GraspPoseNetError: hand, network or robot cannot be used, or do not fit.
    """
    hand = Hand.load(config.hand)
    robot = RobotModel(robot_urdf(config.robot), robot_srdf(config.robot)) if config.robot else None
    arm = ArmChecks(robot, hand, config.motion) if robot else None
    planner = GraspPlanner(hand, config.grasps, arm, Refine(config.descent.refinement()))
    return Tools(hand, planner, robot)


@lru_cache(maxsize=1)
def _warm_tools(config: BenchmarkConfig) -> Tools:
    """Tools that a worker keeps: the first call is not in anybody's time."""
    shared = make_tools(config)
    shared.planner.warm_up()
    return shared


def episode_of(task: Task) -> Episode:
    """The object at rest on the table."""
    return prepare_episode(task.config.world, [task.mesh], task.own_seed, task.episode)


def views_of_task(task: Task, episode: Episode) -> list[View]:
    """What the noisy cameras see of it; the same noise every time."""
    noise = np.random.default_rng([task.own_seed, task.episode, 1])
    return views_of(episode, task.config.world, noise)


def shape_of(mesh: trimesh.Trimesh) -> dict[str, float]:
    """Smallest side of a mesh's smallest box [m], and the share of its convex hull that it fills."""
    return {
        "smallest_side_m": float(mesh.bounding_box_oriented.primitive.extents.min()),
        "hull_share": float(mesh.volume / mesh.convex_hull.volume),
    }


def on_true_object(episode: Episode, target: SceneObject, x: Array) -> Array:
    """A grasp x (D,) of an object as it was perceived, in the frame of the object as it is."""
    simulation = episode.simulation
    T_world_true = simulation.object_pose(simulation.objects[0].name)
    T_true_object = inverse_transform(T_world_true) @ target.T_world_object
    T_true_palm = T_true_object @ make_transform(x[:3], x[3:7])
    return np.concatenate([*split_transform(T_true_palm), x[7:]])


def run_task(task: Task) -> dict[str, Any]:
    """Entry of the report; whatever happens, it says what in "failure" and "reason"."""
    trial = Trial(task, _warm_tools(task.config))
    try:
        trial.run()
    except StageFailure as failure:
        trial.fail(failure.stage, str(failure))
    except GraspPoseNetError as error:
        trial.fail(trial.stage, str(error))
    except Exception as error:  # what a library makes of one object must not end a run of hundreds
        logger.exception("%s", task.name)
        trial.fail(trial.stage, f"{type(error).__name__}: {error}")
    return trial.entry()


class Trial:
    """One object, once.

    Attributes:
        stage: the one under way; what fails in it fails the trial, but for what comes before the first.
    """

    def __init__(self, task: Task, shared: Tools) -> None:
        """Prepare; nothing is loaded."""
        self._task, self._config, self._tools = task, task.config, shared
        self._mesh: trimesh.Trimesh | None = None
        self._episode: Episode | None = None
        self._grasp_true: Array | None = None
        self._known: dict[str, Any] = {"seconds": {}, "cpu_seconds": {}, "stolen_seconds": {}}
        self.stage = LEFT_OUT

    def run(self) -> None:
        """All stages that are asked for.

        Raises:
            StageFailure: one ended the trial.
            GraspPoseNetError: the object cannot be used or placed, or the simulation gave up.
        """
        stages = self._config.stages
        self._mesh = load_mesh(self._task.mesh)
        self._known["shape"] = shape_of(self._mesh)
        in_the_air = Scene((SceneObject.target(self._task.name, np.eye(4), self._mesh),))
        scene = self._scan() if SCAN in stages else in_the_air
        if PLAN not in stages:
            return
        target, plan = self._plan(scene)
        x_true = self._measure(self._mesh, target, plan.grasps[0])
        if FORCE in stages:
            self._force(self._mesh, x_true, plan.grasps[0])
        if LIFT in stages:
            self._lift(scene, target, plan)
        if self._known.get("force_success") is False:
            raise StageFailure(FORCE, f"the force trial ended with {self._known['force_failure']!r}")

    def fail(self, stage: str, reason: str) -> None:
        """Keep what failed, with a picture of it."""
        self._known |= {"failure": stage, "reason": " ".join(reason.split())}
        if stage == LEFT_OUT or self._mesh is None:
            return
        name = f"{self._task.name.replace('/', '_')}_{self._task.episode}"
        folder = self._task.pictures / stage
        try:
            self._known["pictures"] = draw_failure(
                folder, name, self._tools.hand, self._mesh, self._grasp_true, self._episode
            )
        except Exception:  # graphics raise anything; a trial counts without its picture, too
            logger.exception("%s: no picture", name)

    def entry(self) -> dict[str, Any]:
        """The report's entry."""
        known = dict(self._known)
        if LIFT in self._config.stages and known.get("failure") != LEFT_OUT:
            known.setdefault("lift_success", False)  # the whole system acts: whatever failed, failed the lift
        task = self._task
        return entry(task.name, **known, episode=task.episode, mesh_hash=task.mesh_hash)

    def _scan(self) -> Scene:
        """What perception makes of the object on a table in front of noisy cameras."""
        self._episode = episode_of(self._task)
        self.stage = "perception"
        views = views_of_task(self._task, self._episode)
        capture = self._timed("perception", lambda: perceive(views, self._config.perception))
        if not capture.scene.targets:
            raise PerceptionError(f"no object to grasp: {capture.summary()}")
        return capture.scene

    def _plan(self, scene: Scene) -> tuple[SceneObject, Plan]:
        """The target with the best grasp, and its plan."""
        self.stage = PLAN
        plans = self._timed(
            "plan", lambda: [(target, self._tools.planner.plan(scene, target)) for target in scene.targets]
        )
        target, plan = best_of(plans)
        account = plan.account
        self._known["seconds"] |= known_stages(account.seconds)
        self._known["stage_seconds"] = account.seconds
        self._known |= {
            "rotations": self._config.grasps.rotations,
            "candidates": account.candidates,
            "rejected": {reason.text: count for reason, count in account.rejected.items()},
            "spare": account.spare,
            "feasible": len(plan.grasps),
        }
        if not plan.grasps:
            raise NoGraspFound(plan)
        return target, plan

    def _measure(self, mesh: trimesh.Trimesh, target: SceneObject, grasp: Grasp) -> Array:
        """Figures of the chosen grasp on the object as it was perceived, and on the object as it is.

        Returns:
            (D,) the grasp, frame of the object as it is.
        """
        self._known |= grasp_figures(self._tools.hand, target.mesh, grasp.pose_vector)
        x_true = grasp.pose_vector
        if self._episode is not None:
            x_true = on_true_object(self._episode, target, grasp.pose_vector)
            self._known["on_true_object"] = grasp_figures(self._tools.hand, mesh, x_true)
        self._grasp_true = x_true
        return x_true

    def _force(self, mesh: trimesh.Trimesh, x_true: Array, grasp: Grasp) -> None:
        """The force trial on the object as it is, with the postures that were planned."""
        self.stage = FORCE
        hand = self._tools.hand
        postures = (hand.independent_joints(p)[None] for p in (grasp.pre_grasp, grasp.squeeze))
        result = ForceTrial(hand, mesh, config=self._config.forces).judge(x_true[None], *postures)
        failure = str(result.failure[0])
        self._known |= {"force_success": not failure, "force_failure": failure or None}

    def _lift(self, scene: Scene, target: SceneObject, plan: Plan) -> None:
        """The lift trial of the whole system."""
        self.stage = LIFT
        shared, config = self._tools, self._config
        assert self._episode is not None and shared.robot is not None  # see config
        simulated = SimulatedRobot(World(config.world, self._episode))
        there = (scene, target.id, supports_beneath(scene, target))
        self._known["grasp"] = lift(
            shared.robot, simulated, plan.grasps, *there, config.motion, config.pickup
        )
        self._known["lift_success"] = True

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        wall, cpu, stolen = time.perf_counter(), time.process_time(), _stolen_s()
        result = work()
        self._known["seconds"][stage] = time.perf_counter() - wall
        self._known["cpu_seconds"][stage] = time.process_time() - cpu
        self._known["stolen_seconds"][stage] = _stolen_s() - stolen
        return result


def _stolen_s() -> float:
    """What the host of a virtual machine has kept from its processors so far, summed over them [s]; 0 where unknown."""
    statistics = Path("/proc/stat")
    if not statistics.exists():
        return 0.0
    # the first line is of all processors together: "cpu", then ticks by what they were spent on
    ticks = statistics.read_text().splitlines()[0].split()
    return int(ticks[8]) / os.sysconf("SC_CLK_TCK")
