"""The executor and its robot, shared by the files that try them."""

from contextlib import suppress

with suppress(ImportError):  # without rclpy, the tests that use them are skipped
    from executor_rig import caller, fake, goal, system  # noqa: F401 - fixtures
