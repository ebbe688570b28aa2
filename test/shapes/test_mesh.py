"""Loading meshes, and every way in which a mesh is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals

from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.shapes import centred, check_mesh, load_mesh


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


def split(mesh: trimesh.Trimesh, decimals: int | None = None) -> trimesh.Trimesh:
    """Every face with corners of its own, as a textured scan has them along its seams."""
    corners = mesh.triangles.reshape(-1, 3)
    if decimals is not None:  # a writer of few digits rounds each corner by itself
        corners = corners + np.random.default_rng(0).uniform(-0.4, 0.4, corners.shape) * 10.0**-decimals
    return trimesh.Trimesh(corners, np.arange(len(corners)).reshape(-1, 3), process=False)


@pytest.mark.parametrize("name", ["thing.obj", "thing.ply", "thing.stl", "thing.off", "thing.glb"])
def test_vertices_that_textures_split_are_welded(tmp_path: Path, name: str) -> None:
    can = trimesh.creation.cylinder(radius=0.03, height=0.1, sections=32)
    textured = split(can)
    image = Image.new("RGB", (4, 4), "red")
    uv = np.random.default_rng(0).random((len(textured.vertices), 2))
    textured.visual = TextureVisuals(uv=uv, image=image)
    mesh = load_mesh(saved(textured, tmp_path, name))
    assert (len(mesh.vertices), mesh.metadata["notes"]) == (len(can.vertices), [])
    assert mesh.volume == pytest.approx(can.volume, rel=1e-5)


def test_nothing_that_a_mesh_names_is_opened(tmp_path: Path) -> None:
    text = trimesh.creation.box((0.05, 0.05, 0.08)).export(file_type="obj")
    os.mkfifo(tmp_path / "thing.mtl")  # whoever opens it waits for ever
    (tmp_path / "thing.obj").write_text(f"mtllib thing.mtl\nusemtl a\n{text}")
    assert load_mesh(tmp_path / "thing.obj").volume == pytest.approx(2e-4, rel=1e-4)


BOX = trimesh.creation.box((0.05, 0.05, 0.08))


def changed(faces: Any, vertices: Any = ()) -> trimesh.Trimesh:
    """The box with other faces, and further vertices."""
    return trimesh.Trimesh(np.vstack([BOX.vertices, *vertices]), faces, process=False)


def with_leak(side: float) -> trimesh.Trimesh:
    """The box with a triangle cut out of the middle of a face, of edges of about this length [m]."""
    corner, one, two = BOX.triangles[0]
    middle, towards = (corner + one + two) / 3, np.array([corner, one, two])
    hole = middle + (towards - middle) * side / np.linalg.norm(
        towards - middle, axis=1, keepdims=True
    ) / np.sqrt(3)
    a, b, c = BOX.faces[0]
    n = len(BOX.vertices)
    ring = [[a, b, n], [b, n + 1, n], [b, c, n + 1], [c, n + 2, n + 1], [c, a, n + 2], [a, n, n + 2]]
    return changed(np.vstack([BOX.faces[1:], ring]), [hole])


@pytest.mark.parametrize(
    ("mesh", "note"),
    [
        (changed(np.vstack([BOX.faces, [[0, 0, 1], [1, 2, 2]]])), "2 triangles of area 0 are left out"),
        (changed(np.vstack([BOX.faces, BOX.faces[:2]])), "2 faces that are there twice are left out"),
        (split(BOX, 5), "vertices up to 0.01 mm apart are welded"),
        (with_leak(0.006), "holes closed: 1, the largest 1"),
    ],
)
def test_what_is_a_little_broken_is_mended_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mesh: trimesh.Trimesh, note: str
) -> None:
    file = tmp_path / "thing.ply"
    mesh.export(file)
    assert not mesh.is_watertight
    found = load_mesh(file)
    assert found.is_watertight and found.is_winding_consistent
    assert found.volume == pytest.approx(2e-4, rel=1e-2)
    assert any(note in text for text in found.metadata["notes"])
    assert f"{file}: " in caplog.text and note in caplog.text


def test_a_large_leak_is_refused_with_a_place(tmp_path: Path) -> None:
    with pytest.raises(
        MeshError, match=r"not watertight: it has holes \(3 edges of one face alone, one at \["
    ):
        load_mesh(saved(with_leak(0.02), tmp_path, "thing.ply"))


def test_bodies_that_share_an_edge_are_named() -> None:
    other = BOX.copy()
    other.apply_translation([0.05, 0.05, 0.0])
    both = trimesh.util.concatenate([BOX, other])
    welded = trimesh.Trimesh(both.vertices, both.faces)
    welded.merge_vertices()
    with pytest.raises(MeshError, match="edges belong to more than two faces"):
        check_mesh(welded, "thing")


@pytest.mark.parametrize(
    ("mesh", "text"),
    [
        (
            trimesh.Trimesh([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]], [[0, 1, 2], [2, 1, 0]], process=False),
            "no volume",
        ),
        (trimesh.creation.box((0.1, 0.1, 1e-6)), "no volume: it is 0.001 mm thick"),
        (trimesh.Trimesh(BOX.vertices + 5e3, BOX.faces), "vertices beyond 1000 m from its origin"),
    ],
)
def test_flat_and_far_meshes_are_named(mesh: trimesh.Trimesh, text: str) -> None:
    with pytest.raises(MeshError, match=text):
        check_mesh(mesh, "thing")


PLY = "ply\nformat {}\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n"
PLY += "element face 1\nproperty list uchar int vertex_indices\nend_header\n"


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.ply", PLY.format("ascii 1.0", 10**18) + "0 0 0\n", f"it claims {10**18} of vertex in "),
        ("a.ply", PLY.format("binary_little_endian 1.0", 2 * 10**9), "it claims 2000000000 of vertex in "),
        ("a.stl", b"\0" * 80 + b"\xff" * 4 + b"\0" * 500, "it claims 4294967295 triangles in 584 bytes"),
        ("a.obj", "v 0 0 0\nv .1 0 0\nv 0 .1 0\nf 1 2 900\n", "a.obj: "),
        ("a.obj", "v 0 0\nv .1 0\nv 0 .1\nf 1 2 3\n", "its vertices have 2 coordinates, expected 3"),
        ("a.off", "OFF\n999999999 999999999 0\n0 0 0\n", "cannot be read as OFF"),
        ("a.glb", b"glTF" + b"\2\0\0\0" + b"\xff" * 4, "cannot be read as GLB"),
        ("a.dae", "<COLLADA/>", "expected a file of OBJ, PLY, STL, OFF or GLB"),
    ],
)
def test_what_a_file_claims_is_checked(tmp_path: Path, name: str, content: str | bytes, text: str) -> None:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(MeshError) as refused:
        load_mesh(file)
    assert text in str(refused.value) and str(file) in str(refused.value) and "\n" not in str(refused.value)


def test_pipes_and_folders_are_no_meshes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.stl")
    with pytest.raises(MeshError, match=r"pipe\.stl: it is no ordinary file \(a pipe, socket or device\)"):
        load_mesh(tmp_path / "pipe.stl")
    (tmp_path / "folder.stl").mkdir()
    with pytest.raises(MeshError, match=r"folder\.stl: it is a folder"):
        load_mesh(tmp_path / "folder.stl")


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
