"""The list of nodes, the plain runner with small stand-in nodes, the launch file with stand-ins for ROS."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import yaml

from grasp_pose_net import bringup, system
from grasp_pose_net.bringup import Runner, describe_status, free_domain, prepare_environment
from grasp_pose_net.exceptions import ConfigError, ExecutionError
from grasp_pose_net.system import NODES, NodeSpec, Start

ROOT = Path(__file__).parent.parent
TIMEOUT_S = 10.0
DUMMIES = {
    "patient": (
        "import json, os, sys, time\n"
        "print(json.dumps([sys.argv, os.getsid(0) == os.getpid()]), flush=True)\n"
        "time.sleep(60)\n"
    ),
    "failing": "import sys\nprint('no such camera')\nsys.exit(3)\n",
    "deaf": (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    ),
}


@pytest.fixture(autouse=True)
def dummies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the package `dummies` with its nodes, and their empty parameter files."""
    package = tmp_path / "dummies"
    package.mkdir()
    for name, code in DUMMIES.items():
        (package / f"{name}.py").write_text(code)
        (tmp_path / f"{name}.yaml").write_text("{}\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.setattr(system, "config_file", lambda name: tmp_path / name)
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "MUJOCO_GL"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
        monkeypatch.delenv(name)


def dummy(name: str) -> NodeSpec:
    return NodeSpec(name, package="dummies")


def wait_for(condition: Callable[[], Any]) -> Any:
    """The condition's value once it is true."""
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
    return value


def is_alive(pid: int) -> bool:
    """Whether a process runs (one that has ended and waits to be collected does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_node_gets_parameter_file_and_overrides(tmp_path: Path) -> None:
    with Runner(
        tmp_path / "run", {"patient": {"rate_hz": 5.0, "name": "a b", "on": True}}, [dummy("patient")]
    ) as runner:
        arguments, own_session = json.loads(wait_for(runner.log_file("patient").read_text))
        runner.check()
    assert arguments[1:3] == ["--ros-args", "--params-file"]
    assert arguments[3] == str(tmp_path / "patient.yaml")
    assert arguments[4:] == ["-p", "rate_hz:=5.0", "-p", 'name:="a b"', "-p", "on:=true"]
    assert own_session


def test_dead_node_is_named_with_status_and_log(tmp_path: Path) -> None:
    with Runner(tmp_path, nodes=[dummy("patient"), dummy("failing")]) as runner:
        wait_for(lambda: not is_alive(runner.pids["failing"]))
        with pytest.raises(ExecutionError, match=r"node failing ended with status 3.*\n  no such camera$"):
            runner.check()


def test_killed_node_is_named_with_signal(tmp_path: Path) -> None:
    with Runner(tmp_path, nodes=[dummy("patient")]) as runner:
        wait_for(runner.log_file("patient").read_text)
        os.kill(runner.pids["patient"], signal.SIGKILL)
        wait_for(lambda: not is_alive(runner.pids["patient"]))
        with pytest.raises(ExecutionError, match=r"node patient was ended by SIGKILL"):
            runner.check()


def test_stop_takes_deaf_nodes_and_their_children_within_five_seconds(tmp_path: Path) -> None:
    with Runner(tmp_path, nodes=[dummy("deaf"), dummy("patient")]) as runner:
        child = int(wait_for(runner.log_file("deaf").read_text))
        pids = [*runner.pids.values(), child]
        assert all(map(is_alive, pids))
        started = time.monotonic()
        runner.stop()
        seconds = time.monotonic() - started
    wait_for(lambda: not any(map(is_alive, pids)))
    assert seconds < 5.0


def test_orphan_of_a_node_that_ended_is_taken_too(tmp_path: Path) -> None:
    with Runner(tmp_path, nodes=[dummy("deaf")]) as runner:
        child = int(wait_for(runner.log_file("deaf").read_text))
        os.kill(runner.pids["deaf"], signal.SIGKILL)
        assert is_alive(child)
    wait_for(lambda: not is_alive(child))


def test_quick_node_is_stopped_quickly(tmp_path: Path) -> None:
    with Runner(tmp_path, nodes=[dummy("patient")]) as runner:
        wait_for(runner.log_file("patient").read_text)
        started = time.monotonic()
    assert time.monotonic() - started < 4.0  # a deaf one is killed after 5 s


def test_nodes_die_with_a_runner_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom grasp_pose_net import bringup, system\n"
        "here = Path(sys.argv[1])\nsystem.config_file = lambda name: here / name\n"
        "with bringup.Runner(here, nodes=[system.NodeSpec('patient', package='dummies')]) as runner:\n"
        "    print(runner.pids['patient'], flush=True)\n    time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        pid = int(output.readline())
    wait_for((tmp_path / "patient.log").read_text)
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    wait_for(lambda: not is_alive(pid))


def test_failed_start_stops_the_nodes_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = Runner._start

    def fail_second(self: Runner, node: NodeSpec) -> subprocess.Popen[bytes]:
        if started:
            raise OSError("no more processes")
        process = start(self, node)
        started.append(process.pid)
        return process

    monkeypatch.setattr(Runner, "_start", fail_second)
    with (
        pytest.raises(OSError, match="no more processes"),
        Runner(tmp_path, nodes=[dummy("patient"), dummy("deaf")]),
    ):
        pass
    assert not is_alive(started[0])


def test_parameters_for_an_unknown_node_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="unknown nodes cook; there are patient"):
        Runner(tmp_path, {"cook": {}}, [dummy("patient")])


def test_status_in_words() -> None:
    assert describe_status(-15) == "was ended by SIGTERM"
    assert describe_status(2) == "ended with status 2"


def test_domain_in_use_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bringup.random, "sample", lambda *_: [90, 91])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 7400 + 250 * 90 + 10))
        assert free_domain() == 91
    assert free_domain() == 90


def test_environment_is_filled_but_the_users_choice_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    prepare_environment()
    assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"
    assert os.environ["MUJOCO_GL"] == "egl"
    assert 1 <= int(os.environ["ROS_DOMAIN_ID"]) <= 101


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
@pytest.mark.parametrize("sim", [True, False])
def test_every_node_has_a_module_and_parameter_files_of_its_name(node: NodeSpec, sim: bool) -> None:
    assert importlib.util.find_spec(node.module) is not None
    for file in node.parameter_files(Start(sim=sim)):
        text = (ROOT / "config" / file.name).read_text()
        assert f"/{node.name}:" in text and "ros__parameters:" in text


def test_all_nodes_get_the_same_world_frame_and_the_simulation_has_only_its_own() -> None:
    start = Start(sim=False, world_frame="cell")
    assert {node.overrides(start)["world_frame"] for node in NODES if node.starts(start)} == {"cell"}
    with pytest.raises(
        ConfigError, match=r"'cell' was asked for, and the simulation's .* 'world'.*sim:=false"
    ):
        Start(sim=True, world_frame="cell")


def test_a_real_cell_starts_slowly_and_with_the_drivers_names() -> None:
    executor = next(node for node in NODES if node.name == "executor")
    (file,) = executor.parameter_files(Start(sim=False))
    values = yaml.safe_load((ROOT / "config" / file.name).read_text())["/executor"]["ros__parameters"]
    assert values["motion"] == {"velocity_scale": 0.1, "acceleration_scale": 0.1}
    assert values["controllers"]["arm"] == "scaled_joint_trajectory_controller/follow_joint_trajectory"
    assert values["planner"] == "ompl"


class NotThere(Exception):
    """In place of ament's error for a package that is not installed."""


@pytest.fixture
def installed() -> set[str]:
    """ROS packages that the launch file finds; a test adds to it."""
    return set()


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch, installed: set[str]) -> dict[str, Any]:
    """Names defined by the launch file; its imports of ROS are replaced by recorders of their arguments."""

    def recorder(*args: Any, **kwargs: Any) -> SimpleNamespace:
        return SimpleNamespace(args=args, name=args[0] if args else None, **{"kwargs": kwargs})

    class Configuration(SimpleNamespace):
        def __init__(self, name: str) -> None:
            super().__init__(name=name)

        def perform(self, context: dict[str, str]) -> str:
            return context[self.name]

    def share_directory(name: str) -> str:
        if name not in installed:
            raise NotThere(name)
        return f"/share/{name}"

    actions = ("DeclareLaunchArgument", "LogInfo", "OpaqueFunction", "Shutdown")
    modules = {
        "launch": {"LaunchContext": dict, "LaunchDescription": recorder},
        "launch.actions": dict.fromkeys(actions, recorder),
        "launch.substitutions": {"LaunchConfiguration": Configuration},
        "launch_ros": {},
        "launch_ros.actions": {"Node": recorder},
        "ament_index_python": {},
        "ament_index_python.packages": {
            "PackageNotFoundError": NotThere,
            "get_package_share_directory": share_directory,
        },
    }
    for name, content in modules.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return runpy.run_path(str(ROOT / "launch" / "grasp_demo.launch.py"))


