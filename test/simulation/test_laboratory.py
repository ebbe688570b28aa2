from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import trimesh

from grasp_pose_net.exceptions import ConfigError, MeshError
from grasp_pose_net.models import share_dir
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.simulation.cameras import CameraConfig
from grasp_pose_net.simulation.controller import Goal, ResultCode
from grasp_pose_net.simulation.laboratory import (
    World,
    WorldConfig,
    mesh_files,
    nominal_cameras,
    prepare_episode,
    turns,
    usable,
)
from grasp_pose_net.simulation.objects import SimObject, convex_pieces
from grasp_pose_net.simulation.placement import stable_poses
from grasp_pose_net.simulation.scene_model import VIDEO_CAMERA
from grasp_pose_net.simulation.studio import Studio, VideoConfig
from grasp_pose_net.world import Trajectory

pytestmark = pytest.mark.sim
CONFIG = WorldConfig()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meshes")
    trimesh.creation.box([0.06, 0.08, 0.12]).export(folder / "box.ply")
    trimesh.creation.icosphere(radius=0.04).export(folder / "ball.stl")
    trimesh.creation.cylinder(radius=0.03, height=0.11).export(folder / "can.obj")
    return mesh_files(str(folder))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_an_episode_starts_with_its_object_at_rest_near_the_table_centre(files, number):
    episode = prepare_episode(CONFIG, files, seed=3, number=number)
    sim = episode.simulation
    name = sim.objects[0].name
    before = sim.object_pose(name)
    sim.step(500)
    after = sim.object_pose(name)
    np.testing.assert_allclose(after, before, atol=2e-3)
    assert np.linalg.norm(after[:2, 3] - CONFIG.scene.table_center_m) <= 2 * CONFIG.placement.spread_m
    lowest = (sim.objects[0].mesh.vertices @ after[2, :3]).min() + after[2, 3]
    np.testing.assert_allclose(lowest, CONFIG.scene.table_height_m, atol=2e-3)


def test_the_same_seed_gives_the_same_episode_and_another_an_other(files):
    one, same, other, later = (
        prepare_episode(CONFIG, files, s, n) for s, n in ((0, 0), (0, 0), (1, 0), (0, 3))
    )
    np.testing.assert_array_equal(one.simulation.data.qpos, same.simulation.data.qpos)
    np.testing.assert_array_equal(one.simulation.model.cam_pos, same.simulation.model.cam_pos)
    assert one.file == same.file == later.file  # three objects take turns
    assert not np.array_equal(one.simulation.data.qpos[-7:], later.simulation.data.qpos[-7:])
    assert not np.array_equal(one.simulation.model.cam_pos, other.simulation.model.cam_pos)


def test_the_published_camera_poses_are_slightly_wrong(files):
    model = prepare_episode(CONFIG, files, 0, 0).simulation.model
    for name, T_world_optical in nominal_cameras(CONFIG).items():
        error = np.linalg.norm(model.camera(name).pos - T_world_optical[:3, 3])
        assert 0 < error <= 0.002


def arm_goal(world, offset, duration=0.5):
    controller = world.controllers["arm_controller"]
    start = world.positions("arm_controller")
    points = np.stack([start, start + offset])
    trajectory = Trajectory(controller.names, np.array([0.0, duration]), points, np.zeros((2, 6)))
    any_error = np.full(6, np.inf)
    return Goal(trajectory, any_error, np.full(6, 0.01), 1.0), start


def test_a_goal_is_reached_and_time_never_goes_back(files):
    world = World(CONFIG, prepare_episode(CONFIG, files, 0, 0))
    assert world.time == 0
    goal, start = arm_goal(world, 0.2)
    assert world.controllers["arm_controller"].start(goal, world.time, start) is None
    assert world.advance(0.4) == {}
    outcomes = world.advance(0.5)
    assert outcomes["arm_controller"].code == ResultCode.SUCCESSFUL
    np.testing.assert_allclose(world.positions("arm_controller"), start + 0.2, atol=0.01)
    np.testing.assert_allclose(world.time, 0.9, atol=1e-6)
    world.enter(prepare_episode(CONFIG, files, 0, 1))
    np.testing.assert_allclose(world.time, 0.9, atol=1e-6)
    np.testing.assert_allclose(world.positions("arm_controller"), start, atol=2e-3)
    world.advance(0.2)
    np.testing.assert_allclose(world.positions("arm_controller"), start, atol=2e-3)


