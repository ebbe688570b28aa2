"""Compiled code is kept where it can be, made again where what was kept is broken, and never stops a process."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from grasp_pose_net import compiled as compiled_module

SOURCE = """
from grasp_pose_net.compiled import compiled

@compiled()
def twice(x):
    return 2 * x
"""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with a compiled function, in a folder of its own."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "module" / "kept_function.py"
    file.parent.mkdir()
    file.write_text(SOURCE)
    return file


def fresh(file: Path) -> ModuleType:
    """The module as a new process has it."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def hits(module: ModuleType) -> int:
    """How often a call found its code on disk."""
    assert module.twice(21) == 42
    return sum(module.twice.stats.cache_hits.values())


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in (".nbi", ".nbc"))


def test_code_is_kept_and_found_again(kept: Path) -> None:
    assert [hits(fresh(kept)), hits(fresh(kept))] == [0, 1]


@pytest.mark.parametrize("broken", [b"", b"garbage", None], ids=["empty", "garbage", "a bit"])
@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
def test_a_broken_file_is_made_again(kept: Path, broken: bytes | None, ending: str) -> None:
    hits(fresh(kept))
    (file,) = (path for path in files(kept.parent) if path.suffix == ending)
    if broken is None:  # in the machine code, where unpickling does not see it
        content = bytearray(file.read_bytes())
        content[-100] ^= 1
        broken = bytes(content)
    file.write_bytes(broken)
    assert [hits(fresh(kept)), hits(fresh(kept))] == [0, 1]


def test_without_a_folder_of_its_own_the_temporary_one_is_taken(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept.parent / "__pycache__").write_text("no folder")  # as good as one that cannot be written
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(kept))  # a file: nothing can be made in it
    monkeypatch.setattr(compiled_module, "cache_dir", lambda: tmp_path / "temporary")
    assert [hits(fresh(kept)), hits(fresh(kept))] == [0, 1]
    assert len(files(tmp_path / "temporary")) == 2


def test_a_full_disk_only_costs_the_next_process_its_time(
    kept: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(compiled_module._Files, "_save_data", full)
    assert hits(fresh(kept)) == 0
    assert "compiled code is not kept: [Errno 28] No space left on device" in caplog.text
