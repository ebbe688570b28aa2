"""Point clouds from files: what Open3D writes is read, and what does not fit is refused by what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import open3d as o3d
import pytest

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.perception.cloud_files import parse_pcd, read_cloud

POINTS = np.random.default_rng(0).normal(0.0, 0.1, (500, 3)).round(3)
PCD = """# .PCD v0.7
VERSION 0.7
FIELDS x y z rgb
SIZE 4 4 4 4
TYPE F F F U
COUNT 1 1 1 1
WIDTH 2
HEIGHT 1
VIEWPOINT 0 0 0 1 0 0 0
POINTS 2
DATA ascii
1.0 2.0 3.0 7
nan 2.5 3.5 7
"""


def written(path: Path, points: np.ndarray, **how: bool) -> Path:
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    cloud.normals = o3d.utility.Vector3dVector(points)
    cloud.colors = o3d.utility.Vector3dVector(np.clip(points, 0.0, 1.0))
    o3d.io.write_point_cloud(str(path), cloud, **how)
    return path


@pytest.mark.parametrize("how", [{"write_ascii": True}, {}, {"compressed": True}])
@pytest.mark.parametrize("ending", ["pcd", "ply"])
def test_what_open3d_writes_is_read(tmp_path: Path, ending: str, how: dict[str, bool]) -> None:
    np.testing.assert_allclose(
        read_cloud(written(tmp_path / f"a.{ending}", POINTS, **how)), POINTS, atol=1e-6
    )


def test_long_repeats_are_unpacked(tmp_path: Path) -> None:
    level = np.column_stack([np.repeat([0.5, 0.25], 3000), np.zeros(6000), np.tile([0.1, 0.2], 3000)])
    read = read_cloud(written(tmp_path / "a.pcd", level, compressed=True))
    np.testing.assert_allclose(read, level, atol=1e-6)


def test_missing_measurements_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.pcd").write_text(PCD)
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.pcd"), [[1.0, 2.0, 3.0]])
    (tmp_path / "a.pcd").write_text(PCD.replace("1.0", "1e30"))
    with pytest.raises(
        PerceptionError, match=r"a\.pcd: none of its 2 points is within 1000 m; expected x, y, z"
    ):
        read_cloud(tmp_path / "a.pcd")


def test_fields_may_be_doubles_whole_numbers_and_many(tmp_path: Path) -> None:
    kind = np.dtype([("normal", "<f4", 3), ("y", "<f8"), ("x", "<i2"), ("_", "u1", 5), ("z", "<f4")])
    points = np.zeros(2, kind)
    points["x"], points["y"], points["z"] = [1, 2], [0.1, 0.2], [5.0, 6.0]
    head = PCD.replace("x y z rgb", "normal y x _ z").replace("4 4 4 4", "4 8 2 1 4")
    head = head.replace("F F F U", "F F I U F").replace("1 1 1 1", "3 1 1 5 1").partition("DATA")[0]
    read = parse_pcd((head + "DATA binary\n").encode() + points.tobytes())
    np.testing.assert_array_equal(read, [[1.0, 0.1, 5.0], [2.0, 0.2, 6.0]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("COUNT 1 1 1 1", "COUNT 1 1 1 40000", r"COUNT is \(1, 1, 1, 40000\), expected 1 to 4096 values"),
        ("COUNT 1 1 1 1", "COUNT 1 2 1 1", "expected one field 'y' of one value, FIELDS are x y z rgb"),
        ("COUNT 1 1 1 1", "COUNT 1 1 1", "FIELDS, SIZE, TYPE and COUNT are not of one length"),
        ("SIZE 4 4 4 4", "SIZE 4 3 4 4", "there is no TYPE F of SIZE 3"),
        ("SIZE 4 4 4 4", "SIZE 4 4 -4 4", "SIZE is '4 4 -4 4', expected whole numbers"),
        ("x y z rgb", "x y y rgb", "expected one field 'y' of one value, FIELDS are x y y rgb"),
        ("WIDTH 2", "WIDTH 3", "WIDTH x HEIGHT is 3, POINTS is 2"),
        ("WIDTH 2\n", "", "its header has no WIDTH"),
        ("WIDTH 2\nHEIGHT 1\n", "WIDTH 2000000\nHEIGHT 2000000\n", r"HEIGHT is 4000000000000, POINTS is 2"),
        ("POINTS 2\n", "", "cannot be read as PCD"),
        ("DATA ascii", "DATA binary", "it claims 32 bytes of points and has 28"),
        ("DATA ascii", "DATA binary_compressed", "it claims 540028465 bytes, unpacked 540028466, and has 20"),
        ("DATA ascii", "DATA text", "DATA is 'text', expected ascii, binary, binary_compressed"),
        ("DATA ascii", "DAT ascii", "its header has no DATA"),
        ("2.0 3.0 7\n", "two 3.0 7\n", "could not convert string 'two' to float64"),
        ("nan 2.5 3.5 7\n", "", "it claims 2 points in 14 bytes"),
        ("nan 2.5 3.5 7\n", "nan 2.5\n", "invalid column index 2 at row 2 with 2 columns"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = PCD.replace(old, new)
    if old == "POINTS 2\n":  # may be missing, but not the points
        text = text.replace("WIDTH 2", "WIDTH 2000")
    (tmp_path / "a.pcd").write_text(text)
    with pytest.raises(PerceptionError, match=message) as refused:
        read_cloud(tmp_path / "a.pcd")
    assert str(refused.value).startswith(f"{tmp_path / 'a.pcd'}: ") and "\n" not in str(refused.value)


def test_broken_compression_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "a.pcd", POINTS, compressed=True)
    data = bytearray(file.read_bytes())
    data[-200:-100] = b"\xff" * 100
    file.write_bytes(bytes(data))
    with pytest.raises(PerceptionError, match="its compressed points are broken"):
        read_cloud(file)