def started(launch_file: dict[str, Any], **given: str) -> dict[str, dict[str, Any]]:
    """What the launch file starts: arguments of each node, by executable."""
    values = {
        argument.name: value.perform({"sim": "true", **given})
        if hasattr(value := argument.kwargs["default_value"], "perform")
        else value
        for argument in launch_file["ARGUMENTS"]
        if argument.name not in given
    }
    actions = launch_file["start_nodes"]({**values, **given})
    return {action.kwargs.get("executable", action.kwargs.get("msg")): action.kwargs for action in actions}


def test_launch_file_starts_the_list(launch_file: dict[str, Any], tmp_path: Path) -> None:
    nodes = started(launch_file, sim="true", planner="moveit")
    assert list(nodes) == [*(node.name for node in NODES), "rviz2 is not installed: nothing is shown"]
    files, overrides = nodes["executor"]["parameters"]
    assert files == str(tmp_path / "executor_simulation.yaml")
    assert (overrides["use_sim_time"], overrides["planner"], overrides["dry_run"]) == (True, "moveit", False)
    assert nodes["simulation"]["parameters"][1] == {"objects": "", "recordings": ""}


def test_launch_file_without_simulation(launch_file: dict[str, Any], tmp_path: Path) -> None:
    nodes = started(launch_file, sim="false", rviz="false", dry_run="true")
    assert list(nodes) == ["perception", "refinement", "inference", "executor"]
    # a cell's own file may say that no robot is in view
    assert nodes["perception"]["parameters"] == [str(tmp_path / "perception.yaml"), {"use_sim_time": False}]
    assert nodes["executor"]["parameters"][0] == str(tmp_path / "executor.yaml")
    assert nodes["executor"]["parameters"][1]["dry_run"] is True


