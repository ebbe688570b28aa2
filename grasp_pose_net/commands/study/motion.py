"""Plan the arm's way to random pre-grasps around the table, with a post in the way, and check every motion.

    grasp-pose-net study motion --out docs/results/motion_report.json

Prints a Markdown table. A goal is a pose of the palm at which the arm has a configuration free of collisions; nothing else
is asked of it. Each is planned twice: from the home posture, and from the goal before it. A motion has a fault when one
of its samples leaves the limits or hits something; nine configurations between each two samples are tested, too, and
what hits something only there is counted as a graze.

Two times are given: of the wall, and of the process (one thread). They differ where other work has the cores.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.spatial.transform import Rotation

from grasp_pose_net.commands.options import writable_file
from grasp_pose_net.execution import (
    MotionPlanner,
    MoveItPlanner,
    MoveItSession,
    OmplPlanner,
    check_limits,
    moveit_parameters,
)
from grasp_pose_net.markdown import table
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.provenance import record
from grasp_pose_net.robot import CollisionChecker, MotionConfig, PlanningFailed, RobotModel, scene_checker
from grasp_pose_net.storage import save_json
from grasp_pose_net.world import Array, Scene, SceneObject, Trajectory, inverse_transform, make_transform

BETWEEN = 10  # checked configurations from one sample to the next
PALM = "rh_palm"
HEAD = (
    "start",
    "goals",
    "planned",
    "faults",
    "grazes",
    "wall p50 / p95 / max",
    "process p50 / p95 / max",
    "motion p50",
)
# The palm's place relative to the middle of the table top [m], and how far it may look up from straight down.
LOW_M, HIGH_M = (-0.25, -0.30, 0.10), (0.25, 0.30, 0.35)
TILT_RAD = np.deg2rad(100.0)
TABLE_TOP = (0.70, 0.0, 0.72)


@dataclass(frozen=True)
class Attempt:
    """One goal: how it was planned, how long that took, and what is wrong with the motion."""

    problem: str | None
    fault: str | None
    graze: str | None
    wall_s: float
    process_s: float
    motion_s: float


def main(
    goals: Annotated[int, typer.Option(min=1, help="Of each seed.")] = 100,
    seeds: Annotated[
        list[int], typer.Option("--seed", help="Again for each; each gives that many goals.")
    ] = [0, 1, 2],
    planner: Annotated[str, typer.Option(help="ompl or moveit.")] = "ompl",
    out: Annotated[
        Path | None, typer.Option(help="Write the figures here.", callback=writable_file())
    ] = None,
) -> None:
    """Measure and write."""
    robot = RobotModel(robot_urdf(), robot_srdf())
    robot.chain.warm_up()
    config = MotionConfig()
    planning: MotionPlanner = {"ompl": OmplPlanner, "moveit": start_moveit}[planner](robot, config)
    starts = benchmark(robot, config, planning, goals, seeds)
    report = {"planner": planner, "seeds": seeds, "config": asdict(config), "starts": starts}
    typer.echo(table_of(report))
    if out:
        save_json(out, report | record() | {"load": os.getloadavg()[0]})


def start_moveit(robot: RobotModel, config: MotionConfig) -> MotionPlanner:
    """MoveIt's planner, in this process."""
    from grasp_pose_net.nodes.messages import moveit as moveit_messages

    parameters = moveit_parameters("ur10_shadow", robot_urdf(), robot_srdf(), robot, config)
    return MoveItPlanner(robot, config, MoveItSession(robot, config, parameters, moveit_messages))


def benchmark(
    robot: RobotModel, config: MotionConfig, planner: MotionPlanner, count: int, seeds: Sequence[int]
) -> dict[str, dict]:
    """Summary for each kind of start and each seed, of ``count`` goals."""
    scene = scene_with_post()
    home = open_at_home(robot)
    checker = scene_checker(robot, scene, config.clearance_m)
    rows = {}
    for seed in seeds:
        goals = list(reachable_goals(robot, home, checker, count, np.random.default_rng(seed)))
        planner.plan_to_pose(home, goals[0], scene)  # what is loaded on first use is not timed
        from_home, in_turn, at = [], [], home
        for T_world_tip in goals:
            from_home.append(tried(robot, config, planner, scene, checker, home, T_world_tip)[0])
            attempt, at = tried(robot, config, planner, scene, checker, at, T_world_tip)
            in_turn.append(attempt)
        rows[f"home, seed {seed}"] = summary(from_home)
        rows[f"the goal before, seed {seed}"] = summary(in_turn)
    return rows


def scene_with_post() -> Scene:
    """The table, and a post of 8 cm by 8 cm, half a metre high, in the middle of it."""
    table = SceneObject.box("table", make_transform((0.7, 0.0, 0.70)), (0.8, 0.8, 0.04))
    return Scene((table, SceneObject.box("post", make_transform((0.7, 0.0, 0.97)), (0.08, 0.08, 0.5))))


def open_at_home(robot: RobotModel) -> Array:
    """The robot at home with its hand open, (J,) [rad]."""
    configuration = robot.named_states["home"].copy()
    configuration[robot.hand.indices] = robot.named_states["open"][robot.hand.indices]
    return configuration


