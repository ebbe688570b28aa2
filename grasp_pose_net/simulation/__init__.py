"""MuJoCo stand-in for arm, hand, depth cameras and controllers, and the verdict on grasp trials."""

import os

# MuJoCo chooses its graphics library when it is first imported; EGL needs no display
os.environ.setdefault("MUJOCO_GL", "egl")
