"""The one loader: what is valid comes in, everything else is an error that says what would be."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from grasp_pose_net.config import from_mapping, load_yaml
from grasp_pose_net.exceptions import ConfigError


@dataclass(frozen=True, kw_only=True)
class Inner:
    size_m: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str
    inner: Inner
    scale: float = 1.0
    on: bool = False

    def __post_init__(self) -> None:
        if self.scale <= 0:
            raise ValueError(f"scale must be > 0, got {self.scale}")


def test_values_and_defaults(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: x\ninner: {size_m: [1, 2.5]}\nscale: 3\n")
    assert load_yaml(path, Outer) == Outer(name="x", inner=Inner(size_m=(1.0, 2.5)), scale=3.0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"inner": {"size_m": [1, 2]}}, "key 'name' is missing"),
        (
            {"name": "x", "inner": {"size_m": [1, 2]}, "nam": 1},
            "unknown key 'nam'; valid keys: inner, name, on, scale",
        ),
        ({"name": 3, "inner": {"size_m": [1, 2]}}, "name: expected str, got int"),
        ({"name": "x", "inner": {"size_m": [1]}}, "inner: size_m: expected 2 entries, got 1"),
        ({"name": "x", "inner": {"size_m": [1, 2]}, "on": 1}, "on: expected bool, got int"),
        ({"name": "x", "inner": {"size_m": [1, 2]}, "scale": True}, "scale: expected float, got bool"),
        ({"name": "x", "inner": {"size_m": [1, 2]}, "scale": -1}, "scale must be > 0"),
    ],
)
def test_errors_say_what_is_valid(data: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        from_mapping(data, Outer, where="a.yaml")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*none\.yaml"):
        load_yaml(tmp_path / "none.yaml", Outer)
