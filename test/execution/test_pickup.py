from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from robot_scenes import HELD_RAD, MOTION, NEVER, Recorder, box, pickup

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.execution import STAGES, OmplPlanner, Pickup, PickupConfig, check_limits
from grasp_pose_net.robot import Problem
from grasp_pose_net.world import Scene


def run(robot, controllers, scene, grasps, cancelled=NEVER, plan_only=False):
    told = []
    result = pickup(robot, controllers).run(
        grasps, scene, "can", ("table",), told.append, cancelled, plan_only
    )
    return result, told


def test_lifts_the_object(robot, home, scene, grasp):
    controllers = Recorder(robot, home)
    result, told = run(robot, controllers, scene, [grasp])
    assert result.problem is None and result.stage == "lift" and result.grasp is grasp
    assert tuple(told) == STAGES
    assert [step.stage for step in result.done] == ["reach", "reach", "approach", "close", "squeeze", "lift"]
    assert [(len(t.joint_names), short) for t, short in controllers.asked] == [
        (24, False),
        (6, False),
        (6, False),
        (24, True),
        (24, True),
        (6, False),
    ]
    at_end = robot.configuration(controllers.positions)
    T_world_tip = robot.link_pose(at_end, robot.tip)
    np.testing.assert_allclose(T_world_tip[:3, 3], grasp.T_world_tip[:3, 3] + (0, 0, 0.15), atol=1e-4)
    np.testing.assert_allclose(T_world_tip[:3, :3], grasp.T_world_tip[:3, :3], atol=1e-3)
    np.testing.assert_allclose(at_end[robot.hand.indices], grasp.squeeze, atol=HELD_RAD + 1e-9)
    assert "lifted with slanted" in result.text and "nearest to the squeeze posture" in result.text
    assert 0 < result.planning_s < 60


class Showing(OmplPlanner):
    """Keeps what it was told to show, and how many motions had been done by then."""

    def __init__(self, robot, controllers, *arguments):
        super().__init__(robot, MOTION, *arguments)
        self.controllers, self.shown = controllers, []

    def show(self, scene):
        self.shown.append((len(self.controllers.asked), scene))


def test_the_object_is_shown_as_held_once_the_fingers_have_closed(robot, home, scene, grasp):
    controllers = Recorder(robot, home)
    planner = Showing(robot, controllers)
    told = Pickup(robot, planner, controllers, MOTION, PickupConfig())
    told.run([grasp], scene, "can", ("table",), lambda stage: None, NEVER)
    assert [(done, shown.attached is None) for done, shown in planner.shown] == [(0, True), (5, False)]
    held = planner.shown[1][1].attached
    assert (held.id, held.link, held.touch_links) == ("can", robot.tip, robot.hand_links)
    np.testing.assert_allclose(grasp.T_world_tip @ held.T_link_object, scene["can"].T_world_object, atol=1e-3)


def test_nothing_is_held_when_the_fingers_did_not_close(robot, home, scene, grasp):
    controllers = Recorder(robot, home, fail_at=4)
    planner = Showing(robot, controllers)
    told = Pickup(robot, planner, controllers, MOTION, PickupConfig())
    told.run([grasp], scene, "can", ("table",), lambda stage: None, NEVER)
    assert [shown.attached for _, shown in planner.shown] == [None]


def test_cancelled_inside_a_plan(robot, home, scene, grasp):
    """Between two grasps nobody asks: the planner itself has to."""
    controllers = Recorder(robot, home)
    planner = Showing(robot, controllers, lambda: True)
    told = Pickup(robot, planner, controllers, MOTION, PickupConfig())
    result = told.run([grasp, grasp], scene, "can", ("table",), lambda stage: None, NEVER)
    assert (result.problem, result.stage, controllers.asked) == (Problem.CANCELLED, "plan", [])
    assert "nothing was moved. cancelled: while planning" in result.text


def test_motions_join_and_keep_the_limits(robot, home, scene, grasp):
    controllers = Recorder(robot, home)
    run(robot, controllers, scene, [grasp])
    now = dict(zip(robot.joint_names, home, strict=True))
    for trajectory, _ in controllers.asked:
        is_arm = trajectory.joint_names == robot.arm.names
        check_limits(trajectory, MOTION.arm_limits(robot) if is_arm else MOTION.hand_limits(robot))
        start = [now[name] for name in trajectory.joint_names]
        np.testing.assert_allclose(trajectory.positions[0], start, atol=2e-4)
        now.update(zip(trajectory.joint_names, trajectory.positions[-1], strict=True))


