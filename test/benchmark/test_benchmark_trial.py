"""Real trials in small: a plan with its force trial, what ends as a failure, and the simulated robot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from robot_scenes import slanted_grasp

from grasp_pose_net.benchmark import benchmark_config, trial
from grasp_pose_net.benchmark.config import BenchmarkConfig
from grasp_pose_net.benchmark.lift import SimulatedRobot, StageFailure, lift
from grasp_pose_net.benchmark.trial import LEFT_OUT, Task, run_task
from grasp_pose_net.execution import PickupConfig, smooth_move
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.robot import ExecutionFailed, MotionConfig, Problem, RobotModel
from grasp_pose_net.simulation.laboratory import World, WorldConfig, prepare_episode
from grasp_pose_net.world import Scene, SceneObject, make_transform

pytestmark = [pytest.mark.sim, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Convex pieces are computed here, not taken from what the machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(scope="module")
def config() -> BenchmarkConfig:
    return benchmark_config(
        stages=["plan", "force"], arm=False, grasps={"network": "sampled", "rotations": 28}, descent={}
    )


def task(mesh: Path, config: BenchmarkConfig) -> Task:
    return Task(mesh, "hash", 0, config, mesh.parent.parent / "failures")


def test_plan_and_force_trial_of_an_object(tmp_path: Path, config: BenchmarkConfig) -> None:
    mesh = tmp_path / "made" / "can.ply"
    mesh.parent.mkdir()
    trimesh.creation.cylinder(radius=0.03, height=0.12, sections=24).export(mesh)
    entry = run_task(task(mesh, config))
    # whether it was held is a measurement, not a test
    assert entry["name"] == "made/can" and entry["force_success"] in (True, False)
    assert (entry["failure"] is None) == entry["force_success"] == (entry["force_failure"] is None)
    assert entry["feasible"] >= 1 and entry["epsilon"] > 0 and entry["lift_success"] is None
    assert entry["candidates"] >= entry["feasible"] + sum(entry["rejected"].values())
    assert entry["seconds"]["plan"] >= entry["seconds"]["refinement"] > 0
    assert entry["seconds"]["perception"] is None
    assert entry["shape"]["smallest_side_m"] == pytest.approx(0.06, rel=0.02)
    assert entry["shape"]["hull_share"] == pytest.approx(1.0)


def test_a_mesh_that_cannot_be_used_is_left_out_in_one_line(tmp_path: Path, config: BenchmarkConfig) -> None:
    mesh = tmp_path / "made" / "open.ply"
    mesh.parent.mkdir()
    holed = trimesh.creation.box((0.1, 0.1, 0.1))
    holed.faces = holed.faces[1:]
    holed.export(mesh)
    entry = run_task(task(mesh, config))
    assert (
        entry["failure"] == LEFT_OUT and "not watertight" in entry["reason"] and "\n" not in entry["reason"]
    )


def test_whatever_happens_in_a_stage_is_that_stages_failure(
    tmp_path: Path, config: BenchmarkConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that raises in the middle of a trial does not take the trial out of the figures."""
    mesh = tmp_path / "made" / "box.ply"
    mesh.parent.mkdir()
    trimesh.creation.box((0.05, 0.06, 0.12)).export(mesh)

    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("no\nmemory")

    monkeypatch.setattr(trial, "grasp_figures", broken)
    entry = run_task(task(mesh, config))
    assert entry["failure"] == "plan" and entry["reason"] == "RuntimeError: no memory"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    mesh = tmp_path_factory.mktemp("meshes") / "box.ply"
    trimesh.creation.box((0.06, 0.06, 0.08)).export(mesh)
    return World(WorldConfig(), prepare_episode(WorldConfig(), [mesh], 0, 0))


def test_the_simulated_robot_does_what_it_is_told_and_watches_the_object(world: World) -> None:
    robot, simulated = RobotModel(robot_urdf(), robot_srdf()), SimulatedRobot(world)
    measured = robot.configuration(simulated.joint_state().by_name)
    start = measured[robot.arm.indices]
    goal = start + np.array([0.1, *np.zeros(len(start) - 1)])
    motion = smooth_move(robot.arm.names, start, goal, MotionConfig(velocity_scale=1.0).arm_limits(robot))
    simulated.execute(motion, False, lambda: False)
    reached = robot.configuration(simulated.joint_state().by_name)[robot.arm.indices]
    np.testing.assert_allclose(reached, goal, atol=0.011)
    times, heights = simulated.track
    assert times[-1] - times[0] >= motion.duration and np.ptp(heights) < 1e-3
    before = world.time
    simulated.wait(0.1)
    assert world.time == pytest.approx(before + 0.1, abs=0.03)

    with pytest.raises(ExecutionFailed, match="the trajectory starts") as refused:
        simulated.execute(motion, False, lambda: False)
    assert refused.value.problem is Problem.ABORTED
    back = smooth_move(robot.arm.names, goal, start, MotionConfig(velocity_scale=1.0).arm_limits(robot))
    with pytest.raises(ExecutionFailed, match="told to stop") as stopped:
        simulated.execute(back, False, lambda: True)
    assert stopped.value.problem is Problem.CANCELLED


def test_a_hand_that_closes_on_air_has_lifted_nothing(world: World) -> None:
    """As where the object was taken away after the capture: only the joints can tell."""
    robot, simulated = RobotModel(robot_urdf(), robot_srdf()), SimulatedRobot(world)
    table = WorldConfig().scene
    beside = 0.2 if world.simulation.object_pose(world.simulation.objects[0].name)[1, 3] < 0.0 else -0.2
    can = make_transform((table.table_center_m[0], beside, table.table_height_m + 0.06))
    top = make_transform((*table.table_center_m, table.table_height_m - 0.02))
    scene = Scene(
        (
            SceneObject.target("can", can, trimesh.creation.cylinder(radius=0.033, height=0.12)),
            SceneObject.box("table", top, (*table.table_size_m, 0.04)),
        )
    )
    grasp = slanted_grasp(robot, robot.named_states["home"], can)
    brisk = MotionConfig(velocity_scale=1.0, acceleration_scale=1.0)
    with pytest.raises(StageFailure, match="nothing is in the hand: none of 4 pressing fingers"):
        lift(robot, simulated, [grasp], scene, "can", ("table",), brisk, PickupConfig())
