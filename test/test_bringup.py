"""The list of nodes, the plain runner with small stand-in nodes, the launch file with stand-ins for ROS."""

from __future__ import annotations

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

from grasp_pose_net import bringup
from grasp_pose_net.bringup import NODES, NodeSpec, Runner, describe_status, free_domain, prepare_environment
from grasp_pose_net.exceptions import ExecutionError

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
    monkeypatch.setattr(bringup, "config_file", lambda name: tmp_path / name)
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
        "import sys, time\nfrom pathlib import Path\nfrom grasp_pose_net import bringup\n"
        "here = Path(sys.argv[1])\nbringup.config_file = lambda name: here / name\n"
        "with bringup.Runner(here, nodes=[bringup.NodeSpec('patient', package='dummies')]) as runner:\n"
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
def test_every_node_has_a_module_and_a_parameter_file_of_its_name(node: NodeSpec) -> None:
    assert importlib.util.find_spec(node.module) is not None
    text = (ROOT / "config" / f"{node.name}.yaml").read_text()
    assert f"/{node.name}:" in text and "ros__parameters:" in text


@pytest.fixture
def launch_file(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Names defined by the launch file; its imports of ROS are replaced by recorders of their arguments."""

    def recorder(*args: Any, **kwargs: Any) -> SimpleNamespace:
        return SimpleNamespace(args=args, name=args[0] if args else None, **{"kwargs": kwargs})

    class Configuration(SimpleNamespace):
        def __init__(self, name: str) -> None:
            super().__init__(name=name)

        def perform(self, context: dict[str, str]) -> str:
            return context[self.name]

    modules = {
        "launch": {"LaunchContext": dict, "LaunchDescription": recorder},
        "launch.actions": dict.fromkeys(("DeclareLaunchArgument", "OpaqueFunction", "Shutdown"), recorder),
        "launch.substitutions": {"LaunchConfiguration": Configuration},
        "launch_ros": {},
        "launch_ros.actions": {"Node": recorder},
        "ament_index_python": {},
        "ament_index_python.packages": {"get_package_share_directory": lambda name: f"/share/{name}"},
    }
    for name, content in modules.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return runpy.run_path(str(ROOT / "launch" / "grasp_demo.launch.py"))


def started(launch_file: dict[str, Any], **given: str) -> dict[str, SimpleNamespace]:
    """Nodes that the launch file starts, by executable."""
    values = {
        argument.name: value.perform(given)
        if hasattr(value := argument.kwargs["default_value"], "perform")
        else value
        for argument in launch_file["ARGUMENTS"]
    }
    return {node.kwargs["executable"]: node for node in launch_file["start_nodes"]({**values, **given})}


def test_launch_file_starts_the_list(launch_file: dict[str, Any], tmp_path: Path) -> None:
    nodes = started(launch_file, sim="true", planner="ompl")
    assert list(nodes) == [node.name for node in NODES]
    assert nodes["executor"].kwargs["parameters"] == [
        str(tmp_path / "executor.yaml"),
        {"use_sim_time": True, "planner": "ompl"},
    ]
    assert nodes["simulation"].kwargs["parameters"][1] == {"objects": ""}


def test_launch_file_without_simulation(launch_file: dict[str, Any]) -> None:
    nodes = started(launch_file, sim="false")
    assert list(nodes) == ["perception", "refinement", "inference", "executor"]
    assert nodes["perception"].kwargs["parameters"][1] == {"use_sim_time": False}


def test_every_launch_argument_is_described(launch_file: dict[str, Any]) -> None:
    for argument in launch_file["ARGUMENTS"]:
        assert argument.kwargs["description"].endswith(".")
        default, choices = argument.kwargs["default_value"], argument.kwargs.get("choices")
        assert choices is None or default in choices or default.name == "sim"
