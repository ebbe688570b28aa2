"""What the drivers of a laboratory would publish of the simulated world: time, joints, frames, and where objects are."""

from __future__ import annotations

import threading

from geometry_msgs.msg import PoseArray
from rclpy.node import Node
from rclpy.time import Time
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from grasp_pose_net.nodes.messages.basics import pose_message, time_message
from grasp_pose_net.nodes.support.frames import TransformBroadcaster
from grasp_pose_net.simulation.cameras import optical_frame
from grasp_pose_net.simulation.laboratory import World, nominal_cameras
from grasp_pose_net.world import WORLD


class WorldTopics:
    """Publishes the state of a world."""

    def __init__(self, node: Node, world: World, lock: threading.Lock, links: bool) -> None:
        """Publish the cameras' calibration and, with ``links``, the robot's fixed links.

        Args:
            node: node that publishes.
            world: guarded by ``lock``.
            lock: held while the state is read.
            links: whether the robot's links are published; else a robot_state_publisher does.
        """
        self._world, self._lock = world, lock
        self._clock = node.create_publisher(Clock, "/clock", 10)
        self._joints = node.create_publisher(JointState, "/joint_states", 10)
        self._objects = node.create_publisher(PoseArray, "~/object_poses", 10)
        self._broadcaster = TransformBroadcaster(node)
        simulation = world.simulation
        poses = simulation.link_poses() if links else {}
        self._moving = [link for link in poses if simulation.moves(link)]
        cameras = nominal_cameras(world.config).items()
        fixed = [(WORLD, optical_frame(name), T_world_optical) for name, T_world_optical in cameras]
        fixed += [(parent, link, pose) for link, (parent, pose) in poses.items() if link not in self._moving]
        self._broadcaster.send_static(fixed)

    def publish_state(self, now: float) -> None:
        """Time [s], joints and objects."""
        stamp = time_message(now)
        with self._lock:
            simulation = self._world.simulation
            positions, velocities, efforts = (
                simulation.positions(),
                simulation.velocities(),
                simulation.efforts(),
            )
            poses = [pose_message(simulation.object_pose(item.name)) for item in simulation.objects]
        self._clock.publish(Clock(clock=stamp))
        self._joints.publish(
            JointState(
                header=Header(stamp=stamp),
                name=list(simulation.joint_names),
                position=positions.tolist(),
                velocity=velocities.tolist(),
                effort=efforts.tolist(),
            )
        )
        self._objects.publish(PoseArray(header=Header(stamp=stamp, frame_id=WORLD), poses=poses))

    def publish_links(self, now: float) -> None:
        """The robot's moving links at a time [s]."""
        with self._lock:
            poses = self._world.simulation.link_poses()
        moving = [(poses[link][0], link, poses[link][1]) for link in self._moving]
        self._broadcaster.send(moving, Time(nanoseconds=round(now * 1e9)))
