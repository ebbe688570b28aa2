"""Record one simulated scene as a rosbag2 folder (MCAP): depth images and camera infos of four cameras, and TF.

    python tools/record_tabletop.py --out test/data/tabletop

Three cameras stand still (/tf_static); the first one moves (/tf): its pose at the stamp of its view lies between two messages.
`ros2 bag play test/data/tabletop --clock` plays it to the perception node with `use_sim_time:=true`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.serialization import serialize_message  # noqa: TID251  (a recording is made of messages)
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from tf2_msgs.msg import TFMessage

from grasp_pose_net.models import share_dir
from grasp_pose_net.nodes.messages.basics import time_message, transform_stamped
from grasp_pose_net.nodes.messages.clouds import camera_info_message, depth_image_message
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.simulation.cameras import CameraConfig, optical_frame
from grasp_pose_net.simulation.tabletop import TabletopConfig, random_tabletop
from grasp_pose_net.world import Array

OBJECTS = ("mug", "carton", "can")
START_S, VIEW_S, END_S = 100.0, 100.05, 100.1  # TF before and after the views
STEP_M = 0.03  # the first camera moves by this before and after its view
FOREVER = QosTime(2147483647, 4294967295)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write; must not exist")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    meshes = [load_mesh(share_dir() / "models" / "objects" / f"{name}.ply") for name in OBJECTS]
    tabletop = random_tabletop(meshes, TabletopConfig(area_m=(0.45, 0.45)), rng)
    cameras = CameraConfig()
    messages = recording(tabletop.measured(cameras, rng), cameras)
    write(args.out, messages)
    for name, mesh in zip(OBJECTS, tabletop.meshes, strict=True):
        print(f"{name}: centre {mesh.center_mass.round(4).tolist()}, sides {mesh.extents.round(4).tolist()}")


def recording(
    views: dict[str, tuple[np.ndarray, Array]], cameras: CameraConfig
) -> list[tuple[str, float, Any]]:
    """Messages of one scene in the order of their time: (topic, time [s], message)."""
    moving, *standing = views
    static = [pose(name, views[name][1], START_S) for name in standing]
    messages: list[tuple[str, float, Any]] = [("/tf_static", START_S, TFMessage(transforms=static))]
    for at, step in ((START_S, -STEP_M), (END_S, STEP_M)):
        T_world_optical = views[moving][1].copy()
        T_world_optical[:3, 3] += [step, 0.0, 0.0]
        messages.append(("/tf", at, TFMessage(transforms=[pose(moving, T_world_optical, at)])))
    stamp = time_message(VIEW_S)
    for name, (depth, _) in views.items():
        frame = optical_frame(name)
        info = camera_info_message(cameras.width_px, cameras.height_px, cameras.focal_px, frame, stamp)
        messages.append((f"/{name}/depth/camera_info", VIEW_S, info))
        messages.append((f"/{name}/depth/image_rect_raw", VIEW_S, depth_image_message(depth, frame, stamp)))
    return sorted(messages, key=lambda entry: entry[1])


def pose(camera: str, T_world_optical: Array, at: float) -> Any:
    """TF of a camera."""
    return transform_stamped("world", optical_frame(camera), T_world_optical, time_message(at))


def write(folder: Path, messages: list[tuple[str, float, Any]]) -> None:
    """Write messages to a rosbag2 folder."""
    store = get_typestore(Stores.ROS2_KILTED)
    writer = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        topics = {}
        for topic, at, message in messages:
            if topic not in topics:
                kind = f"{type(message).__module__.split('.')[0]}/msg/{type(message).__name__}"
                topics[topic] = writer.add_connection(
                    topic, kind, typestore=store, offered_qos_profiles=[qos(latched=topic == "/tf_static")]
                )
            writer.write(topics[topic], round(at * 1e9), serialize_message(message))


def qos(latched: bool) -> Qos:
    """Profile that a player offers."""
    return Qos(
        QosHistory.KEEP_LAST,
        1 if latched else 10,
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        FOREVER,
        FOREVER,
        QosLiveliness.AUTOMATIC,
        FOREVER,
        False,
    )


if __name__ == "__main__":
    main()