def reachable_goals(
    robot: RobotModel, home: Array, checker: CollisionChecker, count: int, rng: np.random.Generator
) -> Iterator[Array]:
    """Tip poses (4, 4) of random palms around the table at which the arm has a free configuration."""
    T_palm_tip = inverse_transform(robot.link_pose(home, PALM)) @ robot.link_pose(home, robot.tip)
    starts = robot.chain.spread_starts(32, rng)
    found = 0
    while found < count:
        T_world_tip = random_palm(rng) @ T_palm_tip
        solutions = robot.chain.inverse(T_world_tip, home[robot.arm.indices], starts)
        if any(checker.free(with_arm(robot, home, joints)) for joints in solutions):
            found += 1
            yield T_world_tip


def random_palm(rng: np.random.Generator) -> Array:
    """T_world_palm (4, 4): the palm (its -y) looks down to sideways, the fingers (its z) anywhere across that."""
    tilt, azimuth = rng.uniform(0.0, TILT_RAD), rng.uniform(-np.pi, np.pi)
    looks = Rotation.from_euler("YZ", [-tilt, 0.0]).apply((0.0, 0.0, -1.0))
    looks = Rotation.from_euler("Z", azimuth).apply(looks)
    across = np.cross(rng.normal(size=3), looks)
    z = across / np.linalg.norm(across)
    T_world_palm = make_transform(np.add(TABLE_TOP, rng.uniform(LOW_M, HIGH_M)))
    T_world_palm[:3, :3] = np.stack([np.cross(-looks, z), -looks, z], axis=1)
    return T_world_palm


def tried(
    robot: RobotModel,
    config: MotionConfig,
    planner: MotionPlanner,
    scene: Scene,
    checker: CollisionChecker,
    start: Array,
    T_world_tip: Array,
) -> tuple[Attempt, Array]:
    """One goal planned from a start (J,), and where the arm then is (J,) [rad]."""
    wall, process = time.perf_counter(), time.process_time()
    trajectory, problem = None, None
    try:
        trajectory = planner.plan_to_pose(start, T_world_tip, scene)
    except PlanningFailed as failure:
        problem = str(failure)
    wall, process = time.perf_counter() - wall, time.process_time() - process
    if trajectory is None:
        return Attempt(problem, None, None, wall, process, 0.0), start
    fault = outside(robot, config, trajectory) or hit(robot, checker, start, trajectory.positions)
    graze = None if fault else hit(robot, checker, start, filled(trajectory.positions))
    end = with_arm(robot, start, trajectory.positions[-1])
    return Attempt(None, fault, graze, wall, process, trajectory.duration), end


def outside(robot: RobotModel, config: MotionConfig, trajectory: Trajectory) -> str | None:
    """Which limit a motion breaks, None for none."""
    try:
        check_limits(trajectory, config.arm_limits(robot))
    except PlanningFailed as failure:
        return str(failure)
    return None


def hit(robot: RobotModel, checker: CollisionChecker, start: Array, positions: Array) -> str | None:
    """What collides on arm positions (N, A) [rad] of a robot otherwise at ``start`` (J,), None for nothing."""
    for arm in positions:
        if pair := checker.collision(with_arm(robot, start, arm)):
            return " hits ".join(pair)
    return None


def filled(positions: Array) -> Array:
    """Arm positions (N, A) with nine more between each two."""
    places = np.linspace(0, len(positions) - 1, BETWEEN * (len(positions) - 1) + 1)
    return np.stack([np.interp(places, np.arange(len(positions)), column) for column in positions.T], axis=1)


def with_arm(robot: RobotModel, configuration: Array, arm: Array) -> Array:
    """Configuration (J,) with other joints (A,) of the arm [rad]."""
    configuration = configuration.copy()
    configuration[robot.arm.indices] = arm
    return configuration


def summary(attempts: list[Attempt]) -> dict:
    """Rates and times of attempts; the times are of all of them, planned or not."""
    times = {
        f"{clock}_{name}": float(np.quantile([getattr(a, clock) for a in attempts], quantile))
        for clock in ("wall_s", "process_s")
        for name, quantile in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    }
    planned = [a for a in attempts if a.problem is None]
    return {
        "goals": len(attempts),
        "planned": len(planned) / len(attempts),
        "with_a_fault": sum(a.fault is not None for a in planned),
        "with_a_graze": sum(a.graze is not None for a in planned),
        **times,
        "motion_s_p50": float(np.median([a.motion_s for a in planned])) if planned else None,
        "problems": dict(Counter(a.problem for a in attempts if a.problem)),
        "faults": dict(Counter(a.fault for a in planned if a.fault)),
        "grazes": dict(Counter(a.graze for a in planned if a.graze)),
    }


def table_of(report: dict) -> str:
    """The figures as Markdown."""
    rows = []
    for name, row in report["starts"].items():
        wall, process = (
            " / ".join(f"{row[f'{clock}_{key}']:.3f}" for key in ("p50", "p95", "max")) + " s"
            for clock in ("wall_s", "process_s")
        )
        motion = f"{row['motion_s_p50'] or 0:.2f} s"
        counts = (row["goals"], f"{row['planned']:.0%}", row["with_a_fault"], row["with_a_graze"])
        rows.append((name, *counts, wall, process, motion))
    return "\n".join(table(HEAD, rows))
