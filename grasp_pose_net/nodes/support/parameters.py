"""ROS parameters from a frozen dataclass: its fields are the parameters, its ``__post_init__`` the rules."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
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
        descriptor = ParameterDescriptor(description=self.doc, read_only=not self.live)
        if self.choices:
            descriptor.additional_constraints = f"one of: {', '.join(self.choices)}"
        if self.range and self.type in (Parameter.Type.INTEGER, Parameter.Type.INTEGER_ARRAY):
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
        default = _default(field) if given is None else getattr(given, field.name)
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

    Raises:
        ConfigError: an unknown parameter was set, or a value has the wrong type or breaks a rule.
    """
    known = {spec.name: spec for spec in specs(cls)}
    unknown = sorted(set(node._parameter_overrides) - set(known) - {"use_sim_time"})
    unknown = [name for name in unknown if not name.startswith("qos_overrides.")]
    if unknown:
        raise ConfigError(
            f"{node.get_name()}: unknown parameter {unknown[0]!r}; valid: {', '.join(sorted(known))}"
        )
    values: dict[str, Any] = {}
    for name, spec in known.items():
        *groups, last = name.split(".")
        target = values
        for group in groups:
            target = target.setdefault(group, {})
        target[last] = _declare_one(node, spec)
    return from_mapping(values, cls, where=f"parameters of {node.get_name()}")


def _default(field: dataclasses.Field) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _declare_one(node: Node, spec: ParameterSpec) -> Any:
    """Declare one parameter; its value, arrays as lists."""
    default = spec.type if spec.default is MISSING else spec.default
    where = f"{node.get_name()}: parameter {spec.name}"
    try:
        value: Any = node.declare_parameter(spec.name, default, spec.descriptor).value
    except InvalidParameterTypeException as error:
        found = node._parameter_overrides[spec.name]
        hint = "; write it with a decimal point" if found.type_ == Parameter.Type.INTEGER else ""
        raise ConfigError(
            f"{where}: expected {spec.type.name.lower()}, got {found.value!r} ({found.type_.name.lower()}){hint}"
        ) from error
    except InvalidParameterValueException as error:
        allowed = "" if spec.range is None else f"; valid: {spec.range[0]:g} to {spec.range[1]:g}"
        raise ConfigError(
            f"{where}: {node._parameter_overrides[spec.name].value!r} is refused{allowed}"
        ) from error
    if spec.choices and value not in spec.choices:
        raise ConfigError(f"{where} is {value!r}; valid: {', '.join(spec.choices)}")
    # rclpy hands arrays out as array.array; the loader wants lists
    return list(value) if spec.type.name.endswith("ARRAY") else value