def test_squeeze_carries_its_efforts(robot, home, scene, grasp):
    controllers = Recorder(robot, home)
    run(robot, controllers, scene, [replace(grasp, efforts=np.linspace(0, 1, 24))])
    efforts = [trajectory.efforts for trajectory, _ in controllers.asked]
    assert [e is None for e in efforts] == [True, True, True, True, False, True]
    np.testing.assert_array_equal(efforts[4], np.linspace(0, 1, 24))


def test_squeeze_is_no_stronger_than_allowed(robot, home, scene, grasp):
    """Posture and effort are reduced alike: a controller of positions knows no efforts."""
    efforts = np.where(np.arange(24) < 12, 4.0, -0.5)
    controllers = Recorder(robot, home)
    config = PickupConfig(squeeze_effort_nm=1.5)
    told = Pickup(robot, OmplPlanner(robot, MOTION), controllers, MOTION, config)
    strong = replace(grasp, efforts=efforts)
    assert told.run([strong], scene, "can", ("table",), lambda stage: None, NEVER).problem is None
    squeeze = controllers.asked[4][0]
    largest = np.minimum(1.5, robot.hand.effort)
    np.testing.assert_allclose(squeeze.efforts, np.clip(efforts, -largest, largest))
    share = squeeze.efforts / efforts
    np.testing.assert_allclose(
        squeeze.positions[-1], grasp.grasp + share * (grasp.squeeze - grasp.grasp), atol=1e-9
    )
    assert squeeze.efforts[-1] == -0.5 and squeeze.efforts.max() == 1.5


def test_the_plan_is_shown_before_anything_moves(robot, home, scene, grasp):
    controllers, shown = Recorder(robot, home), []
    pickup(robot, controllers).run(
        [grasp], scene, "can", ("table",), lambda stage: None, NEVER,
        planned=lambda plan: shown.append((plan, len(controllers.asked))),
    )  # fmt: skip
    ((plan, moved),) = shown
    assert moved == 0 and plan.grasp is grasp
    assert [step.stage for step in plan.steps] == ["reach", "reach", "approach", "close", "squeeze", "lift"]
    np.testing.assert_array_equal(plan.steps[0].start, home)


@pytest.mark.parametrize(
    ("fail_at", "stage", "hand"),
    [
        (1, "reach", "pre-grasp"),
        (2, "reach", "pre-grasp"),
        (3, "approach", "pre-grasp"),
        (4, "close", "grasp|pre-grasp"),
        (5, "squeeze", "grasp|squeeze"),
        (6, "lift", "squeeze"),
    ],
)
@pytest.mark.parametrize("problem", [Problem.ABORTED, Problem.TIMED_OUT, Problem.CANCELLED])
def test_a_failed_motion_ends_the_pickup_and_says_where_things_are(
    robot, home, scene, grasp, fail_at, stage, hand, problem
):
    controllers = Recorder(robot, home, fail_at, problem)
    result, told = run(robot, controllers, scene, [grasp, replace(grasp, id="second")])
    assert (result.problem, result.stage, result.grasp) == (problem, stage, grasp)
    assert told[-1] == stage
    assert len(controllers.asked) == fail_at and len(result.done) == fail_at - 1
    assert result.text.startswith(
        f"{stage} failed. {problem.value}: the controller says so. Arm: rh_forearm at ("
    )
    assert any(f"nearest to the {name} posture" in result.text for name in hand.split("|"))


def test_the_next_grasp_is_tried_when_the_first_cannot_be_planned(robot, home, scene, grasp):
    T_far = grasp.T_world_tip.copy()
    T_far[0, 3] += 2.0
    controllers = Recorder(robot, home)
    result, _ = run(robot, controllers, scene, [replace(grasp, T_world_tip=T_far, id="far"), grasp])
    assert result.problem is None and result.grasp is grasp


def test_no_grasp_can_be_planned(robot, home, scene, grasp):
    T_far = grasp.T_world_tip.copy()
    T_far[0, 3] += 2.0
    controllers = Recorder(robot, home)
    far = replace(grasp, T_world_tip=T_far, id="far")
    result, told = run(robot, controllers, scene, [far, replace(far, id="farther")])
    assert result.problem is Problem.NO_INVERSE_KINEMATICS and result.stage == "plan" and result.grasp is None
    assert "nothing was moved" in result.text and "none of 2 grasps" in result.text
    assert "far: no inverse kinematics" in result.text and "farther: " in result.text
    assert told == [] and controllers.asked == []


def test_no_grasps_given(robot, home, scene):
    result, _ = run(robot, Recorder(robot, home), scene, [])
    assert result.problem is Problem.INVALID_GRASP and "ask /plan_grasp" in result.text


