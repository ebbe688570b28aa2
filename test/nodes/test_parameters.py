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

from grasp_pose_net.config import Settings, from_mapping
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.nodes.support.parameters import declare, specs

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parent.parent.parent
PAGE = runpy.run_path(str(ROOT / "tools" / "make_parameter_page.py"))
NODES = PAGE["PARAMETERS"]


@dataclass(frozen=True, kw_only=True)
class Inner(Settings):
    speed: float = field(default=0.5, metadata={"doc": "how fast", "range": (0.0, 1.0), "live": True})
    point: tuple[float, float] = field(default=(1.0, 2.0), metadata={"doc": "where", "range": (0.0, 9.0)})


@dataclass(frozen=True, kw_only=True)
class Outer(Settings):
    name: str = field(metadata={"doc": "what"})
    kind: str = field(
        default="round", metadata={"doc": "shape", "choices": ("round", "square"), "live": True}
    )
    size: int = field(default=3, metadata={"doc": "how large", "range": (1, 9)})
    count: int = field(default=3, metadata={"doc": "how many", "range": (1, 9), "live": True})
    inner: Inner = field(default_factory=lambda: Inner(speed=0.1))

    def __post_init__(self) -> None:
        super().__post_init__()
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
        names = ("kind", "count", "size", "inner.point")
        kind, count, size, point = (made.describe_parameter(n) for n in names)
    assert (kind.description, kind.additional_constraints) == ("shape", "one of: round, square")
    assert not count.read_only and count.additional_constraints == "1 to 9"
    assert size.read_only and (size.integer_range[0].from_value, size.integer_range[0].to_value) == (1, 9)
    assert point.floating_point_range[0].to_value == 9.0 and point.type == Parameter.Type.DOUBLE_ARRAY.value


def test_a_live_parameter_keeps_its_range_and_others_cannot_change() -> None:
    with node(name="it") as made:
        declare(made, Outer)
        results = made.set_parameters(
            [Parameter("count", value=5), Parameter("count", value=50), Parameter("size", value=5)]
        )
        assert [result.successful for result in results] == [True, False, False]
        assert made.get_parameter("count").value == 5


@dataclass(frozen=True, kw_only=True)
class Lockable(Outer):
    locked: bool = field(default=False, metadata={"doc": "nothing changes"})


def test_a_locked_node_has_no_live_parameter() -> None:
    for locked in (False, True):
        with node(name="it", locked=locked) as made:
            declare(made, Lockable)
            assert made.set_parameters([Parameter("count", value=5)])[0].successful is not locked
            assert made.get_parameter("count").value == (3 if locked else 5)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("count", 10, "count: 10 is out of range; valid: 1 to 9"),
        ("count", 2.5, "count: expected int, got float (2.5)"),
        ("inner.speed", 1.5, "inner.speed: 1.5 is out of range; valid: 0 to 1"),
        ("inner.speed", float("nan"), "inner.speed: nan is not a finite number"),
        ("inner.speed", "fast", "inner.speed: expected float, got str ('fast')"),
        ("kind", "flat", "kind is 'flat'; valid: round, square"),
    ],
)
def test_the_same_sentence_in_code_in_a_file_at_the_start_and_at_run_time(
    name: str, value: object, text: str
) -> None:
    *groups, last = name.split(".")
    cls, given = (Inner, {"inner": {last: value}}) if groups else (Outer, {last: value})
    with pytest.raises(ConfigError) as refused:
        cls(**({last: value} if groups else {"name": "it", last: value}))  # type: ignore[arg-type]
    assert str(refused.value) == text.removeprefix("inner.")
    with pytest.raises(ConfigError) as refused:
        from_mapping({"name": "it", **given}, Outer, where="a.yaml")
    assert str(refused.value) == f"a.yaml: {text}"
    with node(**{"name": "it", name.replace(".", "__"): value}) as made:
        with pytest.raises(ConfigError) as refused:
            declare(made, Outer)
        assert str(refused.value) == f"parameters of outer: {text}"
    with node(name="it") as made:
        before = declare(made, Outer)
        (result,) = made.set_parameters([Parameter(name, value=value)])
        assert (result.successful, result.reason) == (False, f"parameters of outer: {text}")
        assert made.get_parameter(name).value == (before.inner.speed if groups else getattr(before, name))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"name": "it", "kinds": "x"},
            "outer: unknown key 'kinds'; valid keys: count, inner, kind, name, size",
        ),
        ({"name": "it", "inner__sped": 1.0}, r"'inner\.sped'; valid keys: inner\.point, inner\.speed$"),
        ({"name": "it", "inner": 1, "inner__speed": 1.0}, "outer: inner: expected Inner, got int"),
        ({"name": "it", "count": "many"}, r"count: expected int, got str \('many'\)$"),
        ({"name": "it", "inner__point": [1.0]}, r"inner\.point: expected 2 entries, got 1"),
        (
            {"name": "it", "inner__point": [1.0, -1.0]},
            r"inner\.point\[1\]: -1\.0 is out of range; valid: 0 to 9",
        ),
        ({}, "outer: key 'name' is missing"),
        ({"name": "bad"}, "name must not be bad"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(values: dict[str, object], text: str) -> None:
    with node(**values) as made, pytest.raises(ConfigError, match=text):
        declare(made, Outer)


def test_a_whole_number_is_good_where_a_float_is_wanted() -> None:
    with node(name="it", inner__speed=1) as made:
        assert declare(made, Outer).inner.speed == 1.0
        assert made.get_parameter("inner.speed").type_ == Parameter.Type.DOUBLE


@pytest.mark.parametrize("name", NODES)
def test_every_parameter_is_described_and_every_number_has_a_range(name: str) -> None:
    for spec in specs(PAGE["parameters_class"](name)):
        assert spec.doc, f"{name}: {spec.name} has no doc"
        if spec.type.name.startswith(("INTEGER", "DOUBLE")):
            assert spec.range, f"{name}: {spec.name} has no range"


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
