"""The errors a user can meet. Each text names what was asked, what was found and what to do."""

from __future__ import annotations

LONGEST_TEXT, LONGEST_WORD = 1000, 200  # a name of 5000 letters must not hide what is said of it


class GraspPoseNetError(Exception):
    """Base of every error that this package raises on purpose; one line, whatever the names in it are."""

    def __str__(self) -> str:
        """The text as one line of a length that is read."""
        words = super().__str__().split()
        text = " ".join(word if len(word) <= LONGEST_WORD else f"{word[:LONGEST_WORD]}…" for word in words)
        return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


class ConfigError(GraspPoseNetError):
    """A configuration or model file does not say what it must."""


class StorageError(GraspPoseNetError):
    """A file or folder cannot be written."""


class WorldError(GraspPoseNetError, ValueError):
    """A pose, shape, scene, grasp, trajectory or joint state is none: not finite, not rigid and so on."""


class MessageError(GraspPoseNetError, ValueError):
    """A message asks for what is not supported, or does not hold together."""


class MeshError(GraspPoseNetError):
    """A mesh cannot be used as a graspable object."""


class CheckpointError(GraspPoseNetError):
    """Network weights are missing or belong to another hand or architecture."""


class PerceptionError(GraspPoseNetError):
    """The depth views do not show a table with objects."""


class PlanningError(GraspPoseNetError):
    """No grasp, or no motion to it, exists under the given conditions."""


class ExecutionError(GraspPoseNetError):
    """A motion or a process did not do what it was told; may quote the lines of its log."""

    __str__ = Exception.__str__