def test_stale_joint_state(robot, home, scene, grasp):
    controllers = Recorder(robot, home)
    controllers.age_s = 2.0
    result, _ = run(robot, controllers, scene, [grasp])
    assert (
        result.problem is Problem.STALE_STATE and "joint states are 2.00 s old, allowed 0.5 s" in result.text
    )
    assert controllers.asked == []


def test_joint_state_without_the_hand(robot, home, scene, grasp):
    controllers = Recorder(robot, home)
    controllers.positions = {n: v for n, v in controllers.positions.items() if not n.startswith("rh_")}
    result, _ = run(robot, controllers, scene, [grasp])
    assert result.problem is Problem.STALE_STATE and "lacks 24 of 30 joints: rh_" in result.text


def test_start_outside_limits(robot, home, scene, grasp):
    start = home.copy()
    start[2] = 3.5
    result, _ = run(robot, Recorder(robot, start), scene, [grasp])
    assert result.problem is Problem.OUTSIDE_LIMITS and "measured elbow_joint = 3.500" in result.text


def test_start_in_collision(robot, home, scene, grasp):
    crate = box("crate", (0.3, 0.3, 0.3), robot.link_pose(home, "rh_palm")[:3, 3])
    result, _ = run(robot, Recorder(robot, home), Scene((*scene.objects, crate)), [grasp])
    assert result.problem is Problem.START_IN_COLLISION and "with crate" in result.text


def test_the_arm_was_moved_by_something_else(robot, home, scene, grasp):
    controllers = Recorder(robot, home)

    def push(stage):
        if stage == "approach":
            controllers.positions["elbow_joint"] += 0.2

    result = pickup(robot, controllers).run([grasp], scene, "can", ("table",), push, NEVER)
    assert result.problem is Problem.NOT_AT_START and result.stage == "approach"
    assert "elbow_joint is 0.200 rad from the planned start" in result.text
    assert len(controllers.asked) == 2


class Lying(Recorder):
    """Controllers that say that their ``lie_at``-th motion has ended, of which only a ``part`` was done."""

    lie_at, part = 0, 0.0

    def execute(self, trajectory, may_stop_short, cancelled):
        before = dict(self.positions)
        super().execute(trajectory, may_stop_short, cancelled)
        if len(self.asked) == self.lie_at:
            self.positions = {n: before[n] + self.part * (v - before[n]) for n, v in self.positions.items()}


@pytest.mark.parametrize(
    ("lie_at", "part", "stage", "text"),
    [
        (2, 0.5, "reach", "from the planned end, allowed 0.05, though its controller says it is there"),
        (3, 0.0, "approach", "from the planned end"),
        (4, 0.0, "close", "the hand has made 0 % of its way to the grasp, expected at least 30"),
        (4, 0.2, "close", "does its controller follow, or does something hold it?"),
        (6, 0.0, "lift", "from the planned end"),
        (6, 0.5, "lift", "from the planned end"),
    ],
)
def test_a_controller_that_lies_is_not_believed(robot, home, scene, grasp, lie_at, part, stage, text):
    """The measured joints say whether a motion has been done."""
    controllers = Lying(robot, home)
    controllers.lie_at, controllers.part = lie_at, part
    result, _ = run(robot, controllers, scene, [grasp])
    assert (result.problem, result.stage) == (Problem.NOT_AT_END, stage), result.text
    assert text in result.text and len(controllers.asked) == lie_at


def test_joints_may_settle_after_a_motion(robot, home, scene, grasp):
    class Late(Recorder):
        """Joint states that come 0.1 s after the end of a motion."""

        late = None

        def execute(self, trajectory, may_stop_short, cancelled):
            self.late = dict(self.positions), time.monotonic()
            super().execute(trajectory, may_stop_short, cancelled)

        def joint_state(self):
            state = super().joint_state()
            if self.late and time.monotonic() - self.late[1] < 0.1:
                return replace(state, positions=np.array([self.late[0][name] for name in state.names]))
            return state

    result, _ = run(robot, Late(robot, home), scene, [grasp])
    assert result.problem is None, result.text


def test_a_cancel_is_heard_while_the_joints_settle(robot, home, scene, grasp):
    controllers = Lying(robot, home)
    controllers.lie_at = 2
    planner = OmplPlanner(robot, MOTION)
    told = Pickup(robot, planner, controllers, MOTION, PickupConfig(settle_s=10.0))
    began = time.monotonic()
    result = told.run(
        [grasp], scene, "can", ("table",), lambda stage: None, lambda: len(controllers.asked) == 2
    )
    assert (result.problem, result.stage) == (Problem.CANCELLED, "reach") and time.monotonic() - began < 5.0


