"""What the controllers need from the robot's URDF and SRDF: limits, groups and named states."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from grasp_pose_net import models
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.robot import MotionLimits


@lru_cache
def read_urdf(robot: str) -> ET.Element:
    """The robot's URDF, expanded once; not to be modified."""
    return ET.fromstring(models.robot_urdf(robot))


@lru_cache
def read_srdf(robot: str) -> ET.Element:
    """The robot's SRDF, read once; not to be modified."""
    return ET.fromstring(models.robot_srdf(robot))


def joint_limits(robot: str, names: Sequence[str]) -> MotionLimits:
    """Limits of the named joints, in their order; a URDF has none of accelerations.

    Raises:
        ConfigError: the URDF has no such joint, or no limits for it.
    """
    urdf = read_urdf(robot)
    limits = {joint.attrib["name"]: joint.find("limit") for joint in urdf.findall("joint")}
    rows = []
    for name in names:
        limit = limits.get(name)
        if limit is None:
            raise ConfigError(f"URDF of {robot}: joint {name!r} is missing or has no limits")
        rows.append([float(limit.attrib[key]) for key in ("lower", "upper", "velocity")])
    lower, upper, velocity = np.array(rows).T
    return MotionLimits(lower, upper, velocity, np.full(len(rows), np.inf))


def group_joints(robot: str, group: str, moving: Sequence[str]) -> tuple[str, ...]:
    """Joints of an SRDF group, given as a list of joints or as a chain of links.

    Args:
        robot: folder of models/robots.
        group: its name.
        moving: the robot's moving joints, in whose order the result is.

    Raises:
        ConfigError: no such group.
    """
    entry = _named(robot, "group", group)
    names = {joint.attrib["name"] for joint in entry.findall("joint")}
    chain = entry.find("chain")
    if chain is not None:
        urdf = read_urdf(robot)
        above = {_link(joint, "child"): joint for joint in urdf.findall("joint")}
        link = chain.attrib["tip_link"]
        while link != chain.attrib["base_link"]:
            names.add(above[link].attrib["name"])
            link = _link(above[link], "parent")
    return tuple(name for name in moving if name in names)


def named_state(robot: str, group: str, state: str) -> dict[str, float]:
    """Joint positions [rad] of a named state of a group.

    Raises:
        ConfigError: no such state.
    """
    entry = _named(robot, "group_state", state, group)
    return {joint.attrib["name"]: float(joint.attrib["value"]) for joint in entry.findall("joint")}


def _named(robot: str, tag: str, name: str, group: str | None = None) -> ET.Element:
    entries = [e for e in read_srdf(robot).findall(tag) if group in (None, e.attrib.get("group"))]
    for entry in entries:
        if entry.attrib["name"] == name:
            return entry
    found = ", ".join(entry.attrib["name"] for entry in entries) or "none"
    raise ConfigError(f"SRDF of {robot}: no {tag} {name!r}; there are: {found}")


def _link(joint: ET.Element, which: str) -> str:
    element = joint.find(which)
    if element is None:
        raise ConfigError(f"URDF: joint {joint.attrib['name']!r} has no {which} link")
    return element.attrib["link"]
