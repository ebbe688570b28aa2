from __future__ import annotations

from pathlib import Path

import pytest
import trimesh


@pytest.fixture
def meshes(tmp_path: Path) -> Path:
    """A folder of three boxes of one source."""
    folder = tmp_path / "objects" / "made"
    folder.mkdir(parents=True)
    for name, height in (("a", 0.10), ("b", 0.12), ("c", 0.14)):
        trimesh.creation.box((0.05, 0.06, height)).export(folder / f"{name}.ply")
    return folder.parent
