"""Files are whole or not there, and nothing else is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from grasp_pose_net.storage import whole, write_whole


def test_a_file_is_replaced_when_all_is_written(tmp_path: Path) -> None:
    file = tmp_path / "new" / "report.json"
    write_whole(file, "one")
    with whole(file) as unfinished:
        unfinished.write_text("half")
        assert file.read_text() == "one"
        assert unfinished.suffix == ".json"  # libraries that choose a format by it, or add it
    assert file.read_text() == "half"
    assert list(file.parent.iterdir()) == [file]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    write_whole(file, "one")
    with pytest.raises(RuntimeError, match="full disk"), whole(file) as unfinished:
        unfinished.write_text("half")
        raise RuntimeError("full disk")
    assert file.read_text() == "one"
    assert list(tmp_path.iterdir()) == [file]
