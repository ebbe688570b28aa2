"""The robot's shapes as arrays, against Coal's distances; and its joints between two measurements."""

from __future__ import annotations

import coal
import numpy as np
import pinocchio as pin
import pytest

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.perception.kernels import apart
from grasp_pose_net.robot import JointHistory, body_at
from grasp_pose_net.world import JointState, transform_points

MARGIN = 0.01


def test_points_on_the_robot_are_those_that_coal_finds_within_the_margin(robot):
    rng = np.random.default_rng(0)
    configuration = rng.uniform(np.maximum(robot.lower, -2), np.minimum(robot.upper, 2))
    body = body_at(robot, configuration)
    placed = robot.geometry.createData()
    pin.updateGeometryPlacements(robot.model, robot.data, robot.geometry, placed, configuration)
    wrong = []
    for index, entry in enumerate(robot.geometry.geometryObjects):
        # around this shape alone, so that each of the kinds is asked near its own surface
        core = body.core[index][[0, 0, 2]] if body.round[index] else body.core[index]
        half = core + body.radius[index] + 2 * MARGIN
        place = placed.oMg[index]
        points = transform_points(place.homogeneous, rng.uniform(-half, half, (60, 3)))
        one = type(body)(*(values[index : index + 1] for values in body))
        far = apart(points, *one, MARGIN)
        for point, is_far in zip(points, far, strict=True):
            probe = coal.Transform3s(np.eye(3), point)
            place = coal.Transform3s(placed.oMg[index].rotation, placed.oMg[index].translation)
            request, result = coal.DistanceRequest(), coal.DistanceResult()
            distance = coal.distance(entry.geometry, place, coal.Sphere(1e-6), probe, request, result)
            if abs(distance - MARGIN) > 1e-4 and is_far != (distance > MARGIN):
                wrong.append((entry.name, point, distance))
        assert far.any() and not far.all()
    assert wrong == []


def test_the_box_around_each_shape_holds_it(robot, home):
    body = body_at(robot, home)
    tip = robot.link_pose(home, "rh_ffdistal")[:3, 3]
    inside = (body.low - 1e-9 <= tip).all(1) & (tip <= body.high + 1e-9).all(1)
    assert inside.any()
    assert not apart(tip[None], *body, 0.0)[0]
    assert apart(tip[None] + [0, 0, 1.0], *body, 0.0)[0]


def state(names, positions, stamp):
    return JointState(tuple(names), np.array(positions), stamp=stamp)


def test_joints_between_two_measurements_of_two_publishers():
    history = JointHistory()
    assert history.missing(["a", "b"]) == ["a", "b"]
    for stamp, value in ((1.2, 2.0), (1.0, 0.0)):  # one came late
        history.add(state("ab", [value, -value], stamp))
    for stamp in (1.0, 1.1, 1.2):
        history.add(state("c", [stamp], stamp))
    assert history.missing(["a", "c", "d"]) == ["d"]
    assert history.at(1.15, "abc") == pytest.approx({"a": 1.5, "b": -1.5, "c": 1.15})
    assert history.at(1.2, "abc") == pytest.approx({"a": 2.0, "b": -2.0, "c": 1.2})


def test_what_was_not_told_is_not_guessed():
    history = JointHistory()
    history.add(state("a", [0.0], 1.0))
    history.add(state("a", [0.0], 2.0))
    history.add(state("z", [0.0], 7.0))
    with pytest.raises(
        PlanningError, match=r"joint states of a are asked at 2\.500 s, known from 1\.000 s to 2\.000 s"
    ):
        history.at(2.5, "a")
    with pytest.raises(PlanningError, match=r"asked at 0\.500 s"):
        history.at(0.5, "a")
    with pytest.raises(PlanningError, match=r"1\.000 s and 2\.000 s are the nearest, more than 0\.5 s apart"):
        history.at(1.5, "a")
    assert history.at(2.0, "a") == {"a": 0.0}
