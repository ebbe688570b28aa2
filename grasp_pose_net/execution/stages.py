"""The words of a pick-up: its stages and steps, what moves the robot, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from grasp_pose_net.config import Settings, setting
from grasp_pose_net.robot.problems import Problem
from grasp_pose_net.world import Array, Grasp, JointState, Scene, Trajectory

REACH, APPROACH, CLOSE, SQUEEZE, LIFT = STAGES = ("reach", "approach", "close", "squeeze", "lift")


class Controllers(Protocol):
    """What moves the robot: ROS controllers, or a record of what was asked in a test."""

    def joint_state(self) -> JointState:
        """The newest measured joints.

        Raises:
            ExecutionFailed: some have not come yet, or not for too long.
        """

    def wait(self, seconds: float) -> None:
        """Let a little time pass, after which joints may be measured elsewhere."""

    def execute(self, trajectory: Trajectory, may_stop_short: bool, cancelled: Callable[[], bool]) -> None:
        """Do a motion and return when it has ended.

        Args:
            trajectory: of all joints of the arm, or of the hand.
            may_stop_short: fingers may be stopped by an object on their way; that is no failure.
            cancelled: asked again and again; once it is true or raises, the motion is stopped.

        Raises:
            ExecutionFailed: rejected, aborted, too late, cancelled, or nobody can tell any more where the joints
                are; the motion has been told to stop.
        """


@dataclass(frozen=True, kw_only=True)
class PickupConfig(Settings):
    """What the pick-up tolerates."""

    start_tolerance_rad: float = setting(
        0.05,
        0.001,
        0.5,
        "largest difference of an arm joint from where its motion was planned to start [rad]",
    )
    hand_tolerance_m: float = setting(
        0.03,
        0.001,
        0.2,
        "largest distance of a part of the empty hand from where a motion was planned with it [m]",
    )
    end_tolerance_rad: float = setting(
        0.05, 0.001, 0.5, "largest distance of an arm joint from where its motion should have ended [rad]"
    )
    settle_s: float = setting(
        0.5, 0.01, 10.0, "longest wait for the joints to be measured where a motion has ended [s]"
    )
    closed_share: float = setting(
        0.3, 0.0, 1.0, "least part of its way to the grasp that a hand must have made to count as closed"
    )
    held_rad: float = setting(
        0.03,
        0.0,
        0.2,
        (
            "a finger whose joints together stay this far behind where they press to is held up by something; where none "
            "is, the hand is empty [rad]; 0: not looked at"
        ),
    )
    target_moved_m: float = setting(
        0.02, 0.001, 0.2, "distance by which the target may seem to move while the arm reaches for it [m]"
    )
    squeeze_effort_nm: float = setting(
        1.0,
        0.01,
        10.0,
        (
            "largest torque that the squeeze asks of a joint, if the URDF does not allow less [N m]; "
            "posture and effort are reduced alike"
        ),
    )
    home: str = setting("home", doc="group_state of the SRDF that ~/home takes the arm to")
    posture_s: float = setting(0.6, 0.1, 10.0, "shortest time for a change of the hand's posture [s]")


@dataclass(frozen=True)
class Step:
    """One motion of a stage.

    Attributes:
        stage: name of the stage.
        trajectory: of the arm or the hand.
        start: (J,) configuration of the whole robot that it was planned from [rad].
        scene: what is around, with the contacts that are allowed meanwhile.
        empty: the hand has not touched the object yet, so that its joints, too, must be where they start and end.
        may_stop_short: fingers may be stopped by the object.
        press: once it has ended, fingers must be held up on the way of this motion, None where none need be.
        shown: the scene as it is once the motion has ended, None where that is as before.
    """

    stage: str
    trajectory: Trajectory
    start: Array
    scene: Scene
    empty: bool = True
    may_stop_short: bool = False
    press: Trajectory | None = None
    shown: Scene | None = None


@dataclass(frozen=True)
class PickupPlan:
    """All motions of a pick-up, in order, and the grasp they do."""

    grasp: Grasp
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class PickupResult:
    """How a pick-up ended.

    Attributes:
        problem: None if the object was lifted as planned.
        stage: the last stage that was begun; "plan" before the first.
        text: for people; after a failure it says where arm and hand are.
        grasp: the grasp that was used, None if none could be planned.
        done: the motions that ended as planned; with ``plan_only`` all that were planned.
        planning_s: time that planning took [s].
    """

    problem: Problem | None
    stage: str
    text: str
    grasp: Grasp | None
    done: tuple[Step, ...]
    planning_s: float = 0.0
