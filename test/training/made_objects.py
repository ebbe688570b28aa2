"""Things that several tests of training make."""

from __future__ import annotations

import numpy as np

from grasp_pose_net.hand import Hand


def random_grasps(hand: Hand, count: int, seed: int) -> np.ndarray:
    """Pose vectors (count, 7 + J) around an object, unit quaternions, joints within limits."""
    rng = np.random.default_rng(seed)
    x = np.zeros((count, hand.size))
    x[:, :3] = rng.normal(0, 0.05, (count, 3))
    x[:, 3:7] = rng.normal(size=(count, 4))
    x[:, 3:7] /= np.linalg.norm(x[:, 3:7], axis=1, keepdims=True)
    x[:, 7:] = rng.uniform(hand.lower, hand.upper, (count, hand.size - 7))
    return x
