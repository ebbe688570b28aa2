"""What the library needs from a URDF: joints, and collision shapes with capsules put together again."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

import numpy as np
from trimesh.transformations import euler_matrix

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand.primitives import Kind, Solid
from grasp_pose_net.world import Array, transform_points

SIZES: dict[Kind, tuple[str, ...]] = {
    "box": ("size",),
    "cylinder": ("radius", "length"),
    "sphere": ("radius",),
}


@dataclass(frozen=True, eq=False)
class Joint:
    """A joint: ``T_parent_child = T_parent_joint @ turn(axis, angle)``; limits are 0 where it is fixed."""

    name: str
    parent: str
    child: str
    T_parent_joint: Array
    axis: Array
    lower: float
    upper: float
    movable: bool


@dataclass(frozen=True, eq=False)
class Urdf:
    """Root link, joints (each after the joint that carries it) and collision shapes of a URDF."""

    root_link: str
    joints: tuple[Joint, ...]
    shapes: tuple[Solid, ...]

    @property
    def links(self) -> tuple[str, ...]:
        """Link names, root first, each after its parent."""
        return (self.root_link, *(joint.child for joint in self.joints))


def parse_urdf(text: str) -> Urdf:
    """Parse a URDF whose joints are revolute or fixed and whose collision shapes are primitives.

    Raises:
        ConfigError: no XML, no single root, or a joint or shape of another kind.
    """
    try:
        robot = ET.fromstring(text)
    except ET.ParseError as error:
        raise ConfigError(f"URDF is not valid XML: {error}") from error
    joints = [_parse_joint(element) for element in robot.findall("joint")]
    children = {joint.child for joint in joints}
    roots = [link.attrib["name"] for link in robot.findall("link") if link.attrib["name"] not in children]
    if len(roots) != 1:
        raise ConfigError(f"URDF must have one root link, found {len(roots)}: {', '.join(roots)}")
    ordered = _below(roots[0], joints)
    shapes = [
        shape
        for link in robot.findall("link")
        for shape in _merge_capsules([_parse_shape(link, part) for part in link.findall("collision")])
    ]
    return Urdf(roots[0], tuple(ordered), tuple(shapes))


def _below(link: str, joints: list[Joint]) -> list[Joint]:
    """Joints of the subtree that starts at a link, depth first, in the order of the file."""
    found = []
    for joint in joints:
        if joint.parent == link:
            found += [joint, *_below(joint.child, joints)]
    return found


def _parse_joint(element: ET.Element) -> Joint:
    name, kind = element.attrib["name"], element.attrib["type"]
    if kind not in ("revolute", "fixed"):
        raise ConfigError(f"URDF joint {name!r} is {kind!r}; valid: revolute (with limits), fixed")
    limit = element.find("limit")
    if kind == "revolute" and (limit is None or not {"lower", "upper"} <= set(limit.attrib)):
        raise ConfigError(f"URDF joint {name!r} needs <limit> with lower and upper")
    bounds = limit.attrib if limit is not None and kind == "revolute" else {"lower": "0", "upper": "0"}
    axis = _numbers(element.find("axis"), "xyz", (1.0, 0.0, 0.0))
    return Joint(
        name=name,
        parent=_required(element, "parent").attrib["link"],
        child=_required(element, "child").attrib["link"],
        T_parent_joint=_origin(element),
        axis=axis / np.linalg.norm(axis),
        lower=float(bounds["lower"]),
        upper=float(bounds["upper"]),
        movable=kind == "revolute",
    )


def _parse_shape(link: ET.Element, collision: ET.Element) -> Solid:
    geometry, name = _required(collision, "geometry"), link.attrib["name"]
    for kind, entries in SIZES.items():
        if (solid := geometry.find(kind)) is not None:
            size = " ".join(solid.attrib[entry] for entry in entries).split()
            return Solid(name, kind, tuple(map(float, size)), _origin(collision))
    found = ", ".join(child.tag for child in geometry) or "nothing"
    raise ConfigError(f"collision of link {name!r} is {found}; valid: {', '.join(SIZES)}")


def _merge_capsules(shapes: list[Solid]) -> list[Solid]:
    """A cylinder with a sphere of its radius at both ends is a capsule, which URDF cannot say."""
    merged = []
    spheres = [shape for shape in shapes if shape.kind == "sphere"]
    for shape in (shape for shape in shapes if shape.kind != "sphere"):
        ends = _end_spheres(shape, spheres) if shape.kind == "cylinder" else []
        if len(ends) == 2:
            spheres = [sphere for sphere in spheres if sphere not in ends]
            shape = Solid(shape.link, "capsule", shape.size, shape.T_link_shape)
        merged.append(shape)
    return merged + spheres


def _end_spheres(cylinder: Solid, spheres: list[Solid]) -> list[Solid]:
    radius, length = cylinder.size
    ends = transform_points(cylinder.T_link_shape, [[0, 0, -length / 2], [0, 0, length / 2]])
    return [
        sphere
        for sphere in spheres
        if abs(sphere.size[0] - radius) < 1e-6
        and np.linalg.norm(ends - sphere.T_link_shape[:3, 3], axis=1).min() < 1e-6
    ]


def _required(element: ET.Element, tag: str) -> ET.Element:
    child = element.find(tag)
    if child is None:
        name = element.attrib.get("name", "")
        raise ConfigError(f"URDF element <{element.tag} name={name!r}> lacks <{tag}>")
    return child


def _origin(element: ET.Element) -> Array:
    origin = element.find("origin")
    # URDF's roll, pitch, yaw turn about the fixed axes x, y, z, as these do
    T_parent_child = euler_matrix(*_numbers(origin, "rpy", (0.0, 0.0, 0.0)))
    T_parent_child[:3, 3] = _numbers(origin, "xyz", (0.0, 0.0, 0.0))
    return T_parent_child


def _numbers(element: ET.Element | None, name: str, default: tuple[float, ...]) -> Array:
    text = element.attrib.get(name) if element is not None else None
    return np.array(default if text is None else [float(number) for number in text.split()])
