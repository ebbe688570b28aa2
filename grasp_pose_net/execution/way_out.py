"""Out of what the robot touches, wherever it has stopped: short motions on which every contact only becomes less."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

import numpy as np

from grasp_pose_net.execution.checked_planner import CheckedPlanner
from grasp_pose_net.robot.lines import line_poses
from grasp_pose_net.robot.model import RobotModel
from grasp_pose_net.robot.motion import MotionConfig
from grasp_pose_net.robot.problems import PlanningFailed, Problem
from grasp_pose_net.world import Array, Scene, Trajectory

LENGTHS_M, TURNS_RAD = (0.10, 0.05, 0.02), (0.3, 0.15, 0.06)  # of the ways that are tried, the longest first
MOST_NAMED = 5  # of the pairs that touch
TURN_STEP_RAD = 0.03
# up first, then level and slanting
DIRECTIONS = sorted(
    (np.array(d) / np.linalg.norm(d) for d in product((-1.0, 0.0, 1.0), repeat=3) if any(d)),
    key=lambda d: float(-d[2]),
)


def way_out(
    robot: RobotModel,
    planner: CheckedPlanner,
    motion: MotionConfig,
    start: Array,
    scene: Scene,
    first: Iterable[Array] = (),
) -> Trajectory | None:
    """A motion to where nothing is touched; None where nothing is touched already.

    Tried are straight lines of the tip, as it is turned, and turns of single joints.

    Args:
        robot: the robot.
        planner: checks them.
        motion: steps of lines.
        start: (J,) configuration of the whole robot [rad].
        scene: what is around.
        first: directions (3,) of the world that are tried before all others.

    Raises:
        PlanningFailed: none was found; the text says what is touched, and how deep.
    """
    touched = planner.touched(start, scene)
    if not touched:
        return None
    for path in _ways(robot, motion, start, [*first, *DIRECTIONS]):
        try:
            leaving = planner.plan_leaving(start, path, scene)
        except PlanningFailed as failure:
            if failure.problem is Problem.CANCELLED:
                raise
            continue
        if not planner.touched(robot.after(start, leaving), scene):
            return leaving
    raise PlanningFailed(
        Problem.START_IN_COLLISION,
        f"{described(touched)}, and no short way leads out of that; open the hand, take away what is there, or "
        "move the arm free by hand",
    )


def line(robot: RobotModel, motion: MotionConfig, start: Array, way: Array) -> Array:
    """Arm joints (K, A) [rad] on a straight way (3,) of the tip [m], as far as it is in reach."""
    begin = start[robot.arm.indices]
    T_world_tip = robot.chain.tip_pose(begin)
    T_end = T_world_tip.copy()
    T_end[:3, 3] += way
    poses = line_poses(T_world_tip, T_end, motion.line_step_m)
    return robot.chain.track(begin, poses, motion.line_jump_rad)


def described(touched: dict[tuple[str, str], float]) -> str:
    """What touches what, and how deep, the deepest first."""
    pairs = sorted(touched.items(), key=lambda entry: -np.nan_to_num(entry[1], nan=np.inf))
    words = [
        f"{a} touches {b}" + (f" ({1e3 * depth:.0f} mm)" if np.isfinite(depth) else "")
        for (a, b), depth in pairs[:MOST_NAMED]
    ]
    return ", ".join(words) + (f" and {len(pairs) - MOST_NAMED} more" if len(pairs) > MOST_NAMED else "")


def _ways(
    robot: RobotModel, motion: MotionConfig, start: Array, directions: Iterable[Array]
) -> Iterator[Array]:
    """Arm joints (K, A) of one way after the other."""
    begin, arm = start[robot.arm.indices], robot.arm
    for length, turn in zip(LENGTHS_M, TURNS_RAD, strict=True):
        for direction in directions:
            path = line(robot, motion, start, length * direction)
            if len(path):
                yield path
        steps = np.arange(TURN_STEP_RAD, turn + 1e-9, TURN_STEP_RAD)
        for joint, sign in product(range(len(begin)), (-1.0, 1.0)):
            path = begin + np.outer(sign * steps, np.eye(len(begin))[joint])
            if ((path >= arm.lower) & (path <= arm.upper)).all():
                yield path
