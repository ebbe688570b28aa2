"""The package as a whole: its manifest, what gets installed, and that the library stays free of ROS."""

from __future__ import annotations

import ast
import importlib.util
import re
import runpy
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import setuptools

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "grasp_pose_net"
MANIFEST = ElementTree.parse(ROOT / "package.xml").getroot()
LIBRARY = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if "nodes" not in path.parts
)


@pytest.fixture
def setup_arguments(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What setup.py hands to setuptools."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(setuptools, "setup", given.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    return given


def test_manifest_has_what_ros_tools_ask_for() -> None:
    assert MANIFEST.findtext("name") == "grasp_pose_net"
    assert re.fullmatch(r"\d+\.\d+\.\d+", MANIFEST.findtext("version") or "")
    assert MANIFEST.findtext("license") == "Apache-2.0"
    assert MANIFEST.findtext("export/build_type") == "ament_python"
    maintainer = MANIFEST.find("maintainer")
    assert maintainer is not None
    assert re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", maintainer.get("email", ""))


def test_manifest_names_every_ros_package_that_is_imported() -> None:
    imported = set()
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "launch").glob("*.py")]
    for node in (node for path in files for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    ros = {
        name
        for name in imported
        if re.search(r"_msgs$|_interfaces$|_srvs$|^rclpy$|^launch|^ament_|^xacro$", name)
    }
    assert "moveit_msgs" in ros
    assert ros - {element.text for element in MANIFEST.iter("exec_depend")} == set()


def test_setup_takes_name_and_version_from_the_manifest(setup_arguments: dict[str, Any]) -> None:
    assert setup_arguments["name"] == MANIFEST.findtext("name")
    assert setup_arguments["version"] == MANIFEST.findtext("version")


def test_every_sub_package_is_installed_and_no_test(setup_arguments: dict[str, Any]) -> None:
    folders = {
        "grasp_pose_net",
        *(".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.glob("*/**/__init__.py")),
    }
    assert set(setup_arguments["packages"]) == folders


def test_every_data_file_is_installed_in_its_folder(setup_arguments: dict[str, Any]) -> None:
    installed = {
        f"{target}/{Path(file).name}": file
        for target, files in setup_arguments["data_files"]
        for file in files
    }
    assert installed["share/ament_index/resource_index/packages/grasp_pose_net"] == "resource/grasp_pose_net"
    assert installed["share/grasp_pose_net/package.xml"] == "package.xml"
    assert "share/grasp_pose_net/launch/grasp_demo.launch.py" in installed
    for top in ("config", "models"):
        for path in (ROOT / top).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"share/grasp_pose_net/{path.relative_to(ROOT)}" in installed
    assert not [name for name in installed if "__pycache__" in name]


def test_colcon_runs_the_tests_with_pytest(setup_arguments: dict[str, Any]) -> None:
    assert "pytest" in setup_arguments["extras_require"]["test"]


def test_every_console_script_leads_to_a_function(setup_arguments: dict[str, Any]) -> None:
    scripts = setup_arguments["entry_points"]["console_scripts"]
    assert len(scripts) == 6
    for script in scripts:
        module, _, function = script.partition(" = ")[2].partition(":")
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None, module
        defined = ast.parse(Path(spec.origin).read_text()).body
        assert function in [node.name for node in defined if isinstance(node, ast.FunctionDef)], script


@pytest.mark.slow
def test_library_needs_no_ros_and_names_in_all_exist() -> None:
    """Each module outside nodes/ is imported in a process that has no rclpy and no messages."""
    script = (
        "import importlib, sys\n"
        "class NoRos:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('rclpy', 'launch', 'std_msgs', 'moveit_msgs', 'tf2_msgs'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, NoRos())\n"
        "for name in sys.argv[1:]:\n"
        "    module = importlib.import_module(name)\n"
        "    for public in getattr(module, '__all__', ()):\n"
        "        getattr(module, public)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *LIBRARY], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_sub_packages_name_their_public_things() -> None:
    for path in PACKAGE.glob("*/__init__.py"):
        names = [
            getattr(node.targets[0], "id", "")
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.Assign)
        ]
        assert path.parent.name == "nodes" or "__all__" in names, f"{path} has no __all__"
