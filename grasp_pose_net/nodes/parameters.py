"""ROS parameters from a frozen dataclass: its fields are the parameters, its ``__post_init__`` the rules."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from grasp_pose_net.config import from_mapping
from grasp_pose_net.exceptions import ConfigError

T = TypeVar("T")

PARAMETER_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    tuple[str, ...]: Parameter.Type.STRING_ARRAY,
    tuple[float, ...]: Parameter.Type.DOUBLE_ARRAY,
    tuple[int, ...]: Parameter.Type.INTEGER_ARRAY,
}


def declare(node: Node, cls: type[T]) -> T:
    """Declare each field of dataclass ``cls`` as a parameter of ``node`` and return the configuration.

    ``field(metadata={"doc": text, "range": (low, high)})`` becomes the parameter's description and range; ``"live": True``
    lets it change while the node runs (it is read-only otherwise). Fields that are
    dataclasses themselves become a group, ``group.name``. A ``tuple[float, float, float]`` is an array of that length.

    Raises:
        ConfigError: an unknown parameter was set, or a value breaks a rule.
    """
    fields = dict(_walk(cls))
    unknown = sorted(set(node._parameter_overrides) - set(fields) - {"use_sim_time"})
    unknown = [name for name in unknown if not name.startswith("qos_overrides.")]
    if unknown:
        raise ConfigError(
            f"{node.get_name()}: unknown parameter {unknown[0]!r}; valid: {', '.join(sorted(fields))}"
        )
    values: dict[str, Any] = {}
    for name, (field, hint) in fields.items():
        *groups, last = name.split(".")
        target = values
        for group in groups:
            target = target.setdefault(group, {})
        target[last] = _declare_one(node, name, field, hint)
    return from_mapping(values, cls, where=f"parameters of {node.get_name()}")


def _walk(cls: type, prefix: str = "") -> Iterator[tuple[str, tuple[dataclasses.Field, Any]]]:
    """Every leaf field of a dataclass with its dotted name and type."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            yield from _walk(typing.cast(type, hint), f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, (field, hint)


def _declare_one(node: Node, name: str, field: dataclasses.Field, hint: Any) -> Any:
    if typing.get_origin(hint) is tuple:
        hint = tuple[typing.get_args(hint)[0], ...]  # type: ignore[misc]
    descriptor = ParameterDescriptor(description=field.metadata.get("doc", ""))
    descriptor.read_only = not field.metadata.get("live", False)
    if "range" in field.metadata:
        low, high = field.metadata["range"]
        if hint is int:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))
            ]
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        default = field.default
    if default is dataclasses.MISSING:
        default = PARAMETER_TYPES[hint]
    elif isinstance(default, tuple):
        default = list(default)
    value: Any = node.declare_parameter(name, default, descriptor).value
    # rclpy hands arrays out as array.array; the loader wants lists
    return list(value) if typing.get_origin(hint) is tuple else value
