"""The one loader: what is valid comes in, everything else is an error that says what would be."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from grasp_pose_net.config import Settings, from_mapping, load_yaml, range_text, setting
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.perception import PerceptionConfig

# the modules whose dataclasses are tested; those of the nodes where there is ROS
NODES = ("simulation", "perception", "inference", "refinement", "executor")
for module in (
    *("benchmark", "synthesis", "training", "simulation.tabletop"),
    *(f"nodes.{name}" for name in NODES if importlib.util.find_spec("rclpy")),
):
    importlib.import_module(f"grasp_pose_net.{module}")


@dataclass(frozen=True, kw_only=True)
class Inner(Settings):
    size_m: tuple[float, float] = setting((1.0, 2.0), 0.0, 9.0)
    kind: str = field(default="round", metadata={"choices": ("round", "square")})


@dataclass(frozen=True, kw_only=True)
class Outer(Settings):
    name: str
    inner: Inner = Inner(kind="square")
    scale: float = 1.0
    on: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scale <= 0:
            raise ValueError(f"scale must be > 0, got {self.scale}")


def test_values_and_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: x\ninner: {size_m: [1, 2.5]}\nscale: 3\n")
    assert load_yaml(path, Outer) == Outer(name="x", inner=Inner(size_m=(1.0, 2.5), kind="square"), scale=3.0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"inner": {"size_m": [1, 2]}}, "key 'name' is missing"),
        (
            {"name": "x", "inner": {"size_m": [1, 2]}, "nam": 1},
            "unknown key 'nam'; valid keys: inner, name, on, scale",
        ),
        ({"name": 3, "inner": {"size_m": [1, 2]}}, "name: expected str, got int"),
        ({"name": "x", "inner": {"size_m": [1]}}, r"inner\.size_m: expected 2 entries, got 1"),
        ({"name": "x", "inner": {"size_m": [1, 2]}, "on": 1}, "on: expected bool, got int"),
        ({"name": "x", "inner": {"size_m": [1, 2]}, "scale": True}, "scale: expected float, got bool"),
        ({"name": "x", "inner": {"size_m": [1, 2]}, "scale": -1}, "scale must be > 0"),
        (
            {"name": "x", "inner": {"size": 1}},
            r"unknown key 'inner\.size'; valid keys: inner\.kind, inner\.size_m",
        ),
        (
            {"name": "x", "inner": {"size_m": [1, -1]}},
            r"inner\.size_m\[1\]: -1\.0 is out of range; valid: 0 to 9",
        ),
        ({"name": "x", "inner": {"kind": "flat"}}, r"inner\.kind is 'flat'; valid: round, square"),
        ({"name": "x", "inner": 3}, r"inner: expected Inner, got int \(3\)"),
        ({"name": "x", "scale": math.inf}, "scale: inf is not a finite number"),
    ],
)
def test_errors_say_what_is_valid(data: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        from_mapping(data, Outer, where="a.yaml")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml"):
        load_yaml(tmp_path / "none.yaml", Outer)


def subclasses(cls: type) -> Iterator[type]:
    for sub in cls.__subclasses__():
        yield from (sub, *subclasses(sub))


def numbers() -> Iterator[Any]:
    """Every number of every dataclass of settings in the package: class, field, its type, default of its entries."""
    for cls in sorted(subclasses(Settings), key=lambda cls: (cls.__module__, cls.__name__)):
        if cls.__module__.startswith("grasp_pose_net."):
            hints = typing.get_type_hints(cls)
            for entry in dataclasses.fields(cls):
                kind = next(
                    (
                        k
                        for k in (float, int)
                        if k in (hints[entry.name], *typing.get_args(hints[entry.name]))
                    ),
                    None,
                )
                if kind is not None:
                    yield pytest.param(cls, entry, kind, id=f"{cls.__name__}.{entry.name}")


@pytest.mark.parametrize(("cls", "entry", "kind"), list(numbers()))
def test_every_number_has_a_range_and_refuses_what_is_just_outside(cls: Any, entry: Any, kind: type) -> None:
    low, high = ends = entry.metadata["range"]
    outside = (
        (low - 1, high + 1)
        if kind is int
        else (math.nextafter(low, -math.inf), math.nextafter(high, math.inf))
    )
    for end, value in zip(ends, outside, strict=True):
        if not math.isinf(end):
            assert_refused(cls, entry, value, f": {value} is out of range; valid: {range_text(ends)}")
    if kind is float:
        assert_refused(cls, entry, math.nan, ": nan is not a finite number")
    assert_refused(cls, entry, "many", f": expected {kind.__name__}, got str ('many')")


def assert_refused(cls: Any, entry: Any, value: Any, text: str) -> None:
    """The same sentence in code and in a file; in a tuple for each entry."""
    name, values = entry.name, [value]
    if isinstance(entry.default, tuple):
        name, values = f"{entry.name}[0]", [(value, *entry.default[1:])]
    with pytest.raises(ConfigError) as refused:
        cls(**{entry.name: values[0]})
    assert str(refused.value) == name + text
    with pytest.raises(ConfigError) as refused:
        from_mapping({entry.name: values[0]}, cls, where="a.yaml")
    assert str(refused.value) == f"a.yaml: {name}{text}"


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("voxel_m: 5.0", "voxel_m: 5.0 is out of range; valid: 0.0005 to 0.02"),
        ("max_view_points: -3", "max_view_points: -3 is out of range; valid: 1000 to 100000000"),
        ("max_faces: 3\nmin_object_points: -1", "min_object_points: -1 is out of range; valid: 4 to 100000"),
        ("workspace_min: [.nan, 0, 0]", "workspace_min[0]: nan is not a finite number"),
        (
            "workspace_min: [1, 0, 0]",
            "workspace_min (1.0, 0.0, 0.0) must be below workspace_max (0.5, 0.5, 0.6)",
        ),
    ],
)
def test_a_file_for_perception_is_checked(text: str, refusal: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_yaml(path, PerceptionConfig)
    assert str(refused.value) == f"{path}: {refusal}"
