"""The robot and its table, shared with the other half of the tests that move it."""

from robot_scenes import grasp, home, robot, scene  # noqa: F401 - fixtures
