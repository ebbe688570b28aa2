"""One check of settings, and one loader: YAML → dictionary → frozen dataclass, with errors that say what is valid.

A value is refused with the same sentence whether it comes from a command line, a file or a ROS parameter.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.reading import brief, read_yaml

T = TypeVar("T")
NUMBERS = {float: Real, int: Integral}  # what is good for a field of the type


class Settings:
    """Base of frozen dataclasses that refuse what the type, ``range`` or ``choices`` of a field does not allow.

    Of ``field(metadata={"range": (least, most), "choices": (…)})``, or short :func:`setting`; in a tuple they hold for each
    entry. Numbers must be finite, but for an infinite end of a range.
    """

    def __post_init__(self) -> None:
        """Check, and turn whole numbers into floats and lists into tuples where the fields are.

        Raises:
            ConfigError: naming the field, its value and what is valid.
        """
        hints = _hints(typing.cast(Any, type(self)))
        for field in dataclasses.fields(typing.cast(Any, self)):
            value = checked(getattr(self, field.name), hints[field.name], field.name, field.metadata)
            object.__setattr__(self, field.name, value)


def setting(
    default: Any,
    low: float | None = None,
    high: float = math.inf,
    doc: str = "",
    *,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """Field of :class:`Settings`.

    Args:
        default: its value where none is given.
        low: least value of a number; None: any is good.
        high: largest value.
        doc: what it is.
        choices: values that are good; empty: any is.
        live: may change while a node runs.
    """
    about: dict[str, Any] = {"doc": doc}
    about |= {} if low is None else {"range": (low, high)}
    about |= {"choices": choices} if choices else {}
    return dataclasses.field(default=default, metadata=about | ({"live": True} if live else {}))


def range_text(ends: tuple[float, float]) -> str:
    """Words for a range."""
    low, high = (str(end) if isinstance(end, int) else f"{end:g}" for end in ends)
    return f"at least {low}" if ends[1] == math.inf else f"{low} to {high}"


def load_yaml(path: Path, cls: type[T]) -> T:
    """Dataclass ``cls`` from a YAML file; unknown, missing or mistyped keys are errors.

    Raises:
        ConfigError: naming file, key and what is valid.
    """
    return from_mapping(read_yaml(path), cls, where=str(path))


def from_mapping(data: Mapping[str, Any], cls: type[T], where: str) -> T:
    """Dataclass ``cls`` from a mapping; ``where`` names its origin in errors.

    Raises:
        ConfigError: naming the origin, the key and what is valid.
    """
    try:
        return _built(data, cls, "")
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def default_of(field: dataclasses.Field) -> Any:
    """Default of a field, MISSING where a value must be given."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def _built(data: Mapping[str, Any], cls: type[T], path: str, base: Any = MISSING) -> T:
    """Dataclass from a mapping, ``path`` before its names in errors; what is not given is that of ``base``."""
    hints = _hints(typing.cast(Any, cls))
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, cls))}
    if unknown := sorted(map(str, set(data) - set(fields))):
        valid = ", ".join(path + name for name in sorted(fields))
        raise ConfigError(f"unknown key {brief(path + unknown[0])}; valid keys: {valid}")
    values = {}
    for name, field in fields.items():
        default = default_of(field) if base is MISSING else getattr(base, name)
        if name in data:
            values[name] = checked(data[name], hints[name], path + name, field.metadata, default)
        elif default is MISSING:
            raise ConfigError(f"key {path + name!r} is missing")
        else:
            values[name] = default
    try:
        return cls(**values)
    except (ConfigError, ValueError) as error:
        raise ConfigError(f"{path}{error}") from error


def checked(value: Any, hint: Any, name: str, about: Mapping[str, Any], base: Any = MISSING) -> Any:
    """A value as its annotated type: dataclasses from mappings, tuples from lists, floats from whole numbers.

    Args:
        value: the value.
        hint: its type.
        name: what errors call it.
        about: metadata of its field.
        base: of which a mapping keeps what it does not give.

    Raises:
        ConfigError: naming what it is and what is valid.
    """
    if hint is Any:
        return value
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return checked(value, next(arg for arg in args if arg is not type(None)), name, about, base)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return _built(value, typing.cast(type, hint), f"{name}.", base)
    if origin is tuple and isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        element = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(element) != len(value):
            raise ConfigError(f"{name}: expected {len(element)} entries, got {len(value)}")
        return tuple(
            checked(v, e, f"{name}[{i}]", about) for i, (v, e) in enumerate(zip(value, element, strict=True))
        )
    if origin is dict and isinstance(value, Mapping):
        return {
            _plain(k, args[0], f"key of {name}", None): checked(v, args[1], f"{name}.{k}", about)
            for k, v in value.items()
        }
    choices = about.get("choices") or (args if origin is typing.Literal else ())
    if choices and value not in choices:
        raise ConfigError(f"{name} is {brief(value)}; valid: {', '.join(choices)}")
    return value if origin is typing.Literal else _plain(value, origin or hint, name, about.get("range"))


def _plain(value: Any, kind: Any, name: str, ends: tuple[float, float] | None) -> Any:
    """A value that holds no others, of type ``kind`` and within a range."""
    good = NUMBERS.get(kind, kind)
    if isinstance(good, type) and (
        not isinstance(value, good) or (isinstance(value, bool) and kind is not bool)
    ):
        raise ConfigError(f"{name}: expected {kind.__name__}, got {type(value).__name__} ({brief(value)})")
    if kind not in NUMBERS:
        return value
    try:
        value = kind(value)
        finite = math.isfinite(value)
    except OverflowError as error:  # a whole number of hundreds of digits
        raise ConfigError(f"{name}: {brief(value)} is too large a number") from error
    if not finite and (ends is None or value not in ends):
        raise ConfigError(f"{name}: {value} is not a finite number")
    if ends is not None and not ends[0] <= value <= ends[1]:
        raise ConfigError(f"{name}: {value} is out of range; valid: {range_text(ends)}")
    return value


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)
