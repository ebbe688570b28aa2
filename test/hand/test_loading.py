"""A small second hand: hands are data, and their mistakes are told in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.hand import Hand, Kinematics, LinkPoints
from grasp_pose_net.hand.urdf import parse_urdf
from grasp_pose_net.models import expand_xacro

CAPSULE = """
<collision><origin xyz="0 0 0.02"/><geometry><cylinder radius="0.005" length="0.04"/></geometry></collision>
<collision><geometry><sphere radius="0.005"/></geometry></collision>
<collision><origin xyz="0 0 0.04"/><geometry><sphere radius="0.005"/></geometry></collision>"""


def joint(name: str, parent: str, child: str) -> str:
    return f"""<joint name="{name}" type="revolute"><parent link="{parent}"/><child link="{child}"/>
      <origin xyz="0 0 0.05"/><axis xyz="0 2 0"/>
      <limit lower="-1" upper="1" effort="1" velocity="1"/></joint>"""


def urdf() -> str:
    box = '<collision><geometry><box size="0.05 0.02 0.04"/></geometry></collision>'
    links = f'<link name="arm"/><link name="palm">{box}</link><link name="near">{CAPSULE}</link>'
    links += f'<link name="far">{CAPSULE}</link>'
    joints = joint("wrist", "arm", "palm") + joint("first", "palm", "near")
    return f'<robot name="pincer">{links}{joints}{joint("second", "near", "far")}</robot>'


def description() -> dict[str, Any]:
    return {
        "name": "pincer",
        "urdf": "pincer.urdf",
        "base_link": "palm",
        "palm_normal": [1, 0, 0],
        "finger_axis": [0, 0, 1],
        "grasp_centre": [0.03, 0, 0.05],
        "independent": {"first": {"open": 0.0, "closing": 1.0}},
        "coupled": {"second": {"joint": "first", "ratio": 2.0}},
        "fixed": {"wrist": 0.5},
        "contacts": {"finger": [{"link": "far", "position": [0.005, 0, 0.02], "normal": [1, 0, 0]}]},
    }


def load(folder: Path, content: dict[str, Any], text: str | None = None) -> Hand:
    (folder / "pincer.urdf").write_text(urdf() if text is None else text)
    (folder / "hand.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return Hand.load(str(folder / "hand.yaml"))


def test_another_hand_needs_no_code(tmp_path: Path) -> None:
    hand = load(tmp_path, description())
    assert hand.size == 8
    np.testing.assert_allclose([hand.lower, hand.upper], [[-0.5], [0.5]])  # the follower turns twice as far
    np.testing.assert_allclose(hand.all_joints(np.array([0.1])), [0.5, 0.1, 0.2])
    assert [shape.kind for shape in hand.shapes] == ["box", "capsule", "capsule"]
    x = torch.tensor([[0, 0, 0, 1, 0, 0, 0, 0.3]], dtype=torch.float64)
    tip = LinkPoints(np.array([hand.tree.index("far")]), np.array([[0, 0, 0.04]]))
    expected = [0.05 * np.sin(0.3) + 0.04 * np.sin(0.9), 0, 0.05 + 0.05 * np.cos(0.3) + 0.04 * np.cos(0.9)]
    np.testing.assert_allclose(Kinematics(hand, torch.float64).points(x, tip)[0, 0], expected, atol=1e-12)


def test_a_fixed_angle_shows_in_the_pose_of_the_root(tmp_path: Path) -> None:
    T_base_root = load(tmp_path, description()).T_base_root
    np.testing.assert_allclose(T_base_root[:3, 3], [0.05 * np.sin(0.5), 0, -0.05 * np.cos(0.5)], atol=1e-12)


def independent(name: str, angle: float) -> dict[str, Any]:
    return {name: {"open": angle, "closing": 1.0}}


def contact(link: str, normal: list[float]) -> dict[str, Any]:
    return {"contacts": {"finger": [{"link": link, "position": [0, 0, 0], "normal": normal}]}}


MISTAKES = [
    ({"contact": {}}, "unknown key 'contact'; valid keys: base_link"),
    ({"base_link": "plam"}, r"hand\.yaml: base_link: no link 'plam' in pincer\.urdf; valid: arm, palm, near"),
    ({"independent": independent("third", 0)}, "no movable joint 'third'.*: wrist, first, second"),
    ({"independent": independent("first", 3)}, "angle 3.0 of 'first' is outside its limits -1.0000 to"),
    ({"independent": independent("first", 0.8)}, "angle 1.6 of 'second' is outside its limits -1.0000 to"),
    ({"fixed": {}}, "joint 'wrist' is in none of independent, coupled, fixed"),
    ({"fixed": {"wrist": 0, "first": 0}}, "joint 'first' must be in one of independent, coupled, fixed"),
    (
        {"fixed": {}, "independent": independent("first", 0) | independent("wrist", 0)},
        "joint 'wrist' carries 'palm': put it under `fixed`",
    ),
    ({"coupled": {"second": {"joint": "wrist", "ratio": 1}}}, "'wrist' is not independent; valid: first"),
    ({"coupled": {"second": {"joint": "first", "ratio": 0}}}, "coupled.second.ratio must not be 0"),
    ({"contacts": {"finger": []}}, "contacts: at least one point is needed"),
    (contact("far", [1, 1, 0]), r"contacts\.finger\[0\]\.normal must have length 1, has 1\.414214"),
    (contact("toe", [1, 0, 0]), r"contacts\.finger\[0\]\.link: no link 'toe'"),
]


@pytest.mark.parametrize(("change", "message"), MISTAKES)
def test_mistakes_in_hand_yaml_are_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, description() | change)


def test_the_unknown_hand_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="claw"):
        Hand.load("claw")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</robot>", "", "URDF is not valid XML"),
        ('<link name="arm"/>', '<link name="arm"/><link name="leg"/>', "one root link, found 2: arm, leg"),
        ('type="revolute"', 'type="prismatic"', "joint 'wrist' is 'prismatic'; valid: revolute"),
        ('lower="-1" upper="1"', "", "joint 'wrist' needs <limit> with lower and upper"),
        ('<sphere radius="0.005"/>', '<mesh filename="a.stl"/>', "link 'near' is mesh; valid: box, cylinder"),
        ('<parent link="arm"/>', "", "<joint name='wrist'> lacks <parent>"),
        ('xyz="0 2 0"', 'xyz="0 0 0"', "joint 'wrist': axis 0 0 0 has no direction"),
        ('xyz="0 2 0"', 'xyz="0 2"', "axis of joint 'wrist': xyz '0 2': expected 3 numbers"),
        ('radius="0.005"', 'radius="0.005m"', "<cylinder> of link 'near': radius '0.005m' is no number"),
        ('radius="0.005"', 'radius="nan"', "<cylinder> of link 'near': radius 'nan' is beyond ±1e\\+06"),
        (
            'radius="0.005"',
            'radius="-1"',
            "collision of link 'near': cylinder of -1 x 0.04 m; expected 0.0001 to 1 m",
        ),
        ('radius="0.005" ', "", "collision of link 'near' lacks radius"),
        ('lower="-1"', 'lower="2"', "joint 'wrist': limits 2 to 1 rad; expected a range within ±100"),
        (
            '<child link="palm"/>',
            '<child link="plam"/>',
            "joint 'wrist': no link 'plam'; there are: arm, palm, near, far",
        ),
        (
            '<parent link="near"/><child link="far"/>',
            '<parent link="arm"/><child link="near"/>',
            "link 'near' has two parents",
        ),
        (
            '<parent link="arm"/>',
            '<parent link="far"/>',
            "one root link, found 1: arm|is in a loop of joints",
        ),
        ('<link name="far">', '<link name="near">', "link 'near' is there twice"),
        ('<joint name="wrist"', "<joint", "a joint lacks name"),
        ("<robot", "<!DOCTYPE a><robot", "a document type .* is not taken"),
    ],
)
def test_mistakes_in_the_urdf_are_named(old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_urdf(urdf().replace(old, new, 1) if old != 'lower="-1" upper="1"' else urdf().replace(old, new))


def test_a_hand_without_collision_shapes_is_refused_by_its_file(tmp_path: Path) -> None:
    bare = re.sub("<collision>.*?</collision>", "", urdf(), flags=re.DOTALL)
    with pytest.raises(ConfigError, match=r"pincer\.urdf: no link has a collision shape; give links boxes"):
        load(tmp_path, description(), bare)


def test_large_parts_are_covered_coarsely_and_needles_refused(tmp_path: Path) -> None:
    large = urdf().replace('size="0.05 0.02 0.04"', 'size="0.9 0.8 0.7"')
    assert 10 < len(load(tmp_path, description(), large).spheres.radius) < 1000
    needle = urdf().replace('radius="0.005"', 'radius="0.0001"').replace('length="0.04"', 'length="0.9"')
    needle = needle.replace('xyz="0 0 0.02"', 'xyz="0 0 0.45"').replace('xyz="0 0 0.04"', 'xyz="0 0 0.9"')
    with pytest.raises(ConfigError, match=r"take [0-9]+ spheres to fill, expected at most 1500"):
        load(tmp_path, description(), needle).spheres  # noqa: B018


def test_xacro_that_never_ends_or_is_broken_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.xacro"
    head = '<robot name="a" xmlns:xacro="http://www.ros.org/wiki/xacro">'
    for text, why in (
        ('<xacro:macro name="m"><xacro:m/></xacro:macro><xacro:m/></robot>', "it nests without end"),
        ("<link name='${1 / 0}'/></robot>", "division by zero"),
        ("<link", "xacro failed"),
    ):
        file.write_text(head + text)
        with pytest.raises(ConfigError, match=why) as refused:
            expand_xacro(file)
        assert str(file) in str(refused.value) and "\n" not in str(refused.value)
