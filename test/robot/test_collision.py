from __future__ import annotations

import numpy as np
import pytest
import trimesh
from robot_scenes import box

from grasp_pose_net.exceptions import PlanningError
from grasp_pose_net.robot import hand_checker, scene_checker
from grasp_pose_net.world import (
    Box,
    Cone,
    Cylinder,
    HalfSpace,
    Mesh,
    Part,
    Scene,
    SceneObject,
    Sphere,
    Voxels,
    make_transform,
    transform_points,
)


@pytest.fixture
def fingertip(robot, home):
    """Lowest point of the middle finger, which points down at home [m]."""
    capsule = robot.geometry.geometryObjects[robot.geometry_links.index("rh_mfdistal")]
    end = capsule.placement.act(np.array([0.0, 0.0, capsule.geometry.halfLength]))
    return transform_points(robot.link_pose(home, "rh_mfdistal"), end) - (0.0, 0.0, capsule.geometry.radius)


def slab(kind, top, depth_m):
    """Slab of 10 cm below the fingertip, ``depth_m`` too high."""
    position = np.add(top, (0.0, 0.0, depth_m - 0.05))
    if kind == "box":
        return box("slab", (0.04, 0.04, 0.1), position)
    mesh = trimesh.creation.box((0.04, 0.04, 0.1))
    return SceneObject.target("slab", make_transform(position), mesh)


def hits(robot, scene, configuration, clearance_m=0.0):
    checker = scene_checker(robot, scene, clearance_m)
    hit = checker.collision(configuration)
    assert checker.free(configuration) == (hit is None)
    return hit


def test_named_states_are_free(robot, scene):
    for name in ("home", "up"):
        assert hits(robot, scene, robot.named_states[name]) is None
        assert hand_checker(robot).collision(robot.named_states[name]) is None


@pytest.mark.parametrize("kind", ["box", "mesh"])
def test_a_finger_that_reaches_in_is_named(robot, home, fingertip, kind):
    assert hits(robot, Scene((slab(kind, fingertip, -0.002),)), home) is None
    hit = hits(robot, Scene((slab(kind, fingertip, 0.003),)), home)
    assert hit is not None and hit[0].startswith("rh_") and hit[1] == "slab"


def sheet(top):
    """Level sheet of two triangles through a point, as walls and shields are drawn."""
    corners = np.add(top, [(-0.1, -0.1, 0), (0.1, -0.1, 0), (0.1, 0.1, 0), (-0.1, 0.1, 0)])
    mesh = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
    return SceneObject("sheet", np.eye(4), (Part(Mesh(mesh)),))


@pytest.mark.parametrize("link", ["rh_mfdistal", "forearm_link"])
def test_a_sheet_is_hit_by_hand_and_arm_and_what_is_beside_it_is_free(robot, home, fingertip, link):
    place = fingertip if link.startswith("rh_") else robot.link_pose(home, link)[:3, 3]
    hit = hits(robot, Scene((sheet(np.add(place, (0, 0, 0.003))),)), home)
    assert hit is not None and hit[1] == "sheet"
    assert hits(robot, Scene((sheet(np.add(fingertip, (0, 0, -0.01))),)), home) is None


def test_the_order_of_objects_does_not_change_what_a_held_one_hits(robot, home, fingertip):
    """Objects at rest are not tested against each other, and the held one is tested against all."""
    held, floor = slab("box", fingertip, 0.05), box("floor", (0.2, 0.2, 0.1), np.add(fingertip, (0, 0, -0.1)))
    for objects in ((held, floor), (floor, held)):
        scene = Scene(objects).attach("slab", robot.tip, robot.link_pose(home, robot.tip), robot.hand_links)
        assert set(hits(robot, scene, home)) == {"slab", "floor"}


@pytest.mark.parametrize(("depth_m", "free"), [(0.003, True), (0.008, False)])
def test_an_allowed_depth_in_a_box_is_kept(robot, home, fingertip, depth_m, free):
    scene = Scene((slab("box", fingertip, depth_m),)).allow(robot.hand_links, "slab", 0.005)
    assert (hits(robot, scene, home) is None) == free


@pytest.mark.parametrize("kind", ["box", "mesh"])
def test_touch_links_may_touch_and_others_not(robot, home, fingertip, kind):
    deep = slab(kind, fingertip, 0.05)
    assert hits(robot, Scene((deep,)).allow(robot.hand_links, "slab"), home) is None
    assert hits(robot, Scene((deep,)).allow(["rh_thdistal"], "slab"), home) is not None


