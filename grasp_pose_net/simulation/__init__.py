"""MuJoCo stand-in for arm, hand, depth cameras and controllers, and the verdict on grasp trials."""

import os

from grasp_pose_net.simulation.lift_trial import LiftVerdict, judge_lift

# MuJoCo chooses its graphics library when it is first imported; EGL needs no display
os.environ.setdefault("MUJOCO_GL", "egl")

# What needs MuJoCo is imported from its own module, so that the verdict alone stays light.
__all__ = ["LiftVerdict", "judge_lift"]
