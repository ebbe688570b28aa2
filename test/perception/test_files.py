from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
import trimesh
import yaml

from grasp_pose_net.exceptions import PerceptionError
from grasp_pose_net.perception import occupied_cells, perceive_files, report
from grasp_pose_net.world import make_transform, split_transform, transform_points

CLOUDS = Path(os.environ.get("GRASP_POSE_NET_CLOUDS", Path(__file__).parents[2].parent / "shared" / "clouds"))
needs_clouds = pytest.mark.skipif(
    not (CLOUDS / "table_mug.pcd").is_file(),
    reason=f"real clouds are not in {CLOUDS}; set GRASP_POSE_NET_CLOUDS",
)
BOX = (0.06, 0.08, 0.1)


def write_cloud(path, points):
    o3d.io.write_point_cloud(str(path), o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points)))
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory, scan, put):
    """Two views as PCD and PLY, and their poses as a 4 x 4 matrix and as position with quaternion."""
    folder = tmp_path_factory.mktemp("views")
    views = scan([put(trimesh.creation.box(BOX))], cameras=2, noise=0.001, width=320, height=240)
    clouds, poses = [], {}
    for view, ending in zip(views, (".pcd", ".ply"), strict=True):
        points = view.points_camera[np.isfinite(view.points_camera).all(1)]
        clouds.append(write_cloud(folder / (view.name + ending), points))
    position, quat_wxyz = split_transform(views[0].T_world_camera)
    poses["camera_1.pcd"] = [*position.tolist(), *quat_wxyz.tolist()]
    poses["camera_2"] = views[1].T_world_camera.tolist()
    return clouds, poses


@pytest.mark.parametrize(("name", "write"), [("poses.yaml", yaml.safe_dump), ("poses.json", json.dumps)])
def test_files_with_poses_become_meshes_and_grids(recorded, tmp_path, config, name, write):
    clouds, poses = recorded
    (tmp_path / name).write_text(write(poses))
    found = report(perceive_files(clouds, tmp_path / name, tmp_path / "out", config))
    (entry,) = found["objects"]
    np.testing.assert_allclose(entry["size_m"], BOX, atol=0.012)
    mesh = trimesh.load(tmp_path / "out" / "object_0.ply")
    assert mesh.is_watertight and len(mesh.faces) == entry["faces"]
    with np.load(tmp_path / "out" / "object_0.npz") as grid:
        assert grid["occupancy"].shape == (64, 64, 64) and grid["cell_m"] == 0.005
        assert grid["occupancy"].sum() * 0.005**3 == pytest.approx(mesh.volume, rel=0.1)
    assert json.loads(json.dumps(found)) == found


def test_one_view_without_pose_is_levelled_by_its_table(recorded, tmp_path):
    clouds, _ = recorded
    (entry,) = report(perceive_files(clouds[:1], None, tmp_path))["objects"]
    assert entry["size_m"][2] == pytest.approx(BOX[2], abs=0.006)
    assert entry["T_world_object"][2][3] == pytest.approx(BOX[2] / 2, abs=0.008)


def test_several_views_need_poses(recorded, tmp_path):
    with pytest.raises(PerceptionError, match=r"2 views but no poses; give --poses"):
        perceive_files(recorded[0], None, tmp_path)


