"""Asks the running planning nodes and a planner in this process in turns; see `study live`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from moveit_msgs.msg import CollisionObject, MoveItErrorCodes, PlanningSceneWorld
from moveit_msgs.srv import GraspPlanning

from grasp_pose_net.benchmark import BenchmarkConfig, benchmark_config
from grasp_pose_net.benchmark.run import chosen_meshes
from grasp_pose_net.benchmark.trial import Task, Tools, episode_of, make_tools, views_of_task
from grasp_pose_net.bringup import Runner, prepare_environment
from grasp_pose_net.exceptions import ExecutionError, GraspPoseNetError
from grasp_pose_net.inference import weights
from grasp_pose_net.nodes.messages.scene import object_message, scene_from_message
from grasp_pose_net.nodes.support.demo_client import DemoClient, connected
from grasp_pose_net.nodes.support.qos import LATCHED
from grasp_pose_net.perception import perceive
from grasp_pose_net.planning import ArmChecks, Fields, GraspPlanner, Stage
from grasp_pose_net.provenance import record
from grasp_pose_net.robot.shape_geometry import forget_meshes
from grasp_pose_net.synthesis.sources import mesh_hash
from grasp_pose_net.system import NODES, Start
from grasp_pose_net.world import WORLD, Scene

READY_S, ANSWER_S, IDLE_S = 400.0, 60.0, 1.0
LIVE, PREPARED, FROM_MESH = "live", "prepared", "from the mesh"


def check_live(
    meshes: Path, split: str, limit: int, requests: int, threads: int, logs: Path, seed: int
) -> dict[str, Any]:
    """Times of requests [s], their medians and ratios; arguments as of `study live`.

    Raises:
        GraspPoseNetError: nothing was perceived, or a node died or did not answer.
    """
    os.environ["OMP_NUM_THREADS"] = str(threads)
    prepare_environment()
    torch.set_num_threads(threads)
    numba.set_num_threads(min(threads, numba.get_num_threads()))
    config = benchmark_config(stages=("scan", "plan"), grasps={}, descent={}, seed=seed)
    scenes = perceived(meshes, split, limit, config)
    tools = make_tools(config)
    tools.planner.warm_up()
    nodes = [node for node in NODES if node.name in ("inference", "refinement")]
    parameters = {node.name: node.overrides(Start()) | {"use_sim_time": False} for node in nodes}
    rows: list[dict[str, Any]] = []
    with (
        Runner(logs.resolve(), parameters, nodes) as runner,
        connected(lambda: DemoClient(runner.check)) as client,
    ):
        publisher = client.create_publisher(PlanningSceneWorld, "/perception/objects", LATCHED)
        for service in (client.refine_client, client.plan_client):
            client.wait(service.service_is_ready, READY_S, f"service {service.srv_name}")
        client.wait(lambda: publisher.get_subscription_count() >= 2, READY_S, "the nodes to listen")
        for number in range(requests + 1):
            name, message, scene = scenes[number % len(scenes)]
            publisher.publish(message)
            time.sleep(IDLE_S)  # the nodes prepare for a scene when it comes, and nobody asks at once
            own = {"object": name, **one_request(client, tools.planner, scene)}
            fresh = planner_of(tools, config, tools.planner.stages[1])
            forget_meshes()
            time.sleep(IDLE_S)
            own[FROM_MESH] = timed(fresh, scene)
            if number:  # the first loads what is loaded once
                rows.append(own)
    about = {"objects": len(scenes), "threads": threads, "load": os.getloadavg()[0]}
    return about | medians(rows) | {"requests": rows} | record(seed, weights(config.hand, ""))


def medians(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the times of all requests, and of the stages of each; and how many times as long the live answer takes."""
    p50 = {kind: float(np.median([row[kind] for row in rows])) for kind in (LIVE, PREPARED, FROM_MESH)}
    stages = {
        kind: {
            stage: float(np.median([row["stages"][kind][stage] for row in rows]))
            for stage in rows[0]["stages"][kind]
        }
        for kind in (LIVE, PREPARED)
    }
    ratios = {kind: p50[LIVE] / p50[kind] for kind in (PREPARED, FROM_MESH)}
    return {"p50_s": p50, "ratios": ratios, "stages_p50_s": stages}


def planner_of(tools: Tools, config: BenchmarkConfig, refine: Stage) -> GraspPlanner:
    """A planner that knows no scene and no field yet."""
    assert tools.robot is not None  # the benchmark has one by default
    arm = ArmChecks(tools.robot, tools.hand, config.motion)
    return GraspPlanner(tools.hand, config.grasps, arm, refine, Fields(config.grasps.field_cells))


def perceived(
    meshes: Path, split: str, limit: int, config: BenchmarkConfig
) -> list[tuple[str, PlanningSceneWorld, Scene]]:
    """Name of each object, what perception publishes of it, and the scene that this is."""
    scenes = []
    for file in chosen_meshes(meshes, split, limit):
        task = Task(file.resolve(), mesh_hash(file), 0, config, Path())
        try:
            capture = perceive(views_of_task(task, episode_of(task)), config.perception)
        except GraspPoseNetError:
            continue  # an object that cannot be perceived cannot be planned for on either side
        entries = [object_message(entry, WORLD) for entry in capture.scene.objects]
        message = PlanningSceneWorld(collision_objects=entries)
        scene = scene_from_message(message, WORLD)
        if scene.targets:
            scenes.append((task.name, message, scene))
    if not scenes:
        raise ExecutionError("no object was perceived")
    return scenes


def one_request(client: DemoClient, planner: GraspPlanner, scene: Scene) -> dict[str, Any]:
    """Times of the same request to the nodes and here [s], and whether both gave the same grasps."""
    target = scene.targets[0]
    planner.prepare(scene)
    request = GraspPlanning.Request(target=CollisionObject(id=target.id))
    started = time.perf_counter()
    future = client.plan_client.call_async(request)
    while not future.done():
        if time.perf_counter() - started > ANSWER_S:
            raise ExecutionError(f"/plan_grasp did not answer within {ANSWER_S:g} s; see the nodes' logs")
        time.sleep(0.0005)
    live = time.perf_counter() - started
    answer = future.result()
    time.sleep(IDLE_S)  # who has just been busy finds the processor's caches warm: nobody shall
    started = time.perf_counter()
    plan = planner.plan(scene, target)
    here = time.perf_counter() - started
    qualities = [grasp.quality for grasp in plan.grasps]
    given = [grasp.grasp_quality for grasp in answer.grasps]
    return {
        LIVE: live,
        PREPARED: here,
        "success": answer.error_code.val == MoveItErrorCodes.SUCCESS,
        "same": len(given) == len(qualities) and bool(np.allclose(given, qualities, atol=1e-6)),
        "stages": {LIVE: client.said("inference")["account"]["seconds"], PREPARED: plan.account.seconds},
    }


def timed(planner: GraspPlanner, scene: Scene) -> float:
    """Wall time of a plan [s]."""
    started = time.perf_counter()
    planner.plan(scene, scene.targets[0])
    return time.perf_counter() - started
