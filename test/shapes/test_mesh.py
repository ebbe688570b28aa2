"""Loading meshes, and every way in which a mesh is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.shapes import centred, load_mesh


def saved(mesh: trimesh.Trimesh, folder: Path, name: str = "thing.obj") -> Path:
    mesh.export(folder / name)
    return folder / name


@pytest.mark.parametrize("name", ["thing.obj", "thing.ply", "thing.stl"])
def test_load_centres_on_the_centre_of_mass(tmp_path: Path, name: str) -> None:
    cone = trimesh.creation.cone(radius=0.05, height=0.1)
    cone.apply_translation([1.0, 2.0, 3.0])
    mesh = load_mesh(saved(cone, tmp_path, name))
    np.testing.assert_allclose(mesh.center_mass, 0.0, atol=1e-6)
    assert mesh.volume == pytest.approx(cone.volume, rel=1e-4)


def test_centred_says_where_the_centre_was() -> None:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    box.apply_translation([0.3, 0.0, -0.2])
    mesh, centre = centred(box)
    np.testing.assert_allclose(centre, [0.3, 0.0, -0.2], atol=1e-9)
    np.testing.assert_allclose(box.center_mass, [0.3, 0.0, -0.2], atol=1e-9)  # the argument is as it was
    np.testing.assert_allclose(mesh.vertices + centre, box.vertices)


def holed() -> trimesh.Trimesh:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    return trimesh.Trimesh(box.vertices, box.faces[1:])


def inside_out() -> trimesh.Trimesh:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    return trimesh.Trimesh(box.vertices, box.faces[:, ::-1], process=False)


def partly_inside_out() -> trimesh.Trimesh:
    box = trimesh.creation.box((0.1, 0.1, 0.1))
    return trimesh.Trimesh(box.vertices, np.vstack([box.faces[:1, ::-1], box.faces[1:]]), process=False)


@pytest.mark.parametrize(
    ("mesh", "text"),
    [
        (holed(), "not watertight"),
        (inside_out(), "inside out"),
        (partly_inside_out(), "do not agree"),
        (trimesh.creation.box((100.0, 80.0, 50.0)), "millimetres"),
        (trimesh.creation.box((2.0, 0.1, 0.1)), "no hand holds"),
        (trimesh.creation.box((0.005, 0.005, 0.005)), "scaled twice"),
    ],
)
def test_bad_mesh_is_named(tmp_path: Path, mesh: trimesh.Trimesh, text: str) -> None:
    path = saved(mesh, tmp_path)
    with pytest.raises(MeshError, match=text) as caught:
        load_mesh(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match="no such file"):
        load_mesh(tmp_path / "nothing.obj")


def test_cloud_is_no_mesh(tmp_path: Path) -> None:
    trimesh.PointCloud(np.random.default_rng(0).random((10, 3))).export(tmp_path / "cloud.ply")
    with pytest.raises(MeshError, match="point cloud"):
        load_mesh(tmp_path / "cloud.ply")


def test_text_is_no_mesh(tmp_path: Path) -> None:
    (tmp_path / "letter.stl").write_text("dear reader")
    with pytest.raises(MeshError, match=r"letter\.stl"):
        load_mesh(tmp_path / "letter.stl")