def test_launch_file_keeps_discovery_on_the_machine_unless_told_otherwise(
    launch_file: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROS_AUTOMATIC_DISCOVERY_RANGE", raising=False)
    nodes = started(launch_file, rviz="false")
    assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "--enclave" not in nodes["executor"]["ros_arguments"]
    nodes = started(launch_file, rviz="false", discovery="subnet", enclaves="true")
    assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"
    assert nodes["executor"]["ros_arguments"][-2:] == ["--enclave", "/grasp_pose_net/executor"]
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")  # so that it is put back


def test_a_cells_own_files_come_after_the_packages(launch_file: dict[str, Any], tmp_path: Path) -> None:
    cameras, cell = tmp_path / "cameras.yaml", tmp_path / "cell.yaml"
    given = {"cameras": str(cameras), "parameters": str(cell), "robot_description": "/c.urdf"}
    with pytest.raises(ConfigError, match=r"cameras: there is no file .*cameras.yaml; give the path"):
        started(launch_file, sim="false", **given)
    cameras.touch()
    cell.touch()
    nodes = started(launch_file, sim="false", **given)
    assert nodes["perception"]["parameters"][:3] == [
        str(tmp_path / "perception.yaml"),
        str(cameras),
        str(cell),
    ]
    assert nodes["executor"]["parameters"][1] == str(cell)
    for node in ("executor", "perception"):
        assert nodes[node]["parameters"][-1]["robot_description"] == "/c.urdf"


def test_what_ros_has_is_started_too(launch_file: dict[str, Any], installed: set[str]) -> None:
    installed |= {"robot_state_publisher", "rviz2"}
    nodes = started(launch_file)
    assert list(nodes)[-2:] == ["robot_state_publisher", "rviz2"]
    assert "<robot name=" in nodes["robot_state_publisher"]["parameters"][0]["robot_description"]
    assert nodes["simulation"]["parameters"][1]["publish_robot_tf"] is False
    assert Path(nodes["rviz2"]["arguments"][1]).is_file()
    # a real robot's driver has its own
    assert "robot_state_publisher" not in started(launch_file, sim="false")


def test_a_hand_that_no_robot_carries_is_planned_for_only(launch_file: dict[str, Any]) -> None:
    nodes = started(launch_file, hand="barrett", rviz="false")
    assert list(nodes) == ["simulation", "perception", "refinement", "inference"]
    assert nodes["refinement"]["parameters"][1]["hand"] == "barrett"
    assert nodes["inference"]["parameters"][1]["robot"] == ""
    assert nodes["perception"]["parameters"][1]["robot"] == ""


def test_every_launch_argument_is_described(launch_file: dict[str, Any]) -> None:
    arguments = {argument.name: argument.kwargs for argument in launch_file["ARGUMENTS"]}
    for name, argument in arguments.items():
        assert argument["description"].endswith("."), name
        default, choices = argument["default_value"], argument.get("choices")
        assert choices is None or default in choices or default.name == "sim"
    given = {field.name for field in dataclasses.fields(Start)}
    assert given | {"rviz", "log_level"} == set(arguments)
    assert set(arguments["hand"]["choices"]) == {path.name for path in (ROOT / "models/hands").iterdir()}


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_nodes_have_the_parameters_that_the_start_sets(node: NodeSpec) -> None:
    pytest.importorskip("rclpy", reason="needs rclpy")
    page = runpy.run_path(str(ROOT / "tools" / "make_parameter_page.py"))
    known = {spec.name for spec in page["specs"](page["parameters_class"](node.name))} | {"use_sim_time"}
    assert set(node.overrides(Start())) <= known
