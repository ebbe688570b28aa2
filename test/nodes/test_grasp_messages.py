"""Messages: what goes out comes back the same, and what is broken is named."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from builtin_interfaces.msg import Time

from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.hand import Hand
from grasp_pose_net.nodes import grasp_messages as gm
from grasp_pose_net.nodes import messages as m
from grasp_pose_net.nodes.support.object_scene import target_from_message
from grasp_pose_net.planning import PlannedGrasp, PlannerConfig
from grasp_pose_net.world import make_transform

pytestmark = pytest.mark.ros

T_WORLD_OBJECT = make_transform((0.7, -0.1, 0.8), (0.9, 0.1, -0.2, 0.3))
STAMP = Time(sec=3, nanosec=5)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return Hand.load("shadow")


@pytest.fixture
def grasp(hand: Hand) -> PlannedGrasp:
    rng = np.random.default_rng(0)
    quat = rng.normal(size=4)
    quat *= np.sign(quat[0]) / np.linalg.norm(quat)
    joints = [rng.uniform(hand.lower, hand.upper) for _ in range(3)]
    return PlannedGrasp(
        x=np.concatenate([rng.normal(size=3) * 0.1, quat, joints[0]]),
        epsilon=0.2,
        worst_epsilon=0.1,
        approach_direction=np.array([0.0, 0.6, -0.8]),
        approach_joints=joints[1],
        squeeze_joints=joints[2],
    )


def message_of(hand: Hand, grasp: PlannedGrasp) -> gm.Grasp:
    return gm.grasp_message(
        hand, grasp, PlannerConfig(), name="g", T_frame_object=T_WORLD_OBJECT, frame="world", stamp=STAMP
    )


def test_pose_vector_survives_the_message(hand: Hand, grasp: PlannedGrasp) -> None:
    message = message_of(hand, grasp)
    np.testing.assert_allclose(gm.pose_vector(hand, message, T_WORLD_OBJECT), grasp.x, atol=1e-12)


def test_message_is_complete(hand: Hand, grasp: PlannedGrasp) -> None:
    message = message_of(hand, grasp)
    for posture in (message.pre_grasp_posture, message.grasp_posture):
        assert sorted(posture.joint_names) == sorted(hand.joint_names) and len(posture.joint_names) == 24
    touch, squeeze = message.grasp_posture.points
    assert len(squeeze.effort) == 24 and m.duration_seconds(touch.time_from_start) > 0
    coupled = dict(zip(message.grasp_posture.joint_names, touch.positions, strict=True))
    assert coupled["rh_FFJ1"] == coupled["rh_FFJ2"] and coupled["rh_WRJ1"] == 0.0
    for header in (
        message.grasp_pose.header,
        message.pre_grasp_approach.direction.header,
        message.post_grasp_retreat.direction.header,
    ):
        assert header.frame_id == "world" and header.stamp == STAMP
    vector = message.pre_grasp_approach.direction.vector
    np.testing.assert_allclose(
        [vector.x, vector.y, vector.z], T_WORLD_OBJECT[:3, :3] @ grasp.approach_direction, atol=1e-12
    )


def test_missing_joint_and_empty_posture_are_named(hand: Hand, grasp: PlannedGrasp) -> None:
    message = message_of(hand, grasp)
    message.grasp_posture.joint_names[3] = "other"
    with pytest.raises(ValueError, match=f"'g'.*lacks {hand.joint_names[3]}"):
        gm.pose_vector(hand, message, T_WORLD_OBJECT)
    message.grasp_posture.points = []
    with pytest.raises(ValueError, match="'g': grasp_posture has no points"):
        gm.pose_vector(hand, message, T_WORLD_OBJECT)


def test_mesh_object_becomes_a_centred_target() -> None:
    mesh = trimesh.creation.box((0.1, 0.06, 0.04))
    mesh.apply_translation((0.02, 0.0, 0.01))
    target = target_from_message(m.mesh_object("a", mesh, T_WORLD_OBJECT, "world", STAMP))
    np.testing.assert_allclose(target.mesh.center_mass, 0.0, atol=1e-9)
    np.testing.assert_allclose(
        target.T_frame_object[:3, 3], T_WORLD_OBJECT[:3, :3] @ (0.02, 0.0, 0.01) + T_WORLD_OBJECT[:3, 3]
    )


def test_broken_objects_are_named() -> None:
    empty = m.box_object("table", (1, 1, 1), np.eye(4), "world", STAMP)
    with pytest.raises(MeshError, match="'table': expected one mesh, got 0"):
        target_from_message(empty)
    broken = m.mesh_object("a", trimesh.creation.box((0.1, 0.1, 0.1)), np.eye(4), "world", STAMP)
    broken.meshes[0].triangles[0].vertex_indices[0] = 99
    with pytest.raises(ValueError, match="vertex index beyond its 8 vertices"):
        target_from_message(broken)
    broken.pose.orientation.w = 0.0
    with pytest.raises(ValueError, match="not a pose"):
        target_from_message(broken)
