"""Small good files of every kind that is read, made here so that nothing has to be fetched."""

from __future__ import annotations

import csv
import io
import json
import struct
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals

from grasp_pose_net.hand import Hand
from grasp_pose_net.inference.network import CompactNetwork, save_network
from grasp_pose_net.synthesis.files import HALF, GraspDataset, save_dataset
from grasp_pose_net.training.config import TrainConfig
from grasp_pose_net.training.data import Objects
from grasp_pose_net.training.prepared import save_prepared

CAPSULE = """<collision><origin xyz="0 0 0.02"/><geometry><cylinder radius="0.005" length="0.04"/></geometry></collision>
    <collision><geometry><sphere radius="0.005"/></geometry></collision>
    <collision><origin xyz="0 0 0.04"/><geometry><sphere radius="0.005"/></geometry></collision>"""
BOX = '<collision><geometry><box size="0.05 0.02 0.04"/></geometry></collision>'
JOINT = """  <joint name="{}" type="{}">
    <parent link="{}"/><child link="{}"/>
    <origin xyz="0 0 {}" rpy="0 0 0"/><axis xyz="{}"/>
    <limit lower="-1" upper="1.5" effort="10" velocity="2"/>
  </joint>"""
LINK = """  <link name="{}">
    <inertial><mass value="0.5"/><inertia ixx="0.01" ixy="0" ixz="0" iyy="0.01" iyz="0" izz="0.01"/></inertial>
    {}
  </link>"""

# An arm of two joints that carries a gripper of two, all shapes primitives: a hand, a robot, and their descriptions.
URDF = "\n".join([
    '<?xml version="1.0"?>\n<robot name="pincer">',
    *(LINK.format(*link) for link in (
        ("base", ""), ("upper", BOX), ("tool", ""), ("palm", BOX), ("near", CAPSULE), ("far", CAPSULE))),
    *(JOINT.format(*joint) for joint in (
        ("shoulder", "revolute", "base", "upper", 0.3, "0 0 1"), ("elbow", "revolute", "upper", "tool", 0.3, "0 1 0"),
        ("mount", "fixed", "tool", "palm", 0.1, "1 0 0"), ("first", "revolute", "palm", "near", 0.05, "0 2 0"),
        ("second", "revolute", "near", "far", 0.05, "0 1 0"))),
    "</robot>\n",
])  # fmt: skip
XACRO = """<?xml version="1.0"?>
<robot name="pincer" xmlns:xacro="http://www.ros.org/wiki/xacro">
  <xacro:property name="long" value="0.04"/>
  <xacro:macro name="capsule" params="radius length:=0.04">
    <collision>
      <origin xyz="0 0 ${length / 2}"/>
      <geometry><cylinder radius="${radius}" length="${length}"/></geometry>
    </collision>
    <collision><geometry><sphere radius="${radius}"/></geometry></collision>
    <collision><origin xyz="0 0 ${length}"/><geometry><sphere radius="${radius}"/></geometry></collision>
  </xacro:macro>
  <link name="palm"><collision><geometry><box size="0.05 0.02 ${long}"/></geometry></collision></link>
  <xacro:if value="${long > 0.01}"><link name="near"><xacro:capsule radius="0.005"/></link></xacro:if>
  <joint name="first" type="revolute">
    <parent link="palm"/><child link="near"/>
    <origin xyz="${0.01 * cos(pi)} 0 0.05"/><axis xyz="0 1 0"/>
    <limit lower="-1" upper="1.5" effort="10" velocity="2"/>
  </joint>
</robot>
"""
HAND = """name: pincer
urdf: pincer.urdf
base_link: palm
palm_normal: [1, 0, 0]
finger_axis: [0, 0, 1]
grasp_centre: [0.03, 0, 0.05]
independent:
  first: {open: 0.0, closing: 1.0}
coupled:
  second: {joint: first, ratio: 0.5}
fixed: {shoulder: 0.0, elbow: 0.5}
contacts:
  finger:
    - {link: far, position: [0.005, 0, 0.02], normal: [1, 0, 0]}
    - {link: near, position: [0.005, 0, 0.02], normal: [1, 0, 0]}
  palm:
    - {link: palm, position: [0.025, 0, 0.0], normal: [1, 0, 0]}
"""
HAND_OF_XACRO = (
    HAND.replace("  second: {joint: first, ratio: 0.5}", "  {}")
    .replace("{shoulder: 0.0, elbow: 0.5}", "{}")
    .replace("    - {link: far, position: [0.005, 0, 0.02], normal: [1, 0, 0]}\n", "")
)
SRDF = """<?xml version="1.0"?>
<robot name="pincer">
  <group name="arm"><chain base_link="base" tip_link="tool"/></group>
  <group name="gripper"><joint name="first"/><joint name="second"/></group>
  <end_effector name="gripper" parent_link="tool" parent_group="arm" group="gripper"/>
  <group_state name="home" group="arm"><joint name="shoulder" value="0.3"/><joint name="elbow" value="0.5"/></group_state>
  <group_state name="open" group="gripper"><joint name="first" value="0"/></group_state>
  <disable_collisions link1="palm" link2="near" reason="Adjacent"/>
  <disable_collisions link1="near" link2="far" reason="Adjacent"/>
</robot>
"""
PERCEPTION = """voxel_m: 0.002
min_views: 1
max_view_points: 200000
workspace_min: [0.2, -0.5, 0.0]
workspace_max: [1.0, 0.5, 1.2]
"""
POSES = """view: [0.1, 0.2, 1.0, 0.7071068, 0.7071068, 0.0, 0.0]
other:
  - [1, 0, 0, 0.5]
  - [0, 0, -1, 0.1]
  - [0, 1, 0, 0.7]
  - [0, 0, 0, 1]
"""
PCD = """# .PCD v0.7 - Point Cloud Data file format
VERSION 0.7
FIELDS x y z rgb
SIZE 4 4 4 4
TYPE F F F U
COUNT 1 1 1 1
WIDTH {}
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS {}
DATA {}
"""
POINTS = np.random.default_rng(0).normal(0.0, 0.2, (40, 3)).astype(np.float32).round(3)


