"""Markers of grasps, judged by a picture made from the very messages."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from marker_picture import draw
from visualization_msgs.msg import Marker

from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes.messages.grasp_markers import grasp_markers
from grasp_pose_net.shapes import RUN_TIME_RESOLUTION, SignedDistanceField
from grasp_pose_net.world import Grasp, SceneObject, make_transform, split_transform

pytestmark = pytest.mark.ros

RADIUS = 0.035


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture(scope="module")
def target() -> SceneObject:
    mesh = trimesh.creation.cylinder(radius=RADIUS, height=0.16)
    pose = make_transform((0.7, -0.1, 0.8), (0.9, 0.1, -0.2, 0.3))
    return SceneObject.target("can", pose, mesh, 3 * 10**9)


@pytest.fixture(scope="module")
def markers(hand: Hand, target: SceneObject):
    """A good grasp and a poor one, from opposite sides of a can that the palm touches."""
    grasps, still = [], np.zeros(len(hand.joint_names))
    for rank, (epsilon, side) in enumerate([(0.3, 0.0), (0.0, np.pi)]):
        # the palm looks along -y of its frame; its fingers point along z, around the can
        turn = trimesh.transformations.rotation_matrix(side, (0, 0, 1))
        T_object_palm = turn @ make_transform((0.0, RADIUS + 0.013, -0.06))
        grasps.append(
            Grasp(
                id=f"can/{rank}",
                joint_names=hand.joint_names,
                T_world_tip=target.T_world_object @ T_object_palm @ hand.T_base_root,
                approach=np.zeros(3),
                approach_m=(0.0, 0.0),
                retreat=np.zeros(3),
                retreat_m=(0.0, 0.0),
                pre_grasp=still,
                grasp=still,
                squeeze=still,
                quality=epsilon,
                x=np.concatenate([*split_transform(T_object_palm), hand.open_joints]),
            )
        )
    return grasp_markers(hand, grasps, target, field_of(target), "world")


def field_of(target: SceneObject) -> SignedDistanceField:
    return SignedDistanceField.from_mesh(target.mesh, RUN_TIME_RESOLUTION)


def share(picture: np.ndarray, channel: int) -> float:
    """Part of the picture in which one channel is much brighter than the others."""
    others = np.delete(picture.astype(int), channel, axis=2).max(axis=2)
    return float((picture[..., channel].astype(int) - others > 60).mean())


def test_the_good_grasp_is_green_the_poor_one_red_and_each_can_be_switched_off(markers, tmp_path) -> None:
    both = draw(markers, tmp_path / "both.png")
    good = draw(markers, tmp_path / "good.png", hidden={"grasp_1"})
    poor = draw(markers, tmp_path / "poor.png", hidden={"grasp_0"})
    assert share(good, 1) > 0.03 and share(good, 0) == 0.0
    assert share(poor, 0) > 0.03 and share(poor, 1) == 0.0
    assert share(both, 0) > 0.01 and share(both, 1) > 0.01
    assert share(good, 2) > 1e-4  # contacts in blue


def test_contacts_lie_on_the_object_and_needles_point_out_of_it(markers, target) -> None:
    T_object_frame = np.linalg.inv(target.T_world_object)

    def in_object(marker) -> np.ndarray:
        points = np.array([[p.x, p.y, p.z] for p in marker.points])
        return points @ T_object_frame[:3, :3].T + T_object_frame[:3, 3]

    own = [marker for marker in markers.markers if marker.ns == "grasp_0"]
    dots = in_object(next(m for m in own if m.type == Marker.SPHERE_LIST))
    needles = in_object(next(m for m in own if m.type == Marker.LINE_LIST)).reshape(-1, 2, 3)
    assert len(dots) == len(needles) >= 3
    np.testing.assert_allclose(np.linalg.norm(dots[:, :2], axis=1), RADIUS, atol=2e-3)
    np.testing.assert_array_equal(needles[:, 0], dots)
    assert (np.linalg.norm(needles[:, 1, :2], axis=1) > RADIUS + 0.01).all()  # one is near the edge


def test_every_grasp_has_the_whole_hand_and_its_value(hand, markers) -> None:
    assert markers.markers[0].action == Marker.DELETEALL
    for namespace, text in (("grasp_0", "epsilon 0.30"), ("grasp_1", "epsilon 0.00")):
        own = [marker for marker in markers.markers if marker.ns == namespace]
        assert len(own) > len(hand.shapes) and own[-1].text == text
        assert len({marker.id for marker in own}) == len(own)
        assert {marker.header.frame_id for marker in own} == {"world"}


def test_no_grasps_clear_what_was_shown(hand, target) -> None:
    assert [m.action for m in grasp_markers(hand, [], target, field_of(target), "world").markers] == [
        Marker.DELETEALL
    ]
