"""One loader for every configuration: YAML → dictionary → frozen dataclass, with errors that say what is valid."""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from grasp_pose_net.exceptions import ConfigError

T = TypeVar("T")


def read_yaml(path: Path) -> dict[str, Any]:
    """Mapping in a YAML file.

    Raises:
        ConfigError: the file is missing, is no YAML, or its top level is no mapping.
    """
    try:
        data = yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a mapping at the top level, found {type(data).__name__}")
    return data


def load_yaml(path: Path, cls: type[T]) -> T:
    """Dataclass ``cls`` from a YAML file; unknown, missing or mistyped keys are errors.

    Raises:
        ConfigError: naming file, key and what is valid.
    """
    return from_mapping(read_yaml(path), cls, where=str(path))


def from_mapping(data: dict[str, Any], cls: type[T], where: str) -> T:
    """Dataclass ``cls`` from a mapping; ``where`` names its origin in errors.

    Raises:
        ConfigError: naming the origin, the key and what is valid.
    """
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(data) - set(fields)):
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; valid keys: {', '.join(sorted(fields))}")
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _coerce(data[name], hints[name], f"{where}: {name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: key {name!r} is missing")
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def _coerce(value: Any, hint: Any, where: str) -> Any:
    """``value`` as the annotated type: nested dataclasses, tuples from lists, floats from integers."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _coerce(value, next(arg for arg in args if arg is not type(None)), where)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_mapping(value, typing.cast(type, hint), where)
    if origin is tuple and isinstance(value, (list, tuple)):
        element = [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
        if len(element) != len(value):
            raise ConfigError(f"{where}: expected {len(element)} entries, got {len(value)}")
        return tuple(
            _coerce(v, e, f"{where}[{i}]") for i, (v, e) in enumerate(zip(value, element, strict=True))
        )
    if origin is dict and isinstance(value, dict):
        return {k: _coerce(v, args[1], f"{where}.{k}") for k, v in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = origin or hint
    if isinstance(plain, type) and (
        not isinstance(value, plain) or (isinstance(value, bool) and plain is not bool)
    ):
        raise ConfigError(f"{where}: expected {plain.__name__}, got {type(value).__name__} ({value!r})")
    return value