def clouds() -> list[bytes]:
    """PCD: ascii, binary, and compressed, which is a run of plain bytes after each length here, and one repeat."""
    head = [PCD.format(40, 40, kind).encode() for kind in ("ascii", "binary", "binary_compressed")]
    rows = np.zeros(40, np.dtype([("p", "<f4", 3), ("c", "<u4")]))
    rows["p"] = POINTS
    fields = np.concatenate([POINTS.T.ravel().view(np.uint8), np.zeros(160, np.uint8)]).tobytes()
    plain = b"".join(bytes([31]) + fields[i : i + 32] for i in range(0, 480, 32)) + bytes([0]) + b"\0"
    packed = plain + bytes([7 << 5, 150, 0])  # 159 times the byte before
    text = "".join(f"{x} {y} {z} 0\n" for x, y, z in POINTS).encode()
    return [
        head[0] + text,
        head[1] + rows.tobytes(),
        head[2] + struct.pack("<II", len(packed), 640) + packed,
    ]


def meshes(kind: str) -> list[bytes]:
    """A box, a ball, and a box with the seams of a texture, as far as the kind has those."""
    box, ball = trimesh.creation.box((0.05, 0.04, 0.08)), trimesh.creation.icosphere(1, 0.04)
    corners = trimesh.Trimesh(box.triangles.reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False)
    corners.visual = TextureVisuals(
        uv=np.random.default_rng(0).random((36, 2)), image=Image.new("RGB", (4, 4), "red")
    )
    made: list[bytes] = []
    kinds: list[tuple[Any, dict[str, str]]] = [(mesh, {"file_type": kind}) for mesh in (box, ball, corners)]
    if kind == "ply":
        kinds += [
            (trimesh.PointCloud(POINTS), {"file_type": kind}),
            (box, {"file_type": kind, "encoding": "ascii"}),
        ]
    if kind == "stl":
        kinds += [(box, {"file_type": "stl_ascii"})]
    for mesh, how in kinds:
        found: Any = mesh.export(**how)
        made.append(found.encode() if isinstance(found, str) else found)
    return made


