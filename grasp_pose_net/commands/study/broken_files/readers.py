"""Everything that reads a file, with good files of its kind and what must hold of what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from grasp_pose_net.commands.study.broken_files import seeds
from grasp_pose_net.commands.study.broken_files.mutate import ARRAYS, GLB, TENSORS, Parts
from grasp_pose_net.commands.study.learning_curve import evaluation
from grasp_pose_net.config import load_yaml
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.inference.network import load_network
from grasp_pose_net.models import expand_xacro
from grasp_pose_net.perception import PerceptionConfig
from grasp_pose_net.perception.cloud_files import FARTHEST_M, read_cloud
from grasp_pose_net.perception.from_files import read_poses
from grasp_pose_net.robot import RobotModel
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.shapes.mesh_files import SUFFIXES
from grasp_pose_net.synthesis.files import load_dataset
from grasp_pose_net.training.card import licences_of
from grasp_pose_net.training.prepared import load_prepared
from grasp_pose_net.world.transforms import rigid_transform


@dataclass(frozen=True)
class Reader:
    """One way in for files.

    Attributes:
        suffix: of the file.
        good: files that it takes.
        read: reads a file, and checks what it gives back: an AssertionError is a wrong result.
        parts: of which a file of the kind is made up, where breaking bytes alone is caught by a checksum.
        beside: files that lie in its folder, by name.
    """

    suffix: str
    good: Sequence[bytes]
    read: Callable[[Path], None]
    parts: Parts | None = None
    beside: dict[str, bytes] = field(default_factory=dict)


# Each takes an empty folder to make its seeds in, and is made in the process that reads.
READERS: dict[str, Callable[[Path], Reader]] = {}


def _named(name: str) -> Callable[[Callable[[Path], Reader]], Callable[[Path], Reader]]:
    def add(make: Callable[[Path], Reader]) -> Callable[[Path], Reader]:
        READERS[name] = make
        return make

    return add


@_named("pcd")
def _pcd(folder: Path) -> Reader:
    return Reader(".pcd", seeds.clouds(), _read_cloud)


@_named("ply cloud")
def _ply_cloud(folder: Path) -> Reader:
    return Reader(".ply", seeds.meshes("ply"), _read_cloud)


def _mesh(kind: str, folder: Path) -> Reader:
    return Reader(f".{kind}", seeds.meshes(kind), _read_mesh, GLB if kind == "glb" else None)


READERS |= {f"{suffix[1:]} mesh": partial(_mesh, suffix[1:]) for suffix in SUFFIXES}


@_named("dataset npz")
def _dataset(folder: Path) -> Reader:
    good = [seeds.dataset(folder, seeds.pincer(folder))]
    return Reader(".npz", good, _read_dataset, ARRAYS)


@_named("prepared npz")
def _prepared(folder: Path) -> Reader:
    hand = seeds.pincer(folder)
    return Reader(".npz", [seeds.prepared(folder, hand)], partial(_read_prepared, hand), ARRAYS)


@_named("safetensors")
def _weights(folder: Path) -> Reader:
    hand = seeds.pincer(folder)
    return Reader(".safetensors", [seeds.weights(folder, hand)], partial(_read_weights, hand), TENSORS)


@_named("hand yaml")
def _hand_yaml(folder: Path) -> Reader:
    return Reader(".yaml", [seeds.HAND.encode()], _read_hand, beside={"pincer.urdf": seeds.URDF.encode()})


@_named("hand urdf")
def _hand_urdf(folder: Path) -> Reader:
    read = partial(_read_hand_beside, seeds.HAND)
    return Reader(".urdf", [seeds.URDF.encode()], read)


@_named("xacro")
def _xacro(folder: Path) -> Reader:
    read = partial(_read_hand_beside, seeds.HAND_OF_XACRO)
    return Reader(".xacro", [seeds.XACRO.encode()], read)


@_named("robot urdf")
def _robot_urdf(folder: Path) -> Reader:
    return Reader(".urdf", [seeds.URDF.encode()], _read_robot_urdf)


@_named("srdf")
def _srdf(folder: Path) -> Reader:
    return Reader(".srdf", [seeds.SRDF.encode()], _read_srdf)


@_named("settings yaml")
def _settings(folder: Path) -> Reader:
    return Reader(".yaml", [seeds.PERCEPTION.encode()], _read_settings)


@_named("poses yaml")
def _poses(folder: Path) -> Reader:
    return Reader(".yaml", [seeds.POSES.encode()], _read_poses)


@_named("report json")
def _report(folder: Path) -> Reader:
    return Reader(".json", seeds.evaluations(), _read_report)


@_named("licences csv")
def _licences(folder: Path) -> Reader:
    return Reader(".csv", [seeds.licences()], _read_licences)


def _read_cloud(path: Path) -> None:
    points = read_cloud(path)
    assert points.ndim == 2 and points.shape[1] == 3 and len(points)
    assert (np.abs(points) <= FARTHEST_M).all()


def _read_mesh(path: Path) -> None:
    mesh = load_mesh(path)
    assert mesh.is_watertight and mesh.volume > 0.0 and np.isfinite(mesh.vertices).all()


def _read_dataset(path: Path) -> None:
    data = load_dataset(path)
    assert len(data.counts) == len(data.objects) and data.counts.sum() == len(data.x)


def _read_prepared(hand: Hand, path: Path) -> None:
    for objects in load_prepared(path, hand).values():
        assert objects.grasps.shape[2] == hand.size and torch.isfinite(objects.grasps).all()


def _read_weights(hand: Hand, path: Path) -> None:
    network = load_network(str(path), hand)
    with torch.inference_mode():
        assert network(torch.zeros(1, 64, 64, 64, dtype=torch.uint8)).shape == (1, hand.size)


def _read_hand(path: Path) -> None:
    hand = Hand.load(str(path))
    assert (hand.lower <= hand.upper).all() and np.isfinite(hand.all_joints(hand.open_joints)).all()
    x = torch.tensor(np.r_[0, 0, 0, 1, 0, 0, 0, hand.open_joints])[None]
    points, normals = Kinematics(hand, torch.float64).contacts(x)
    assert torch.isfinite(points).all() and torch.allclose(
        normals.norm(dim=-1), torch.ones(1, dtype=torch.float64)
    )
    assert len(hand.spheres.radius) and (hand.spheres.radius > 0).all()


def _read_hand_beside(description: str, path: Path) -> None:
    file = path.with_name("hand.yaml")
    file.write_text(description.replace("pincer.urdf", path.name))
    _read_hand(file)


def _read_robot_urdf(path: Path) -> None:
    _check_robot(RobotModel(expand_xacro(path), seeds.SRDF))


def _read_srdf(path: Path) -> None:
    from grasp_pose_net.models import robot_srdf

    _check_robot(RobotModel(seeds.URDF, robot_srdf(str(path))))


def _check_robot(robot: RobotModel) -> None:
    assert (
        (robot.lower <= robot.upper).all()
        and np.isfinite(robot.lower).all()
        and np.isfinite(robot.upper).all()
    )
    assert (robot.arm.velocity > 0).all() and (robot.hand.velocity > 0).all()
    for posture in robot.named_states.values():
        assert not robot.outside_limits(posture)
        rigid_transform(robot.link_pose(posture, robot.tip))


def _read_settings(path: Path) -> None:
    load_yaml(path, PerceptionConfig)


def _read_poses(path: Path) -> None:
    for pose in read_poses(path, [Path("view.pcd"), Path("other.pcd")]).values():
        rigid_transform(pose)


def _read_report(path: Path) -> None:
    for network in evaluation(path)["networks"]:
        assert network["figures"]["test"]["consistency"] >= 0.0


def _read_licences(path: Path) -> None:
    assert licences_of(path.parent, ["shop/can", "shop/box"], path)
