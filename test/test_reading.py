"""Files that come in: bounded, ordinary, and refused in one line by what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from grasp_pose_net.exceptions import LONGEST_TEXT, ConfigError, ExecutionError, GraspPoseNetError
from grasp_pose_net.reading import parse_xml, read_arrays, read_bytes, read_json, read_text, read_yaml

READERS: list[Callable[[Path], object]] = [read_bytes, read_text, read_yaml, read_json, read_arrays]


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_ordinary_file_is_refused_at_once(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")  # whoever opened it would wait for ever
    (tmp_path / "folder").mkdir()
    for name, why in {
        "pipe": "it is no ordinary file",
        "folder": "it is a folder",
        "none": "no such file",
    }.items():
        with pytest.raises(GraspPoseNetError, match=f"cannot read {tmp_path / name}: {why}"):
            read(tmp_path / name)


def test_a_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as stream:
        stream.truncate(1 << 40)  # a hole of a terabyte
    with pytest.raises(ConfigError, match=r"large\.yaml: it has 1048576 MiB, expected at most 1"):
        read_yaml(tmp_path / "large.yaml")


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
BOMB += "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "more than 100000 entries, with aliases written out"),
        ("name: &a [*a]", "more than 100000 entries, with aliases written out"),
        ("<<: &a\n  <<: *a\n", "more than 100000 entries"),
        ("a: 1\nb: 2\na: 3\n", "key 'a' is there twice"),
        ("a: " + "[" * 20000, "nested too deeply"),
        ("a: 1" + "0" * 5000, "Exceeds the limit"),
        ("a: !!timestamp soon", "is not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("- 1", "expected a mapping at the top level, found list"),
        ("", "expected a mapping at the top level, found NoneType"),
        ("a\0b: 1", "special characters are not allowed"),
    ],
)
def test_yaml_that_is_none_or_too_much_is_one_line(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=why) as refused:
        read_yaml(file)
    assert str(file) in str(refused.value) and "\n" not in str(refused.value)


def test_anchors_and_merges_within_reason_are_yaml(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("usual: &usual {a: 1, b: 2}\nmine: {<<: *usual, b: 3}\n")
    assert read_yaml(tmp_path / "a.yaml")["mine"] == {"a": 1, "b": 3}


def test_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("größe: 1".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"a\.yaml: byte 2 is no UTF-8; save the file in that encoding"):
        read_yaml(tmp_path / "a.yaml")


def test_json_that_is_none_is_one_line(tmp_path: Path) -> None:
    for text, why in (
        ("[1]", "expected a JSON object, found list"),
        ("[" * 100000, "nested"),
        ("{,}", "not valid JSON"),
    ):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(ConfigError, match=why):
            read_json(tmp_path / "a.json")


def test_xml_has_no_entities_of_its_own() -> None:
    laughs = '<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><r>&b;</r>'
    with pytest.raises(ConfigError, match=r"the URDF: a document type \(<!DOCTYPE …>\) is not taken"):
        parse_xml(laughs, "the URDF")


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "numbers": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "none": np.empty((0, 4), np.int16),
        "text": np.array("x"),
        "names": np.array(["a", "bcd"]),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    for name, array in read_arrays(tmp_path / "a.npz").items():
        np.testing.assert_array_equal(array, arrays[name])
        assert array.dtype == arrays[name].dtype and array.flags.writeable
    assert list(read_arrays(tmp_path / "a.npz", ["text"])) == ["text"]


def test_arrays_that_claim_more_than_there_is_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((10, 3)))
    data = (tmp_path / "a.npz").read_bytes()
    np.savez_compressed(tmp_path / "zeros.npz", x=np.zeros(2 << 20, np.uint8))
    with pytest.raises(GraspPoseNetError, match=r"zeros\.npz: its arrays claim more than 1 MiB"):
        read_arrays(tmp_path / "zeros.npz", most_mb=1)
    (tmp_path / "b.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(
        GraspPoseNetError, match=r"b\.npz: cannot be read as arrays \(File is not a zip file\)"
    ):
        read_arrays(tmp_path / "b.npz")
    with pytest.raises(GraspPoseNetError, match=r"a\.npz: no array 'y' in it; it has \['x'\]"):
        read_arrays(tmp_path / "a.npz", ["y"])
    np.savez(tmp_path / "c.npz", x=np.array([{"a": 1}], object))
    with pytest.raises(GraspPoseNetError, match="holds Python objects"):
        read_arrays(tmp_path / "c.npz")


def test_an_error_is_one_line_whatever_the_names_in_it_are() -> None:
    assert str(ConfigError("no link 'a\nb'\n")) == "no link 'a b'"
    assert len(str(ConfigError("many words " * 10**5))) == LONGEST_TEXT
    assert str(ConfigError(f"{'x' * 10**6} is no name")).endswith("x… is no name")
    assert str(ExecutionError("node died:\n  its log")) == "node died:\n  its log"
