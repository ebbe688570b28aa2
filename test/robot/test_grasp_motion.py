from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from robot_scenes import box, slanted_grasp

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.execution import OmplPlanner
from grasp_pose_net.robot import GraspMotion, MotionConfig, PlanningFailed, Problem, scene_checker
from grasp_pose_net.robot.cancel import ASK_EVERY_S
from grasp_pose_net.world import Box, Part, Scene, SceneObject, make_transform, transform_points

CONFIG = MotionConfig()


@pytest.fixture(scope="module")
def motion(robot, scene):
    return GraspMotion(robot, scene, "can", ("table",), CONFIG)


def with_joints(robot, home, arm, hand):
    configuration = home.copy()
    configuration[robot.arm.indices], configuration[robot.hand.indices] = arm, hand
    return configuration


def test_the_way_to_a_grasp(robot, home, motion, grasp):
    assert motion.reason(grasp, home) is None
    path = next(motion.paths(grasp, home))
    back = path.T_world_pre_grasp.copy()
    back[:3, 3] += 0.10 * grasp.approach
    np.testing.assert_allclose(back, grasp.T_world_tip, atol=1e-9)
    np.testing.assert_allclose(robot.chain.tip_pose(path.pre_grasp), path.T_world_pre_grasp, atol=1e-4)
    np.testing.assert_allclose(robot.chain.tip_pose(path.grasp), grasp.T_world_tip, atol=1e-4)
    np.testing.assert_allclose(path.T_world_lift[:3, 3] - grasp.T_world_tip[:3, 3], (0, 0, 0.15), atol=1e-9)
    checker = scene_checker(robot, motion.reach_scene, CONFIG.clearance_m)
    assert checker.free(with_joints(robot, home, path.pre_grasp, grasp.pre_grasp))


def test_what_is_accepted_can_be_planned(robot, home, scene, motion):
    """Every way that is offered, over many grasps, has its motions."""
    planner, rng, planned = OmplPlanner(robot, CONFIG), np.random.default_rng(0), 0
    base = slanted_grasp(robot, home, scene["can"].T_world_object)
    for _ in range(12):
        T_turn = make_transform((0, 0, 0), rng.normal(size=4) * (0.3, 0.02, 0.02, 1.0) + (1.0, 0, 0, 0))
        centre = make_transform(scene["can"].T_world_object[:3, 3])
        T_world_tip = centre @ T_turn @ np.linalg.inv(centre) @ base.T_world_tip
        grasp = replace(base, T_world_tip=T_world_tip, approach=T_turn[:3, :3] @ base.approach)
        if motion.reason(grasp, home) is not None:
            continue
        path = next(motion.paths(grasp, home))
        opened = with_joints(robot, home, home[robot.arm.indices], grasp.pre_grasp)
        planner.plan_to_joints(opened, path.pre_grasp, motion.reach_scene)
        at_pre_grasp = with_joints(robot, home, path.pre_grasp, grasp.pre_grasp)
        approach = planner.plan_cartesian(at_pre_grasp, grasp.T_world_tip, motion.contact_scene)
        closed = with_joints(robot, home, approach.positions[-1], grasp.grasp)
        planner.plan_cartesian(
            closed, path.T_world_lift, motion.lift_scene(robot.link_pose(closed, robot.tip))
        )
        planned += 1
    assert planned >= 6


def expect(motion, grasp, home, problem, match):
    assert motion.reason(grasp, home) == problem.value
    with pytest.raises(PlanningFailed, match=match) as raised:
        next(motion.paths(grasp, home))
    assert raised.value.problem is problem


def test_out_of_reach(home, motion, grasp):
    T_world_tip = grasp.T_world_tip.copy()
    T_world_tip[0, 3] += 2.0
    expect(
        motion,
        replace(grasp, T_world_tip=T_world_tip),
        home,
        Problem.NO_INVERSE_KINEMATICS,
        "out of reach so turned",
    )


def test_hand_in_the_table(home, motion, grasp):
    T_world_tip = grasp.T_world_tip.copy()
    T_world_tip[2, 3] -= 0.08
    expect(
        motion,
        replace(grasp, T_world_tip=T_world_tip),
        home,
        Problem.GOAL_IN_COLLISION,
        "at the grasp rh_.* hits (table|can)",
    )