def test_clouds_and_video_of_a_world(files, tmp_path):
    world = World(CONFIG, prepare_episode(CONFIG, files, 0, 0))
    video = tmp_path / "folder" / "film.mp4"
    studio = Studio(CameraConfig(), VideoConfig(width_px=320, height_px=240), np.random.default_rng(0))
    sim = world.simulation
    points = studio.cloud("camera_3", sim.model, sim.data.qpos)
    assert points.dtype == np.float32 and points.shape[0] > 100_000 and np.isfinite(points).all()
    for _ in range(5):
        world.advance(0.05)
        studio.film(video, sim.model, sim.data.qpos)
    studio.close()
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", video, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, 240, 320, 3)
    assert len(frames) == 5
    assert frames[0].std() > 20  # a picture, not a plain colour
    assert sim.model.camera(VIDEO_CAMERA).id >= 0


def test_the_demo_objects_are_a_dozen_and_watertight():
    files = mesh_files("")
    assert len(files) == 12
    for file in files:
        mesh = load_mesh(file)
        assert mesh.is_watertight and 0.05 < mesh.extents.max() < 0.26, file.stem
        assert file.stat().st_size < 64_000
    assert files[0].parent == share_dir() / "models" / "objects"


def test_a_place_without_meshes_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="no mesh"):
        mesh_files(str(tmp_path))


def test_convex_pieces_cover_a_hollow_object_and_come_from_the_cache_next_time(monkeypatch):
    ring = trimesh.creation.annulus(r_min=0.02, r_max=0.04, height=0.02, sections=16)
    pieces = convex_pieces(ring)
    assert 4 <= len(pieces) <= 16
    assert all(piece.is_convex for piece in pieces)
    volume = sum(piece.volume for piece in pieces)
    assert ring.volume * 0.95 < volume < ring.convex_hull.volume
    monkeypatch.setattr("grasp_pose_net.simulation.objects._decompose", None)  # must not be needed again
    again = convex_pieces(ring)
    np.testing.assert_array_equal(again[0].vertices, pieces[0].vertices)


def test_a_box_stands_on_each_of_its_faces_as_often_as_physics_says():
    rotations, probabilities = stable_poses(trimesh.creation.box([0.06, 0.08, 0.12]))
    assert len(rotations) == 6
    np.testing.assert_allclose(probabilities.sum(), 1)
    lying = np.abs(rotations[:, 2, 0]) > 0.99  # shortest edge upright
    assert probabilities[lying].min() > probabilities[~lying].max()


def test_mass_is_clipped():
    light = SimObject.from_mesh("light", trimesh.creation.box([0.02, 0.02, 0.02]))
    heavy = SimObject.from_mesh("heavy", trimesh.creation.box([0.2, 0.2, 0.2]))
    assert (light.mass_kg, heavy.mass_kg) == (0.05, 1.0)
    np.testing.assert_allclose(light.inertia, np.eye(3) * 0.05 * 0.02**2 / 6, atol=1e-12)


def test_a_mesh_that_cannot_be_used_gives_its_turn_to_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trimesh.creation.box((50.0, 60.0, 120.0)).export(tmp_path / "mug_mm.stl")
    trimesh.creation.box((0.05, 0.06, 0.1)).export(tmp_path / "box.ply")
    files = mesh_files(str(tmp_path))
    assert sorted(file.name for file in files) == ["box.ply", "mug_mm.stl"]
    for number in range(2):  # each has its turn once
        order = turns(files, 0, number)
        assert sorted(order) == files and usable(order)[0].name == "box.ply"
    assert "left out: " in caplog.text and "is it in millimetres?" in caplog.text
    with pytest.raises(MeshError, match=r"mug_mm\.stl: the mesh is 120 m long"):
        usable([tmp_path / "mug_mm.stl"])
    with pytest.raises(MeshError, match=r"none of 2 meshes in .* can be used"):
        usable([tmp_path / "mug_mm.stl"] * 2)
