"""ROS parameters from a frozen dataclass: its fields are the parameters, and their metadata the rules."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from grasp_pose_net.config import default_of, from_mapping, range_text
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


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter, as a field of a dataclass describes it.

    Attributes:
        name: with the names of its groups, ``group.name``.
        type: of its value.
        default: its value where none is given; ``MISSING`` where one must be.
        doc: what it is.
        range: least and largest value of a number, None where any is good.
        choices: values that are good, empty where any is.
        live: may change while the node runs.
    """

    name: str
    type: Parameter.Type
    default: Any
    doc: str
    range: tuple[float, float] | None
    choices: tuple[str, ...]
    live: bool

    @property
    def descriptor(self) -> ParameterDescriptor:
        """What ``ros2 param describe`` shows."""
        # rclpy would refuse a live one's wrong type or range in words of its own, before it asks `declare`'s check
        descriptor = ParameterDescriptor(
            description=self.doc, read_only=not self.live, dynamic_typing=self.live
        )
        if self.choices:
            descriptor.additional_constraints = f"one of: {', '.join(self.choices)}"
        if self.range and self.live:
            descriptor.additional_constraints = range_text(self.range)
        elif self.range and self.type in (Parameter.Type.INTEGER, Parameter.Type.INTEGER_ARRAY):
            least, most = map(int, self.range)
            descriptor.integer_range = [IntegerRange(from_value=least, to_value=most)]
        elif self.range:
            low, high = map(float, self.range)
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        return descriptor


def specs(cls: type, given: Any = None, prefix: str = "") -> Iterator[ParameterSpec]:
    """The parameters that a dataclass describes.

    ``field(metadata={"doc": text, "range": (low, high), "choices": (…), "live": True})`` is a parameter's description;
    without ``"live"`` it is read-only. Fields that are dataclasses themselves become a group, ``group.name``, with the
    defaults that the outer class gives them. A ``tuple[float, float, float]`` is an array of that length.

    Args:
        cls: the dataclass.
        given: an instance whose values are the defaults, None for those of ``cls``.
        prefix: of all names.
    """
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        hint, name = hints[field.name], prefix + field.name
        default = default_of(field) if given is None else getattr(given, field.name)
        if dataclasses.is_dataclass(hint):
            inner = None if default is MISSING else default
            yield from specs(typing.cast(type, hint), inner, f"{name}.")
            continue
        if typing.get_origin(hint) is tuple:
            hint = tuple[typing.get_args(hint)[0], ...]  # type: ignore[misc]
        about = field.metadata
        yield ParameterSpec(
            name,
            PARAMETER_TYPES[hint],
            list(default) if isinstance(default, tuple) else default,
            about.get("doc", ""),
            about.get("range"),
            tuple(about.get("choices", ())),
            about.get("live", False),
        )


def declare(node: Node, cls: type[T]) -> T:
    """Declare every parameter that dataclass ``cls`` describes (see :func:`specs`) and return the configuration.

    A dataclass with a field ``locked`` that is true has no live ones.

    Values are checked by `config.from_mapping` before they are declared, and again when a live one is set.

    Raises:
        ConfigError: an unknown parameter was set, or a value has the wrong type or breaks a rule.
    """
    where = f"parameters of {node.get_name()}"
    given = {
        name: parameter.value
        for name, parameter in node._parameter_overrides.items()
        if name != "use_sim_time" and not name.startswith("qos_overrides.")
    }
    config = from_mapping(_nested(given), cls, where)
    locked = getattr(config, "locked", False)
    known = {
        spec.name: dataclasses.replace(spec, live=spec.live and not locked) for spec in specs(cls, config)
    }
    for name, spec in known.items():
        node.declare_parameter(name, spec.default, spec.descriptor, ignore_override=True)

    def check(changed: list[Parameter]) -> SetParametersResult:
        asked = {parameter.name: parameter.value for parameter in changed if parameter.name in known}
        present = {name: node.get_parameter(name).value for name in known if asked}
        try:
            if asked:
                from_mapping(_nested(present | asked), cls, where)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)
    return config


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    """``{"group.name": value}`` as ``{"group": {"name": value}}``; a group that has a value itself keeps that."""
    nested: dict[str, Any] = {}
    for name, value in sorted(values.items()):
        *groups, last = name.split(".")
        target = nested
        for group in groups:
            inner = target.setdefault(group, {})
            target = inner if isinstance(inner, dict) else {}
        target[last] = value
    return nested