def test_approach_blocked(robot, home, scene, motion, grasp):
    path = next(motion.paths(grasp, home))
    forearm = robot.link_pose(with_joints(robot, home, path.pre_grasp, grasp.pre_grasp), "rh_forearm")
    at_the_back = transform_points(forearm, (0.0, 0.0, 0.1)) - 0.03 * grasp.approach
    crowded = Scene((*scene.objects, box("rod", (0.02, 0.02, 0.02), at_the_back)))
    blocked = GraspMotion(robot, crowded, "can", ("table",), CONFIG)
    expect(blocked, grasp, home, Problem.APPROACH_BLOCKED, r"only 0\.\d+ m of 0\.100 m: .* hits rod")
    shorter = replace(grasp, approach_m=(0.10, 0.02))
    assert blocked.reason(shorter, home) is None
    shortened = next(blocked.paths(shorter, home)).T_world_pre_grasp
    assert 0.02 <= np.linalg.norm(shortened[:3, 3] - grasp.T_world_tip[:3, 3]) < 0.1


def test_lift_blocked_by_what_is_above_the_object(robot, home, scene, grasp):
    body = Part(Box(np.array([0.06, 0.06, 0.12])))
    bar = Part(Box(np.array([0.02, 0.9, 0.02])), make_transform((0.0, 0.4, 0.0)))
    long_can = SceneObject("can", scene["can"].T_world_object, (body, bar))
    over = box("shelf", (0.02, 0.05, 0.02), scene["can"].T_world_object[:3, 3] + (0.0, 0.8, 0.10))
    blocked = GraspMotion(robot, Scene((scene["table"], long_can, over)), "can", ("table",), CONFIG)
    expect(
        blocked,
        grasp,
        home,
        Problem.LIFT_BLOCKED,
        r"only 0\.\d+ m of 0\.150 m: (can hits shelf|shelf hits can)",
    )
    free = GraspMotion(robot, Scene((scene["table"], long_can)), "can", ("table",), CONFIG)
    assert free.reason(grasp, home) is None


def test_lifted_near_a_singularity(robot, home, scene, grasp):
    strict = GraspMotion(robot, scene, "can", ("table",), replace(CONFIG, carry_rad_per_m=1.0))
    expect(
        strict,
        grasp,
        home,
        Problem.NEAR_SINGULARITY,
        r"after the lift a joint would turn by \d+ rad for a metre of the tip, allowed are 1 rad",
    )


def test_posture_outside_limits(robot, home, motion, grasp):
    posture = grasp.squeeze.copy()
    posture[robot.hand.names.index("rh_FFJ3")] = 3.0
    expect(
        motion,
        replace(grasp, squeeze=posture),
        home,
        Problem.OUTSIDE_LIMITS,
        r"squeeze posture has rh_FFJ3 = 3\.000",
    )


def test_fingers_crossed_on_the_way_in(robot, home, motion, grasp):
    posture = np.zeros(24)
    posture[robot.hand.names.index("rh_FFJ4")], posture[robot.hand.names.index("rh_MFJ4")] = -0.34, 0.34
    expect(
        motion,
        replace(grasp, pre_grasp=posture),
        home,
        Problem.HAND_IN_COLLISION,
        "pre-grasp posture rh_.* reaches into",
    )


def test_unknown_target_or_support(robot, scene):
    with pytest.raises(PlanningError, match="no object 'cup'"):
        GraspMotion(robot, scene, "cup", ("table",), CONFIG)
    with pytest.raises(PlanningError, match="no object 'shelf'"):
        GraspMotion(robot, scene, "can", ("shelf",), CONFIG)


def test_a_cancel_is_heard_at_every_step(robot, home, scene, grasp):
    """While the scene is made, and between any two ways; it is no failure of a way."""
    with pytest.raises(PlanningFailed, match="cancelled: while planning"):
        GraspMotion(robot, scene, "can", ("table",), CONFIG, lambda: True)
    begun = []
    motion = GraspMotion(robot, scene, "can", ("table",), CONFIG, lambda: bool(begun))
    begun.append(True)
    time.sleep(ASK_EVERY_S)
    with pytest.raises(PlanningFailed) as failure:
        next(motion.paths(grasp, home))
    assert failure.value.problem is Problem.CANCELLED