@pytest.mark.parametrize(("gone_at", "stage"), [(5, "squeeze"), (6, "lift")])
def test_fingers_that_nothing_holds_up_hold_nothing(robot, home, scene, grasp, gone_at, stage):
    class Slipping(Recorder):
        """The object is not there any more when the fingers press, or slips away as it is lifted."""

        def execute(self, trajectory, may_stop_short, cancelled):
            super().execute(trajectory, may_stop_short, cancelled)
            if len(self.asked) == gone_at:
                squeeze = self.asked[4][0]
                self.positions.update(zip(squeeze.joint_names, squeeze.positions[-1], strict=True))

    controllers = Slipping(robot, home)
    result, _ = run(robot, controllers, scene, [grasp])
    assert (result.problem, result.stage) == (Problem.NOT_HELD, stage)
    assert "none of 4 pressing fingers is held up" in result.text
    assert "State of" not in result.text and len(controllers.asked) == gone_at


def test_a_grasp_that_does_not_press_cannot_tell_whether_it_holds(robot, home, scene, grasp):
    controllers = Recorder(robot, home)
    controllers.held_rad = 0.0
    result, _ = run(robot, controllers, scene, [replace(grasp, squeeze=grasp.grasp)])
    assert result.problem is None, result.text


@pytest.mark.parametrize("motions", [1, 2])
def test_the_empty_hand_is_not_as_planned(robot, home, scene, grasp, motions):
    """A hand that did not open, or that something has bent, must not be moved towards an object."""

    class Stuck(Recorder):
        def execute(self, trajectory, may_stop_short, cancelled):
            super().execute(trajectory, may_stop_short, cancelled)
            if len(self.asked) == motions:
                self.positions["rh_FFJ3"] += 0.6

    controllers = Stuck(robot, home)
    result, _ = run(robot, controllers, scene, [grasp])
    assert result.problem is Problem.NOT_AT_END and result.stage == "reach"
    assert "mm from where the motion was planned with it, allowed 30" in result.text
    assert len(controllers.asked) == motions


def test_a_tendon_may_share_its_bend_in_another_way(robot, home, scene, grasp):
    """The real hand bends the middle joint first, the model both alike; the sum is the same."""

    class Tendon(Recorder):
        def execute(self, trajectory, may_stop_short, cancelled):
            super().execute(trajectory, may_stop_short, cancelled)
            for finger in ("FF", "MF", "RF", "LF"):
                both = self.positions[f"rh_{finger}J1"] + self.positions[f"rh_{finger}J2"]
                self.positions |= {f"rh_{finger}J2": both, f"rh_{finger}J1": 0.0}

    bent = grasp.pre_grasp.copy()
    bent[[robot.hand.names.index(f"rh_{f}J{j}") for f in ("FF", "MF", "RF", "LF") for j in (1, 2)]] = 0.3
    result, _ = run(robot, Tendon(robot, home), scene, [replace(grasp, pre_grasp=bent)])
    assert result.problem is None, result.text


def test_joint_states_stop_during_the_pickup(robot, home, scene, grasp):
    class Silent(Recorder):
        def execute(self, trajectory, may_stop_short, cancelled):
            super().execute(trajectory, may_stop_short, cancelled)
            self.age_s = 9.0

    controllers = Silent(robot, home)
    result, _ = run(robot, controllers, scene, [grasp])
    assert result.problem is Problem.STALE_STATE and result.stage == "reach"
    assert "State of arm and hand unknown" in result.text
    assert len(controllers.asked) == 1


@pytest.mark.parametrize("motions", range(6))
def test_cancelled_between_motions(robot, home, scene, grasp, motions):
    controllers = Recorder(robot, home)
    result, _ = run(robot, controllers, scene, [grasp], cancelled=lambda: len(controllers.asked) >= motions)
    assert result.problem is Problem.CANCELLED
    assert len(controllers.asked) == motions


def test_plan_only_moves_nothing(robot, home, scene, grasp):
    controllers = Recorder(robot, home)
    result, told = run(robot, controllers, scene, [grasp], plan_only=True)
    assert result.problem is None and len(result.done) == 6 and result.stage == "plan"
    assert controllers.asked == [] and told == []


def test_unknown_target_is_not_swallowed(robot, home, scene, grasp):
    with pytest.raises(PlanningError, match="no object 'cup'"):
        pickup(robot, Recorder(robot, home)).run([grasp], scene, "cup", ("table",), print, NEVER)
