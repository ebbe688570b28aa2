"""The RViz configuration: what it shows is what the nodes publish."""

from __future__ import annotations

from pathlib import Path

import yaml

from grasp_pose_net.system import NODES

ROOT = Path(__file__).parent.parent
MANAGER = yaml.safe_load((ROOT / "config" / "grasp_demo.rviz").read_text())["Visualization Manager"]
DISPLAYS = {display["Name"]: display for display in MANAGER["Displays"]}
SOURCES = "".join(path.read_text() for path in (ROOT / "grasp_pose_net" / "nodes").glob("*.py"))


def topics() -> dict[str, str]:
    """Topic of each display that has one."""
    found = {}
    for name, display in DISPLAYS.items():
        for key, value in display.items():
            if key.endswith("Topic"):
                found[name] = value["Value"] if isinstance(value, dict) else value
    return found


def test_every_topic_is_one_of_a_nodes() -> None:
    shown = topics()
    assert shown.pop("Robot") == "/robot_description"  # of robot_state_publisher
    assert len(shown) == 6
    for name, topic in shown.items():
        _, node, own = topic.split("/")
        assert node in {entry.name for entry in NODES}, name
        assert f'"~/{own}"' in SOURCES, f"{name}: no node publishes {topic}"


def test_each_grasp_has_a_namespace_and_only_the_best_is_shown_at_first() -> None:
    shown = DISPLAYS["Ranked grasps"]["Namespaces"]
    assert shown == {f"grasp_{rank}": rank == 0 for rank in range(5)}


def test_what_the_nodes_latch_is_taken_late() -> None:
    for name in ("Fused cloud", "Voxels of the network", "Objects and table", "Ranked grasps"):
        assert DISPLAYS[name]["Topic"]["Durability Policy"] == "Transient Local"
    assert MANAGER["Global Options"]["Fixed Frame"] == "world"
