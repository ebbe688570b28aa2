"""Parameters from dataclasses: descriptors, defaults of groups, refusals; all nodes' parameters are described."""

from __future__ import annotations

import importlib
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

rclpy = pytest.importorskip("rclpy", reason="needs rclpy")

from rclpy.node import Node
from rclpy.parameter import Parameter

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.nodes.support.parameters import declare, specs

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parent.parent.parent
PAGE = runpy.run_path(str(ROOT / "tools" / "make_parameter_page.py"))
NODES = PAGE["PARAMETERS"]


@dataclass(frozen=True, kw_only=True)
class Inner:
    speed: float = field(default=0.5, metadata={"doc": "how fast", "range": (0.0, 1.0)})
    point: tuple[float, float] = field(default=(1.0, 2.0), metadata={"doc": "where"})


@dataclass(frozen=True, kw_only=True)
class Outer:
    name: str = field(metadata={"doc": "what"})
    kind: str = field(default="round", metadata={"doc": "shape", "choices": ("round", "square")})
    count: int = field(default=3, metadata={"doc": "how many", "range": (1, 9), "live": True})
    inner: Inner = field(default_factory=lambda: Inner(speed=0.1))

    def __post_init__(self) -> None:
        if self.name == "bad":
            raise ValueError("name must not be bad")


@contextmanager
def node(**values: object) -> Iterator[Node]:
    rclpy.init()
    overrides = [Parameter(name.replace("__", "."), value=value) for name, value in values.items()]
    made = Node("outer", parameter_overrides=overrides)
    try:
        yield made
    finally:
        made.destroy_node()
        rclpy.try_shutdown()


def test_values_and_defaults_of_groups() -> None:
    with node(name="it", inner__point=[3.0, 4.0]) as made:
        assert declare(made, Outer) == Outer(name="it", inner=Inner(speed=0.1, point=(3.0, 4.0)))


def test_describe_tells_all() -> None:
    with node(name="it") as made:
        declare(made, Outer)
        kind, count, speed = (made.describe_parameter(n) for n in ("kind", "count", "inner.speed"))
    assert (kind.description, kind.read_only, kind.additional_constraints) == (
        "shape",
        True,
        "one of: round, square",
    )
    assert not count.read_only and (count.integer_range[0].from_value, count.integer_range[0].to_value) == (
        1,
        9,
    )
    assert speed.floating_point_range[0].to_value == 1.0 and speed.type == Parameter.Type.DOUBLE.value


def test_a_live_parameter_keeps_its_range_and_others_cannot_change() -> None:
    with node(name="it") as made:
        declare(made, Outer)
        results = made.set_parameters(
            [Parameter("count", value=5), Parameter("count", value=50), Parameter("kind", value="square")]
        )
        assert [result.successful for result in results] == [True, False, False]
        assert made.get_parameter("count").value == 5


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"name": "it", "kinds": "x"}, "outer: unknown parameter 'kinds'; valid: count, inner.point, inner"),
        ({"name": "it", "kind": "flat"}, "outer: parameter kind is 'flat'; valid: round, square"),
        ({"name": "it", "count": 10}, "outer: parameter count: 10 is refused; valid: 1 to 9"),
        (
            {"name": "it", "inner__speed": 1},
            r"inner.speed: expected double, got 1 \(integer\); write it with",
        ),
        ({"name": "it", "count": "many"}, r"count: expected integer, got 'many' \(string\)$"),
        ({"name": "it", "inner__point": [1.0]}, "inner: point: expected 2 entries, got 1"),
        ({"name": "bad"}, "name must not be bad"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values: dict[str, object], text: str) -> None:
    with node(**values) as made, pytest.raises(ConfigError, match=text):
        declare(made, Outer)


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_is_described_and_every_number_has_a_range(name: str) -> None:
    for spec in specs(PAGE["parameters_class"](name)):
        assert spec.doc, f"{name}: {spec.name} has no doc"
        number = spec.type in (Parameter.Type.INTEGER, Parameter.Type.DOUBLE)
        if number and not spec.name.endswith("seed"):
            assert spec.range, f"{name}: {spec.name} has no range"
            assert spec.range[0] <= spec.default <= spec.range[1], f"{name}: {spec.name}"


@pytest.mark.parametrize("path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name)
def test_parameter_files_set_what_there_is(path: Path) -> None:
    """Names in the files, and their types: a node would refuse the others only once it is started."""
    for key, content in yaml.safe_load(path.read_text()).items():
        known = {spec.name: spec for spec in specs(PAGE["parameters_class"](key.strip("/")))}
        for name, value in flat(content["ros__parameters"]):
            assert name in known, f"{path.name}: {name}"
            parameter = Parameter(name, value=value)
            assert parameter.type_ == known[name].type, f"{path.name}: {name} is {parameter.type_.name}"


def flat(values: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def test_the_page_of_parameters_is_current() -> None:
    page = (ROOT / "docs" / "parameters.md").read_text()
    assert page == PAGE["page"](), "parameters have changed: run tools/make_parameter_page.py"


def test_every_node_of_the_system_has_its_parameters_on_the_page() -> None:
    from grasp_pose_net.system import NODES as SYSTEM

    assert sorted(NODES) == sorted(entry.name for entry in SYSTEM)
    assert all(importlib.import_module(module) for module, _ in NODES.values())
