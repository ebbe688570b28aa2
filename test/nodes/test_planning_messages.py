"""What the planning nodes make of messages: the newest scene, the targets asked for, and the code of a failure."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

pytest.importorskip("rclpy", reason="needs the message packages")

from types import SimpleNamespace

from moveit_msgs.msg import CollisionObject, MoveItErrorCodes, PlanningSceneWorld
from node_messages import box_object, mesh_object
from rclpy.serialization import serialize_message

from grasp_pose_net.exceptions import MeshError, PlanningError
from grasp_pose_net.nodes.inference import error_code
from grasp_pose_net.nodes.support.object_scene import ObjectScene
from grasp_pose_net.nodes.support.shared import SceneParameters
from grasp_pose_net.planning import Account, Batch, NoGraspFound, Plan, Reject
from grasp_pose_net.world import Role, make_transform

pytestmark = pytest.mark.ros

T_WORLD_OBJECT = make_transform((0.6, 0.1, 0.8), (0.9, 0.1, -0.2, 0.3))
CAN = trimesh.creation.box((0.1, 0.2, 0.3))
TABLE = box_object("table", (1.0, 1.0, 0.1), np.eye(4))


class Topic:
    """Stands for the node: keeps what it warns of, and hands messages over at once."""

    def __init__(self) -> None:
        self.warned: list[str] = []

    def create_subscription(self, kind: type, topic: str, take, *_: object, **__: object) -> None:
        self.publish = lambda *objects: take(
            serialize_message(PlanningSceneWorld(collision_objects=list(objects)))
        )

    def get_logger(self) -> SimpleNamespace:
        return SimpleNamespace(warning=self.warned.append)


def test_a_scene_is_converted_and_prepared_once() -> None:
    topic, prepared = Topic(), []
    scene = ObjectScene(topic, SceneParameters(), prepared.append)
    topic.publish(mesh_object("can", CAN, T_WORLD_OBJECT), TABLE)
    first, (target,) = scene.around(CollisionObject(), [])
    again, (same,) = scene.around(CollisionObject(id="can"), [box_object("wall", (1, 1, 1), T_WORLD_OBJECT)])
    assert target is same and first["table"] is again["table"] and prepared == [scene.scene]
    assert [entry.id for entry in again.objects] == ["can", "table", "wall"]
    np.testing.assert_allclose(target.T_world_object, T_WORLD_OBJECT, atol=1e-12)
    np.testing.assert_allclose(target.mesh.extents, CAN.extents, atol=1e-9)


def test_what_cannot_be_planned_for_is_said() -> None:
    topic = Topic()
    scene = ObjectScene(topic, SceneParameters())
    with pytest.raises(
        PlanningError, match=r"nothing to grasp; objects on /perception/objects: none \(call the"
    ):
        scene.around(CollisionObject(), [])
    open_box = trimesh.Trimesh(CAN.vertices, CAN.faces[:-1], process=False)
    topic.publish(mesh_object("can", CAN, T_WORLD_OBJECT), mesh_object("open", open_box, np.eye(4)), TABLE)
    with pytest.raises(
        PlanningError, match="no object 'table' with a mesh; objects on /perception/objects: can"
    ):
        scene.around(CollisionObject(id="table"), [])
    with pytest.raises(
        MeshError, match="'open' is not to be grasped: object 'open': the mesh is not watertight"
    ):
        scene.around(CollisionObject(id="open"), [])
    with pytest.raises(ValueError, match="'can' is given in frame 'world', the target in 'map'; give both"):
        scene.around(mesh_object("mine", CAN, np.eye(4), "map"), [])
    with pytest.raises(MeshError, match="object 'block': expected one mesh, got 1 shapes"):
        scene.around(box_object("block", (1, 1, 1), np.eye(4)), [])


def test_a_scene_that_is_refused_is_refused_to_all_who_ask_until_a_better_one_comes() -> None:
    topic = Topic()
    scene = ObjectScene(topic, SceneParameters())
    topic.publish(TABLE, TABLE)
    with pytest.raises(
        ValueError, match=r"the scene on /perception/objects is refused: .*two objects 'table'"
    ):
        scene.around(CollisionObject(), [])
    assert len(topic.warned) == 1
    topic.publish(mesh_object("can", CAN, T_WORLD_OBJECT))
    assert [entry.role for entry in scene.scene.objects] == [Role.TARGET]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (Reject.OUT_OF_REACH, MoveItErrorCodes.NO_IK_SOLUTION),
        (Reject.ARM_HITS, MoveItErrorCodes.GOAL_IN_COLLISION),
        (Reject.PENETRATES, MoveItErrorCodes.PLANNING_FAILED),
    ],
)
def test_the_error_code_is_that_of_the_stage_that_took_most(reason: Reject, code: int) -> None:
    batch = Batch.of(np.zeros((9, 25))).rejected(np.arange(7), reason).rejected(np.arange(7, 9), Reject.WEAK)
    plan = Plan(grasps=(), account=Account.of(batch), batch=batch)
    assert error_code(NoGraspFound(plan)) == code
    assert error_code(PlanningError("nobody there")) == MoveItErrorCodes.PLANNING_FAILED
