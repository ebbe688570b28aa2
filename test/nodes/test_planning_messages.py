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

from grasp_pose_net.exceptions import MeshError, MessageError, PlanningError, WorldError
from grasp_pose_net.nodes.hostile import BORDERS
from grasp_pose_net.nodes.inference import error_code, left_out
from grasp_pose_net.nodes.support import object_scene
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


def test_a_target_that_says_too_much_or_too_little_is_refused_and_never_another_object() -> None:
    topic = Topic()
    scene = ObjectScene(topic, SceneParameters())
    support = box_object("shelf", (1.0, 1.0, 0.1), np.eye(4))
    support.type.key = "support"
    topic.publish(mesh_object("can", CAN, T_WORLD_OBJECT), TABLE, support)
    place = mesh_object("can", CAN, T_WORLD_OBJECT).pose
    with pytest.raises(
        MessageError, match=r"the target has a pose, .* but no mesh; send its mesh, or the id"
    ):
        scene.around(CollisionObject(pose=place), [])
    with pytest.raises(MessageError, match="target 'can' has a pose"):
        scene.around(CollisionObject(id="can", pose=place), [])
    for name, role in (("table", "obstacle"), ("shelf", "support")):
        with pytest.raises(
            MessageError, match=f"target '{name}' has a mesh, and the scene has a {role} of this id"
        ):
            scene.around(mesh_object(name, CAN, T_WORLD_OBJECT), [])
    block = box_object("block", (0.1, 0.1, 0.1), T_WORLD_OBJECT)
    block.id = ""
    with pytest.raises(MeshError, match="object 'target': expected one mesh, got 1 shapes"):
        scene.around(block, [])
    with pytest.raises(WorldError, match="two objects 'can'"):
        scene.around(CollisionObject(id="can"), [box_object("can", (1, 1, 1), np.eye(4))])
    mesh = mesh_object("mesh", CAN, T_WORLD_OBJECT)
    mesh.id = ""
    _, (own,) = scene.around(mesh, [])
    assert own.id == "target"


def test_a_scene_that_nobody_could_convert_is_no_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there before must not be planned on, whatever went wrong with what is there now."""
    topic = Topic()
    scene = ObjectScene(topic, SceneParameters())
    topic.publish(mesh_object("can", CAN, T_WORLD_OBJECT))

    def broken(*given: object) -> None:
        raise ZeroDivisionError("a fault of the package")

    monkeypatch.setattr(object_scene, "scene_from_message", broken)
    with pytest.raises(ZeroDivisionError):  # the node's guard logs and shows it
        topic.publish(TABLE)
    with pytest.raises(MessageError, match="is refused: a fault of the package"):
        scene.around(CollisionObject(), [])


def test_what_was_left_out_of_the_best_of_all_is_said() -> None:
    topic = Topic()
    scene = ObjectScene(topic, SceneParameters())
    open_box = trimesh.Trimesh(CAN.vertices, CAN.faces[:-1], process=False)
    topic.publish(mesh_object("can", CAN, T_WORLD_OBJECT), mesh_object("open", open_box, np.eye(4)), TABLE)
    assert "; not to be grasped: open (object 'open': the mesh is not watertight" in left_out(scene.scene)


def test_a_refinement_that_answers_something_else_is_refused() -> None:
    """Ids, counts and numbers that are not those of the candidates must not reach the plan."""
    answer = BORDERS["refined"].honest()
    answer.grasps[0].id = answer.grasps[1].id
    with pytest.raises(
        PlanningError, match="3 grasps and 3 reasons to 3 candidates, not with the ids that were sent"
    ):
        BORDERS["refined"].decode(answer)


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
