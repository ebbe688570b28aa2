"""What may import what: the order of the subpackages in pyproject.toml, no circles, where ROS may be imported, whose names."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path.parent for path in (ROOT / "grasp_pose_net").rglob("__init__.py"))[1:]


@pytest.mark.skipif(sys.version_info < (3, 11), reason="import-linter needs Python 3.11")
def test_imports_go_down_the_order_and_never_round() -> None:
    lint = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    found = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_a_package_gives_its_own_names_and_all_of_them_are_there(folder: Path) -> None:
    package = ".".join(folder.relative_to(ROOT).parts)
    for node in ast.walk(ast.parse((folder / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("grasp_pose_net"):
            assert (node.module or "").startswith(f"{package}."), f"{package} gives on names of {node.module}"
    module = importlib.import_module(package)
    assert [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)] == []