def pincer(folder: Path) -> Hand:
    """The small hand, its files in a folder."""
    (folder / "pincer.urdf").write_text(URDF)
    (folder / "pincer.yaml").write_text(HAND)
    return Hand.load(str(folder / "pincer.yaml"))


def dataset(folder: Path, hand: Hand) -> bytes:
    """Two objects with three grasps."""
    x = np.tile(np.r_[0.0, 0.1, 0.05, 1.0, np.zeros(hand.size - 4)], (3, 1)).astype(np.float32)
    texts: dict[str, Any] = {
        name: np.array(["shop/can", "shop/box"]) for name in ("objects", "mesh_hash", "failure")
    }
    counts: dict[str, Any] = {name: np.array([5, 6]) for name in ("seed", "tried", "passed")}
    depths: dict[str, Any] = {name: np.full(3, 0.1, np.float32) for name in HALF}
    data = GraspDataset(
        hand=hand.name,
        run=json.dumps({"hand": hand.name, "grasps": 3, "seed": 1, "planner": {"lot": 16}, "trial": None}),
        split=np.array(["train", "test"]),
        extents_m=np.full((2, 3), 0.05, np.float32),
        **texts,
        **counts,
        trials=np.ones((2, 2), np.int64),
        successes=np.ones((2, 2), np.int64),
        stages=np.array(["field", "rest"]),
        seconds=np.ones((2, 2), np.float32),
        planes=np.array([[0, 0, 0, 0], [0, 0, 1, -0.1]], np.float32),
        object_index=np.array([0, 0, 1], np.int32),
        x=x,
        **depths,
        plane=np.array([0, 1, 1], np.int16),
        held=np.array([True, True, False]),
    )
    save_dataset(folder / "seed.npz", data)
    return (folder / "seed.npz").read_bytes()


def prepared(folder: Path, hand: Hand) -> bytes:
    """Two objects of a training side, fields of 4³ samples."""
    x = torch.zeros(2, 2, hand.size)
    x[..., 3] = 1.0
    objects = Objects(
        names=("shop/can", "shop/box"),
        values=torch.full((2, 4, 4, 4), 0.01, dtype=torch.float16),
        origin=torch.zeros(2, 3),
        spacing=torch.full((2,), 0.01),
        radius=torch.full((2,), 0.05),
        grasps=x,
        valid=torch.ones(2, 2, dtype=torch.bool),
    )
    save_prepared(folder / "seed.npz", {"train": objects}, hand, dataset={"name": "d.npz"})
    return (folder / "seed.npz").read_bytes()


def weights(folder: Path, hand: Hand) -> bytes:
    """A network of a few neurons, with the notes that a training leaves."""
    network = CompactNetwork(hand, channels=(2, 2, 2), hidden=4)
    notes = {"config": asdict(TrainConfig()), "objects": {"train": 2, "test": 1}}
    save_network(folder / "seed.safetensors", network, hand, step=3, **notes)
    return (folder / "seed.safetensors").read_bytes()


def evaluations() -> list[bytes]:
    """A report of `evaluate` on two networks."""
    figures = {side: {"consistency": 0.1, "l2": 3.0} for side in ("train", "test")}
    networks = [
        {
            "hand": "shadow",
            "architecture": "compact",
            "loss": "combined",
            "seed": 0,
            "training_objects": n,
            "figures": figures,
        }
        for n in (50, 100)
    ]
    return [json.dumps({"networks": networks, "hours": 0.1}, indent=indent).encode() for indent in (None, 1)]


def licences() -> bytes:
    """A table of licences."""
    stream = io.StringIO()
    csv.writer(stream).writerows(
        [("source", "name", "licence"), ("shop", "can", "CC0"), ("shop", "box", 'CC "BY", 4.0')]
    )
    return stream.getvalue().encode()
