"""What the library needs from a URDF: joints, and collision shapes with capsules put together again."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass

import numpy as np
from trimesh.transformations import euler_matrix

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand.primitives import Kind, Solid
from grasp_pose_net.reading import attribute, brief, parse_xml
from grasp_pose_net.world import Array, transform_points

SIZES: dict[Kind, tuple[str, ...]] = {
    "box": ("size",),
    "cylinder": ("radius", "length"),
    "sphere": ("radius",),
}
NUMBERS = {"xyz", "rpy", "radius", "length", "size", "lower", "upper", "effort", "velocity", "scale"}
NUMBERS |= {"multiplier", "offset", "ixx", "ixy", "ixz", "iyy", "iyz", "izz"}
FARTHEST = 1e6  # of any number: a robot is of metres and radians
LEAST_M, MOST_M = 1e-4, 1.0  # of a part of a hand
MOST_RAD = 100.0
SHORTEST_AXIS = 1e-6
MOST_LINKS = 500


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


def robot_xml(text: str, where: str = "URDF") -> ET.Element:
    """A URDF as XML whose links and joints make up one tree, and whose numbers are numbers.

    Args:
        text: the URDF, xacro expanded.
        where: its origin, for errors.

    Raises:
        ConfigError: naming the origin, the link or joint, and what is wrong with it.
    """
    robot = parse_xml(text, where)
    try:
        _check_tree(robot)
        for element in robot:
            for part in element.iter():
                for name in NUMBERS & set(part.attrib):
                    _numbers(part, name, (), f"<{part.tag}> of {element.tag} {element.get('name')!r}")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    return robot


def parse_urdf(text: str, where: str = "URDF") -> Urdf:
    """Parse a URDF whose joints are revolute or fixed and whose collision shapes are primitives.

    Args:
        text: the URDF, xacro expanded.
        where: its origin, for errors.

    Raises:
        ConfigError: no XML, no single tree, or a joint or shape of another kind or without its numbers.
    """
    robot = robot_xml(text, where)
    try:
        joints = [_parse_joint(element) for element in robot.findall("joint")]
        shapes = [
            shape
            for link in robot.findall("link")
            for shape in _merge_capsules([_parse_shape(link, part) for part in link.findall("collision")])
        ]
        if not shapes:
            raise ConfigError("no link has a collision shape; give links boxes, cylinders or spheres")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    (root,) = _roots(robot)
    return Urdf(root, tuple(_below(root, joints)), tuple(shapes))


def _check_tree(robot: ET.Element) -> None:
    """Refuse links and joints that are no tree."""
    names: dict[str, list[str]] = {}
    for kind in ("link", "joint"):
        names[kind] = [attribute(element, "name", f"a {kind}") for element in robot.findall(kind)]
        if len(names[kind]) > MOST_LINKS:
            raise ConfigError(f"{len(names[kind])} {kind}s, expected at most {MOST_LINKS}")
        if twice := [name for name, count in Counter(names[kind]).items() if count > 1]:
            raise ConfigError(f"{kind} {twice[0]!r} is there twice")
    parents: dict[str, str] = {}
    for joint in robot.findall("joint"):
        name = f"joint {joint.attrib['name']!r}"
        parent, child = (
            attribute(_required(joint, end), "link", f"the {end} of {name}") for end in ("parent", "child")
        )
        for link in (parent, child):
            if link not in names["link"]:
                raise ConfigError(f"{name}: no link {link!r}; there are: {', '.join(names['link'])}")
        if child in parents:
            raise ConfigError(f"link {child!r} has two parents, {parents[child]!r} and {parent!r}")
        parents[child] = parent
    roots = _roots(robot)
    if len(roots) != 1:
        raise ConfigError(f"URDF must have one root link, found {len(roots)}: {', '.join(roots)}")
    found = set(roots)
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    if loop := [name for name in names["link"] if name not in found]:
        raise ConfigError(f"link {loop[0]!r} is in a loop of joints")


def _roots(robot: ET.Element) -> list[str]:
    """Links that no joint carries."""
    children = {child.get("link") for joint in robot.findall("joint") for child in joint.findall("child")}
    return [link.attrib["name"] for link in robot.findall("link") if link.attrib["name"] not in children]


def _below(link: str, joints: list[Joint]) -> list[Joint]:
    """Joints of the subtree that starts at a link, depth first, in the order of the file."""
    found = []
    for joint in joints:
        if joint.parent == link:
            found += [joint, *_below(joint.child, joints)]
    return found


def _parse_joint(element: ET.Element) -> Joint:
    name = element.attrib["name"]
    kind, where = attribute(element, "type", f"joint {name!r}"), f"joint {name!r}"
    if kind not in ("revolute", "fixed"):
        raise ConfigError(f"URDF joint {name!r} is {kind!r}; valid: revolute (with limits), fixed")
    limit = element.find("limit")
    if kind == "revolute" and (limit is None or not {"lower", "upper"} <= set(limit.attrib)):
        raise ConfigError(f"URDF joint {name!r} needs <limit> with lower and upper")
    lower, upper = 0.0, 0.0
    if kind == "revolute":
        lower, upper = (float(_numbers(limit, end, (), where, 1)[0]) for end in ("lower", "upper"))
        if not -MOST_RAD <= lower <= upper <= MOST_RAD:
            raise ConfigError(
                f"{where}: limits {lower:g} to {upper:g} rad; expected a range within ±{MOST_RAD:g}"
            )
    axis = _numbers(element.find("axis"), "xyz", (1.0, 0.0, 0.0), f"axis of {where}", 3)
    if np.linalg.norm(axis) < SHORTEST_AXIS:
        raise ConfigError(f"{where}: axis {' '.join(f'{n:g}' for n in axis)} has no direction")
    return Joint(
        name=name,
        parent=_required(element, "parent").attrib["link"],
        child=_required(element, "child").attrib["link"],
        T_parent_joint=_origin(element, where),
        axis=axis / np.linalg.norm(axis),
        lower=lower,
        upper=upper,
        movable=kind == "revolute",
    )


def _parse_shape(link: ET.Element, collision: ET.Element) -> Solid:
    geometry, name = _required(collision, "geometry"), link.attrib["name"]
    where = f"collision of link {name!r}"
    for kind, entries in SIZES.items():
        if (solid := geometry.find(kind)) is not None:
            count = 3 if kind == "box" else 1
            for entry in entries:
                attribute(solid, entry, where)
            size = [float(n) for entry in entries for n in _numbers(solid, entry, (), where, count)]
            if not all(LEAST_M <= edge <= MOST_M for edge in size):
                text = " x ".join(f"{edge:g}" for edge in size)
                raise ConfigError(f"{where}: {kind} of {text} m; expected {LEAST_M:g} to {MOST_M:g} m")
            return Solid(name, kind, tuple(size), _origin(collision, where))
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


def _origin(element: ET.Element, where: str) -> Array:
    origin = element.find("origin")
    # URDF's roll, pitch, yaw turn about the fixed axes x, y, z, as these do
    T_parent_child = euler_matrix(*_numbers(origin, "rpy", (0.0, 0.0, 0.0), where, 3))
    T_parent_child[:3, 3] = _numbers(origin, "xyz", (0.0, 0.0, 0.0), where, 3)
    return T_parent_child


def _numbers(
    element: ET.Element | None, name: str, default: tuple[float, ...], where: str, count: int | None = None
) -> Array:
    """Numbers of an attribute: finite, within ±`FARTHEST`, and as many as wanted."""
    text = element.get(name) if element is not None else None
    if text is None:
        return np.array(default)
    try:
        numbers = np.array([float(word) for word in text.split()])
    except ValueError as error:
        raise ConfigError(f"{where}: {name} {brief(text)} is no number") from error
    if not (np.abs(numbers) <= FARTHEST).all():  # also what is not finite
        raise ConfigError(f"{where}: {name} {brief(text)} is beyond ±{FARTHEST:g}")
    if len(numbers) != (count or max(len(numbers), 1)):
        raise ConfigError(f"{where}: {name} {brief(text)}: expected {count or 'some'} numbers")
    return numbers
