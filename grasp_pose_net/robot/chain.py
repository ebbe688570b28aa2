"""One serial chain of revolute joints: forward and inverse kinematics of its tip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grasp_pose_net.robot import chain_kernels
from grasp_pose_net.world import Array

ITERATIONS = 40


@dataclass(frozen=True)
class Chain:
    """Serial chain from the world to a tip link.

    Attributes:
        names: (J,) joints, from the base on.
        offsets: (J + 1, 4, 4) pose at zero of each joint's frame, and last of the tip, in the frame before.
        axes: (J, 3) unit rotation axis in the joint's own frame.
        lower: (J,) lower limits [rad].
        upper: (J,) upper limits [rad].
    """

    names: tuple[str, ...]
    offsets: Array
    axes: Array
    lower: Array
    upper: Array

    def tip_pose(self, joints: Array) -> Array:
        """T_world_tip (4, 4) at joints (J,) [rad]."""
        return chain_kernels.joint_frames(self.offsets, self.axes, np.asarray(joints, float))[-1]

    def jacobian(self, joints: Array) -> Array:
        """Jacobian (6, J) of the tip, velocity then angular velocity in world axes, at joints (J,) [rad]."""
        error, jacobian = np.empty(6), np.empty((6, len(self.names)))
        chain_kernels.error_and_jacobian(
            self.offsets, self.axes, np.asarray(joints, float), np.eye(4), error, jacobian
        )
        return jacobian

    def turning(self, joints: Array) -> float:
        """Most that a joint turns for a metre of the tip, which keeps its orientation, in the worst direction [rad/m].

        The rates of the joints are J^-1 v, so it is the longest row of J^-1's first three columns; infinite at a
        singularity.

        Args:
            joints: (J,) [rad], of an arm of six joints.
        """
        jacobian = self.jacobian(joints)
        if np.linalg.cond(jacobian) > 1e9:
            return float("inf")
        return float(np.linalg.norm(np.linalg.inv(jacobian)[:, :3], axis=1).max())

    def inverse(self, T_world_goal: Array, near: Array, starts: Array, keep: int = 8) -> Array:
        """Arm configurations that put the tip to a pose, the one closest to ``near`` first.

        Args:
            T_world_goal: (4, 4) wanted tip pose.
            near: (J,) joints that solutions shall be close to, also the first start [rad].
            starts: (S, J) further joints to start from [rad].
            keep: most solutions returned.

        Returns:
            Different solutions (K, J) [rad], K from 0 to ``keep``, turned by whole revolutions to be near
            ``near`` where the limits allow.
        """
        goal = np.ascontiguousarray(T_world_goal, dtype=float)
        found: list[Array] = []
        for start in (np.asarray(near, float), *starts):
            joints, solved = self._solve(goal, start)
            if not solved:
                continue
            joints = self.unwind(joints, near)
            if all(np.abs(joints - other).max() > 1e-2 for other in found):
                found.append(joints)
            if len(found) == keep:
                break
        found.sort(key=lambda joints: float(np.linalg.norm(joints - near)))
        return np.array(found).reshape(-1, len(self.names))

    def unwind(self, joints: Array, near: Array) -> Array:
        """Joints (J,) turned by whole revolutions to be as near to ``near`` (J,) as the limits allow."""
        candidates = joints[:, None] + 2 * np.pi * np.arange(-2, 3)
        distance = np.abs(candidates - near[:, None])
        outside = (candidates < self.lower[:, None] - 1e-9) | (candidates > self.upper[:, None] + 1e-9)
        distance[outside] = np.inf
        best = candidates[np.arange(len(joints)), distance.argmin(axis=1)]
        return np.clip(best, self.lower, self.upper)

    def track(self, start: Array, T_world_goals: Array, largest_step: float) -> Array:
        """Follow close tip poses without jumping to another arm configuration.

        Args:
            start: (J,) joints to start from [rad].
            T_world_goals: (K, 4, 4) tip poses one after another.
            largest_step: most that a joint may move from one pose to the next [rad].

        Returns:
            Joints (R, J) of the first R ≤ K poses, those that were reached [rad].
        """
        path = np.empty((len(T_world_goals) + 1, len(self.names)))
        path[0] = start
        reached = chain_kernels.track(
            self.offsets,
            self.axes,
            self.lower,
            self.upper,
            np.ascontiguousarray(T_world_goals, dtype=float),
            path,
            largest_step,
        )
        return path[1 : reached + 1]

    def warm_up(self) -> None:
        """Compile what is compiled on first use (seconds, once a machine), so that no motion waits."""
        middle = 0.5 * (self.lower + self.upper)
        self.track(middle, self.tip_pose(middle)[None], largest_step=1.0)
        self.inverse(self.tip_pose(middle), middle, middle[None])

    def spread_starts(self, count: int, rng: np.random.Generator) -> Array:
        """Random joints (count, J) within half a turn of zero and the limits, to start solving from."""
        low, high = np.maximum(self.lower, -np.pi), np.minimum(self.upper, np.pi)
        return rng.uniform(low, high, (count, len(self.names)))

    def _solve(self, T_world_goal: Array, start: Array) -> tuple[Array, bool]:
        joints = np.clip(start, self.lower, self.upper)
        solved = chain_kernels.solve(
            self.offsets, self.axes, self.lower, self.upper, T_world_goal, joints, ITERATIONS
        )
        return joints, solved