def matrix(scale=(1, 1, 1), last=(0, 0, 0, 1), transposed=False):
    """Poses with a 4 x 4 matrix that is none."""
    T_world_camera = make_transform((0.3, 0.2, 0.5), (0.8, 0.0, 0.6, 0.0))
    T_world_camera[:3, :3] *= scale
    T_world_camera[3] = last
    return json.dumps({"camera_1": (T_world_camera.T if transposed else T_world_camera).tolist()})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "expected a mapping at the top level, found list"),
        ("a: {b", "poses.yaml is not valid YAML: while parsing a flow mapping"),
        (
            "{camera_1: [1, 2, 3]}",
            r"pose of camera_1.pcd: expected \[x, y, z, qw, qx, qy, qz\] .* got \[1, 2, 3\]",
        ),
        ("{camera_1: up}", "got 'up'"),
        ("{camera_9: [0, 0, 0, 1, 0, 0, 0]}", "no pose for camera_1.pcd; poses for: camera_9"),
        ("{camera_1: [0, 0, 0, 0, 0, 0, 0]}", r"pose of camera_1.pcd: quaternion .* has no length"),
        ("{camera_1: [.nan, 0, 0, 1, 0, 0, 0]}", "pose of camera_1.pcd: position: nan at 0 is not a finite"),
        (
            matrix(scale=(1.15, 1, 1)),
            "no rotation and translation: it scales or shears: its columns are 1.15, 1, 1 long",
        ),
        (matrix(scale=(1, 1, -1)), "no rotation and translation: it mirrors: its determinant is -1"),
        (
            matrix(last=(0.1, 0, 0, 1)),
            r"no rotation and translation: its last row is \[0.1, 0.0, 0.0, 1.0\]$",
        ),
        (matrix(transposed=True), r"its last row is \[0.3, 0.2, 0.5, 1.0\]; is it transposed\?"),
    ],
)
def test_bad_poses_are_named(recorded, tmp_path, text, message):
    poses = tmp_path / "poses.yaml"
    poses.write_text(text)
    with pytest.raises(PerceptionError, match=message):
        perceive_files(recorded[0], poses, tmp_path)


def test_bad_clouds_are_named(tmp_path):
    with pytest.raises(PerceptionError, match=r"none\.pcd: expected an existing PCD or PLY file"):
        perceive_files([tmp_path / "none.pcd"], None, tmp_path)
    (tmp_path / "empty.ply").write_text("not a cloud")
    with pytest.raises(PerceptionError, match=r"empty\.ply: cannot be read as PLY \(Not a ply file!\)"):
        perceive_files([tmp_path / "empty.ply"], None, tmp_path)
    ball = write_cloud(tmp_path / "ball.pcd", np.random.default_rng(0).normal(0, 0.05, (300, 3)))
    with pytest.raises(PerceptionError, match="no table: the view's 300 points hold no plane"):
        perceive_files([ball], None, tmp_path)


def test_occupied_cells_fill_the_mesh():
    ball = trimesh.creation.icosphere(3, 0.04)
    cells = occupied_cells(ball)
    assert len(cells) * 0.005**3 == pytest.approx(ball.volume, rel=0.05)
    assert np.linalg.norm(cells, axis=1).max() < 0.0405
    np.testing.assert_allclose(transform_points(np.eye(4), cells.mean(0)), 0, atol=1e-6)


@needs_clouds
def test_real_mug_is_one_object_of_a_mug_s_size(tmp_path):
    found = report(perceive_files([CLOUDS / "table_mug.pcd"], None, tmp_path))
    (mug,) = found["objects"]
    length, width, height = mug["size_m"]
    assert 0.07 < height < 0.13 and 0.07 < min(length, width) < 0.13
    assert max(length, width) < 0.16  # with its handle
    assert found["obstacles"] == []
    assert found["table"]["size_m"][0] * found["table"]["size_m"][1] > 0.05


@needs_clouds
def test_real_can_has_its_diameter_where_it_is_seen(tmp_path):
    (can,) = perceive_files([CLOUDS / "krylon.pcd"], None, tmp_path, segmented=True).scene.targets
    # circles fitted to slices of the cloud itself have a diameter of 54 to 55.5 mm
    np.testing.assert_allclose(can.mesh.extents[:2], 0.055, atol=0.005)
    assert can.mesh.extents[2] == pytest.approx(0.105, abs=0.005)
    assert can.mesh.is_watertight


@needs_clouds
def test_real_can_without_a_table_is_refused_with_the_reason(tmp_path):
    with pytest.raises(PerceptionError, match="no table: the view's 4467 points hold no plane"):
        perceive_files([CLOUDS / "krylon.pcd"], None, tmp_path)
