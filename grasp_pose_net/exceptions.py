"""The errors a user can meet. Each text names what was asked, what was found and what to do."""

from __future__ import annotations


class GraspPoseNetError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(GraspPoseNetError):
    """A configuration or model file does not say what it must."""


class StorageError(GraspPoseNetError):
    """A file or folder cannot be written."""


class WorldError(GraspPoseNetError, ValueError):
    """A pose, shape, scene, grasp, trajectory or joint state is none: not finite, not rigid and so on."""


class MeshError(GraspPoseNetError):
    """A mesh cannot be used as a graspable object."""


class CheckpointError(GraspPoseNetError):
    """Network weights are missing or belong to another hand or architecture."""


class PerceptionError(GraspPoseNetError):
    """The depth views do not show a table with objects."""


class PlanningError(GraspPoseNetError):
    """No grasp, or no motion to it, exists under the given conditions."""


class ExecutionError(GraspPoseNetError):
    """A motion or a process did not do what it was told."""
