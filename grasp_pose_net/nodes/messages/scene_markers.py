"""What perception found, for RViz: a coloured cloud, and markers of table, meshes, obstacles and names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import trimesh
from builtin_interfaces.msg import Time as TimeMessage
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from grasp_pose_net.nodes.messages.basics import pose_message
from grasp_pose_net.nodes.messages.clouds import coloured_cloud_message
from grasp_pose_net.perception import Capture, object_colour
from grasp_pose_net.world import Array, make_transform

TABLE_COLOUR, OBSTACLE_COLOUR = (150, 150, 150), (200, 30, 30)
TEXT_M = 0.025


def scene_cloud(capture: Capture, frame: str, stamp: TimeMessage) -> PointCloud2:
    """Points of the table's top and of every object, in the object's colour."""
    parts = [(capture.table_points, TABLE_COLOUR)]
    parts += [(capture.points[item.id], object_colour(item.id)) for item in capture.scene.targets]
    points = np.vstack([p for p, _ in parts])
    colours = np.vstack([np.tile(np.array(colour, np.uint8), (len(p), 1)) for p, colour in parts])
    return coloured_cloud_message(points, colours, frame, stamp)


def scene_markers(capture: Capture, frame: str, stamp: TimeMessage) -> MarkerArray:
    """Table, meshes, obstacles and their names; what was shown before is deleted."""
    header = Header(frame_id=frame, stamp=stamp)
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    markers.append(_box(header, "table", 0, capture.table.T_world_box, capture.table.size, TABLE_COLOUR))
    for i, item in enumerate(capture.scene.targets):
        markers.append(_mesh(header, i, item.mesh, item.T_world_object, object_colour(item.id)))
        above = item.T_world_object[:3, 3] + [0, 0, item.mesh.bounds[1, 2] + TEXT_M]
        markers.append(_text(header, "names", i, above, item.id + (" (several?)" if item.several else "")))
    for i, thing in enumerate(capture.scene.obstacles):
        markers.append(_box(header, "obstacles", i, thing.T_world_object, thing.sides, OBSTACLE_COLOUR))
        above = thing.T_world_object[:3, 3] + [0, 0, thing.sides[2] / 2 + TEXT_M]
        markers.append(_text(header, "reasons", i, above, f"{thing.id} {thing.reason.split(',')[0]}"))
    return MarkerArray(markers=markers)


def _box(
    header: Header, name: str, number: int, T_frame_box: Array, size: Array, colour: Sequence[int]
) -> Marker:
    x, y, z = size.tolist()
    return Marker(
        header=header,
        ns=name,
        id=number,
        type=Marker.CUBE,
        pose=pose_message(T_frame_box),
        scale=Vector3(x=x, y=y, z=z),
        color=_colour(colour, 0.5),
    )


def _mesh(
    header: Header, number: int, mesh: trimesh.Trimesh, T_frame_object: Array, colour: Sequence[int]
) -> Marker:
    corners = [Point(x=x, y=y, z=z) for x, y, z in mesh.vertices.tolist()]
    return Marker(
        header=header,
        ns="meshes",
        id=number,
        type=Marker.TRIANGLE_LIST,
        pose=pose_message(T_frame_object),
        scale=Vector3(x=1.0, y=1.0, z=1.0),
        color=_colour(colour, 0.9),
        points=[corners[i] for i in mesh.faces.ravel().tolist()],
    )


def _text(header: Header, name: str, number: int, place: Array, text: str) -> Marker:
    return Marker(
        header=header,
        ns=name,
        id=number,
        type=Marker.TEXT_VIEW_FACING,
        pose=pose_message(make_transform(place)),
        scale=Vector3(z=TEXT_M),
        color=_colour((255, 255, 255), 1.0),
        text=text,
    )


def _colour(rgb: Sequence[int], alpha: float) -> ColorRGBA:
    r, g, b = (value / 255 for value in rgb)
    return ColorRGBA(r=r, g=g, b=b, a=alpha)
