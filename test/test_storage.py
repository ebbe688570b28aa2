"""Files are whole or not there, and nothing else is left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grasp_pose_net import storage
from grasp_pose_net.exceptions import StorageError
from grasp_pose_net.storage import cache_dir, prepare, prepare_folder, save_json, whole, write_whole


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


def test_a_disk_that_is_full_leaves_the_old_file_and_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.json"
    save_json(file, {"yesterday": 1})

    def full(path: Path, text: str) -> None:
        path.touch()
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(StorageError) as refused:
        save_json(file, {"today": 2})
    assert str(refused.value) == f"cannot write {file}: No space left on device"
    assert file.read_text() == '{\n "yesterday": 1\n}\n' and list(tmp_path.iterdir()) == [file]


def test_places_are_made_or_refused_before_anything_is_computed(tmp_path: Path) -> None:
    prepare(tmp_path / "new" / "folder" / "x.png", (".png",))
    assert list((tmp_path / "new" / "folder").iterdir()) == []  # made, and nothing left in it
    (tmp_path / "file").touch()
    for place, endings, why in (
        (tmp_path / "x.foo", (".png",), "its name must end in .png"),
        (tmp_path / "new", (), "it is a folder; name a file in it"),
        (tmp_path / "file" / "x.png", (), "File exists"),
    ):
        with pytest.raises(StorageError, match=why):
            prepare(place, endings)
    with pytest.raises(StorageError, match=f"cannot write {tmp_path / 'file'}: File exists"):
        prepare_folder(tmp_path / "file")


def test_the_cache_needs_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert cache_dir() == tmp_path / "mine" / "grasp_pose_net"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/proc/nonexistent")
    monkeypatch.setattr(storage.tempfile, "tempdir", str(tmp_path))
    storage._temporary.cache_clear()
    folder = cache_dir()
    assert folder == tmp_path / f"grasp_pose_net-{os.getuid()}" and folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)  # anybody could put code into it
    storage._temporary.cache_clear()
    assert cache_dir() != folder
    storage._temporary.cache_clear()
