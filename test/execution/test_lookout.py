"""What is left of a motion is good in the newest scene, or it does not go on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from robot_scenes import MOTION, NEVER, Recorder, box, pickup

from grasp_pose_net.execution import OmplPlanner, Pickup, PickupConfig
from grasp_pose_net.robot import Problem
from grasp_pose_net.world import Scene, SceneObject, make_transform


class Watched(Recorder):
    """Asks whether to stop in the middle and at the end of the motion in which the world changes, as real controllers do."""

    def __init__(self, robot, home, scene, change_at, changed):
        super().__init__(robot, home)
        self.scene, self.change_at, self.changed = scene, change_at, changed

    def execute(self, trajectory, may_stop_short, cancelled):
        if len(self.asked) + 1 == self.change_at:
            middle = trajectory.positions[len(trajectory.positions) // 2]
            self.positions.update(zip(trajectory.joint_names, middle, strict=True))
            self.scene = self.changed
        assert not cancelled()
        super().execute(trajectory, may_stop_short, cancelled)
        assert not cancelled()


def run(robot, home, scene, grasp, change_at, changed):
    controllers = Watched(robot, home, scene, change_at, changed)
    told = Pickup(robot, OmplPlanner(robot, MOTION), controllers, MOTION, PickupConfig())
    result = told.run(
        [grasp], scene, "can", ("table",), lambda stage: None, NEVER, newest=lambda: controllers.scene
    )
    return result, len(controllers.asked)


def moved(scene, *shift):
    can = scene["can"]
    return scene.with_object(replace(can, T_world_object=make_transform(shift) @ can.T_world_object))


def above(scene, metres):
    return box("person", (0.3, 0.3, 0.3), scene["can"].T_world_object[:3, 3] + (0.0, 0.0, metres))


@pytest.mark.parametrize("change_at", [1, 2, 3, 4, 5, 6])
def test_the_same_scene_seen_again_stops_nothing(robot, home, scene, grasp, change_at):
    again = Scene(tuple(replace(entry) for entry in scene.objects))
    result, _ = run(robot, home, scene, grasp, change_at, again)
    assert result.problem is None, result.text


@pytest.mark.parametrize(
    ("change_at", "stage", "motions"), [(1, "reach", 1), (2, "reach", 1), (3, "approach", 2)]
)
def test_what_is_in_the_way_stops_the_arm(robot, home, scene, grasp, change_at, stage, motions):
    """Where it comes while the hand opens, the arm does not begin."""
    crowded = Scene((*scene.objects, above(scene, 0.3)))
    result, done = run(robot, home, scene, grasp, change_at, crowded)
    assert (result.problem, result.stage, done) == (Problem.WORLD_CHANGED, stage, motions)
    assert "would hit person on what was left of the motion" in result.text


def test_what_the_arm_has_passed_does_not_stop_it(robot, home, scene, grasp):
    """At home there is a box now; the arm is half on its way."""
    behind = box("behind", (0.1, 0.1, 0.1), robot.link_pose(home, "rh_palm")[:3, 3])
    result, _ = run(robot, home, scene, grasp, 3, Scene((*scene.objects, behind)))
    assert result.problem is None, result.text


def test_what_is_lifted_must_not_hit_either(robot, home, scene, grasp):
    low = box("shelf", (0.06, 0.06, 0.01), scene["can"].T_world_object[:3, 3] + (0.0, 0.0, 0.1))
    result, done = run(robot, home, scene, grasp, 6, Scene((*scene.objects, low)))
    assert (result.problem, result.stage, done) == (Problem.WORLD_CHANGED, "lift", 5)
    assert "would hit" in result.text and "shelf" in result.text


@pytest.mark.parametrize("change_at", [1, 2, 3])
def test_a_target_that_moves_before_the_hand_is_on_it_stops_the_arm(robot, home, scene, grasp, change_at):
    result, _ = run(robot, home, scene, grasp, change_at, moved(scene, 0.03, 0.0, 0.0))
    assert result.problem is Problem.WORLD_CHANGED
    assert "can has moved by 0.030 m since the motion was planned, allowed 0.02; plan again" in result.text


@pytest.mark.parametrize("change_at", [4, 5, 6])
def test_a_target_may_move_with_the_hand_that_is_on_it(robot, home, scene, grasp, change_at):
    result, _ = run(robot, home, scene, grasp, change_at, moved(scene, 0.03, 0.0, 0.0))
    assert result.problem is None, result.text


def test_a_target_that_turns_has_moved(robot, home, scene, grasp):
    """Its middle stays; a can that has fallen is another thing to grasp."""
    can = scene["can"]
    fallen = replace(
        can, T_world_object=can.T_world_object @ make_transform((0, 0, 0), (0.7071, 0.7071, 0, 0))
    )
    result, _ = run(robot, home, scene, grasp, 2, scene.with_object(fallen))
    assert result.problem is Problem.WORLD_CHANGED and "can has moved by 0.0" in result.text


def test_a_target_that_is_seen_in_another_shape_is_compared_by_its_middle(robot, home, scene, grasp):
    can = scene["can"]
    seen = SceneObject.target("can", can.T_world_object, can.mesh.copy().subdivide())
    result, _ = run(robot, home, scene, grasp, 2, scene.with_object(seen))
    assert result.problem is None, result.text


def test_a_target_that_has_gone_stops_the_arm(robot, home, scene, grasp):
    result, _ = run(robot, home, scene, grasp, 2, Scene((scene["table"],)))
    assert result.problem is Problem.WORLD_CHANGED and "can is no longer there; plan again" in result.text


def test_what_is_held_may_be_missing_from_the_newest_scene(robot, home, scene, grasp):
    result, _ = run(robot, home, scene, grasp, 6, Scene((scene["table"],)))
    assert result.problem is None, result.text


def test_a_scene_that_is_none_stops_the_arm(robot, home, scene, grasp):
    def refused():
        raise ValueError("the scene is refused: a box without sides")

    controllers = Recorder(robot, home)
    result = pickup(robot, controllers).run(
        [grasp], scene, "can", ("table",), lambda stage: None, NEVER, newest=refused
    )
    assert result.problem is Problem.WORLD_CHANGED and controllers.asked == []
    assert "what is around is not known any more: the scene is refused: a box without sides" in result.text