@pytest.mark.parametrize("kind", ["box", "mesh"])
def test_the_arm_keeps_its_clearance(robot, home, kind):
    wrist = robot.link_pose(home, "wrist_1_link")[:3, 3]
    scene = Scene((slab(kind, np.add(wrist, (0.0, 0.0, 0.35)), 0.0),))
    free = [hits(robot, scene, home, clearance_m) is None for clearance_m in (0.0, 0.1, 0.3)]
    assert free == [True, True, False]


def test_the_arm_against_itself(robot, home):
    folded = home.copy()
    folded[2] = 3.1
    hit = hits(robot, Scene(), folded)
    assert hit is not None and "scene" not in hit[0] + hit[1]


def test_fingers_inside_each_other(robot, home):
    crossed = home.copy()
    for name in ("rh_FFJ4", "rh_MFJ4"):
        crossed[robot.joint_names.index(name)] = -0.349 if name == "rh_FFJ4" else 0.349
    assert hand_checker(robot).collision(crossed) is not None
    assert scene_checker(robot, Scene()).free(crossed)  # left to hand_checker


def test_a_mesh_is_a_surface_to_the_hand_and_solid_to_the_arm(robot, home):
    walls = [trimesh.creation.box((0.42, 0.42, 0.02)).apply_translation((0, 0, -0.23))]
    for x, y in ((0.2, 0), (-0.2, 0), (0, 0.2), (0, -0.2)):
        size = (0.02, 0.42, 0.46) if x else (0.42, 0.02, 0.46)
        walls.append(trimesh.creation.box(size).apply_translation((x, y, 0)))
    bin_mesh = trimesh.util.concatenate(walls)
    bottom_of_forearm = robot.link_pose(home, "rh_wrist")[:3, 3]
    deep = SceneObject.target("bin", make_transform(np.add(bottom_of_forearm, (0, 0, -0.16))), bin_mesh)
    assert set(hits(robot, Scene((deep,)), home)) == {"rh_forearm", "bin"}
    assert hits(robot, Scene((deep,)).allow(["rh_forearm"], "bin"), home) is None


def test_an_attached_object_moves_with_the_hand(robot, home, scene):
    T_world_palm = robot.link_pose(home, "rh_palm")
    in_hand = T_world_palm[:3, 3] - (0.0, 0.0, 0.1)
    held = Scene((box("brick", (0.05, 0.05, 0.05), in_hand), scene["table"]))
    held = held.attach("brick", robot.tip, robot.link_pose(home, robot.tip), robot.hand_links)
    assert hits(robot, held, home) is None
    lowered = home.copy()
    reach = robot.chain.tip_pose(home[robot.arm.indices])
    reach[2, 3] -= in_hand[2] - 0.73  # the brick's centre 1 cm above the table's top
    starts = robot.chain.spread_starts(16, np.random.default_rng(0))
    lowered[robot.arm.indices] = robot.chain.inverse(reach, home[robot.arm.indices], starts)[0]
    allowed = held.allow(robot.hand_links, "table")
    assert hits(robot, allowed, lowered) == ("brick", "table") or hits(robot, allowed, lowered) == (
        "table",
        "brick",
    )
    assert hits(robot, allowed.allow(["brick"], "table", 0.02), lowered) is None


def test_carry_moves_the_attached_object(robot, home, scene):
    T_world_tip = robot.link_pose(home, robot.tip)
    held = Scene((box("brick", (0.05, 0.05, 0.05), T_world_tip[:3, 3] + (1.0, 0, 0)),))
    held = held.attach("brick", robot.tip, T_world_tip, robot.hand_links)
    checker = scene_checker(robot, held)
    assert checker.free(home)
    checker.carry(make_transform((0.0, 0.0, 0.12)))
    assert set(checker.collision(home)) == {"brick", "rh_forearm"}


def test_unknown_object(scene):
    with pytest.raises(PlanningError, match="no object 'cup' in the scene; objects: can, table"):
        scene["cup"]


@pytest.mark.parametrize(
    "shape",
    [
        Box(np.full(3, 0.2)),
        Sphere(0.1),
        Cylinder(0.1, 0.2),
        Cone(0.1, 0.2),
        HalfSpace(np.array([-1.0, 0.0, 0.0]), 0.1),
        Mesh(trimesh.creation.box((0.2, 0.2, 0.2))),
        Voxels(np.zeros((1, 3)), np.array([0.2])),
    ],
    ids=lambda shape: type(shape).__name__,
)
def test_no_shape_is_overlooked(robot, home, fingertip, shape):
    """A planner that knows boxes only would plan through the others."""
    for away_m, found in ((0.0, True), (0.6, False)):
        entry = SceneObject("thing", make_transform(np.add(fingertip, (away_m, 0.0, 0.0))), (Part(shape),))
        hit = hits(robot, Scene((entry,)), home)
        assert (hit is not None and hit[1] == "thing") == found
