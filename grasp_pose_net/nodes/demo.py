"""The main job from end to end: the five nodes as processes, and one client that asks them to pick objects up."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from moveit_msgs.action import Pickup
from moveit_msgs.msg import Grasp, MoveItErrorCodes, PlanningSceneWorld
from moveit_msgs.srv import GraspPlanning
from rich.console import Console
from std_srvs.srv import Trigger

from grasp_pose_net.benchmark.entries import entry, grasp_figures, known_stages, report
from grasp_pose_net.benchmark.lift import FAILURE_OF_STAGE, StageFailure, shaking
from grasp_pose_net.bringup import Runner
from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.hand import Hand
from grasp_pose_net.inference import weights
from grasp_pose_net.models import robot_srdf, robot_urdf
from grasp_pose_net.nodes.messages.grasps import pose_vectors
from grasp_pose_net.nodes.messages.scene import scene_from_message
from grasp_pose_net.nodes.support.controller_client import ControllerClient, ControllerParameters
from grasp_pose_net.nodes.support.demo_client import CALL_TIMEOUT_S, DemoClient, Track, connected
from grasp_pose_net.planning import Account
from grasp_pose_net.robot import ExecutionFailed, PlanningFailed, RobotModel
from grasp_pose_net.shapes import load_mesh
from grasp_pose_net.simulation.laboratory import mesh_files, turns
from grasp_pose_net.simulation.lift_trial import HOLD_S, judge_lift
from grasp_pose_net.simulation.picture import draw_grasp
from grasp_pose_net.storage import prepare_folder, save_json
from grasp_pose_net.system import NODES, Start
from grasp_pose_net.world import WORLD, Array, SceneObject

PICKUP_TIMEOUT_S = 180.0


@dataclass
class Episode:
    """What one episode has found so far; becomes an entry of the report."""

    number: int
    name: str = ""
    failure: str | None = None
    reason: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def entry(self) -> dict[str, Any]:
        """The report's entry."""
        known = {"episode": self.number, "lift_success": self.failure is None, "failure": self.failure}
        return entry(self.name, **known, reason=self.reason, seconds=self.seconds, **self.figures)


class Demo:
    """Runs episodes and tells the user what happens."""

    def __init__(self, client: DemoClient, folder: Path | None, console: Console) -> None:
        """Load what judges the grasps.

        Args:
            client: asks the nodes.
            folder: place for pictures and videos; None: there are none.
            console: takes what happens, line by line.
        """
        self._client, self._root, self._console = client, folder, console
        self._folder: Path | None = None
        self._track = Track(client)
        self.hand = Hand.load("shadow")
        self._robot = RobotModel(robot_urdf(), robot_srdf())
        self._controllers = ControllerClient(client, self._robot, ControllerParameters())

    def run(self, number: int, count: int) -> dict[str, Any]:
        """One episode; whatever the system's answer, it ends as an entry of the report."""
        episode = Episode(number)
        item = json.loads(self._client.trigger(self._client.reset_client))
        episode.name = item["object"]
        self._say(f"\n[bold]Episode {number + 1} of {count}: {episode.name}[/], {item['mass_kg']:.2f} kg")
        if self._root:
            self._folder = self._root / f"{number + 1:02d}_{episode.name}"
            self._folder.mkdir()
        self._track.restart()
        try:
            self._perceive(episode)
            target, grasps = self._plan(episode)
            # filming costs a core without a GPU, and nothing has moved until now
            self._film("episode.mp4")
            used = self._pick_up(episode, target, grasps)
            self._measure(episode, target, used)
            self._trial()
        except StageFailure as failure:
            episode.failure, episode.reason = failure.stage, str(failure)
        finally:
            self._film("")
        verdict = (
            "[green]lifted, held and shaken[/]"
            if episode.failure is None
            else f"[red]failed: {episode.failure}[/]"
        )
        self._say(f"  verdict  {verdict}{'. ' + episode.reason if episode.reason else ''}")
        return episode.entry()

    def _film(self, name: str) -> None:
        """Begin a video in the episode's folder, or end it where the name is empty."""
        if self._folder:
            self._client.set_simulation(video=str(self._folder / name) if name else "")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False)

    def _perceive(self, episode: Episode) -> None:
        answer, said = self._client.reported("perception", self._client.capture_client, Trigger.Request())
        self._say(f"  capture  {answer.message}")
        if not answer.success:
            raise StageFailure("perception", answer.message)
        episode.seconds |= known_stages(said.get("seconds", {}))

    def _plan(self, episode: Episode) -> tuple[SceneObject, list[Grasp]]:
        request = GraspPlanning.Request()
        answer, said = self._client.reported("inference", self._client.plan_client, request)
        text = answer.error_code.message
        self._say(f"  plan     {text}")
        if said:
            account = Account.from_data(said["account"])
            episode.seconds |= known_stages(account.seconds)
            episode.figures |= {"rotations": account.candidates, "feasible": account.grasps}
        if answer.error_code.val != MoveItErrorCodes.SUCCESS:
            raise StageFailure("plan", text)
        name = answer.grasps[0].id.rpartition("/")[0]
        target = scene_from_message(self._client.scene or PlanningSceneWorld(), WORLD)[name]
        if self._folder:
            # a picture of the proposed grasp on the perceived object
            draw_grasp(self.hand, self._x(answer.grasps[0], target), target.mesh, self._folder / "grasp.png")
        return target, answer.grasps

    def _x(self, grasp: Grasp, target: SceneObject) -> Array:
        """Pose vector (D,) of a grasp message, object frame."""
        return pose_vectors(self.hand, [grasp], target.T_world_object)[0]

    def _pick_up(self, episode: Episode, target: SceneObject, grasps: list[Grasp]) -> Grasp:
        client = self._client.pickup_client
        goal = Pickup.Goal(target_name=target.id, possible_grasps=grasps)
        stages: list[str] = []

        def feedback(message: Any) -> None:
            stages.append(message.feedback.state)
            self._say(f"  pickup   {stages[-1]}")

        handle = self._client.result(
            client.send_goal_async(goal, feedback), CALL_TIMEOUT_S, "/pickup to accept the goal"
        )
        if not handle.accepted:
            raise StageFailure("reach", "/pickup rejected the goal")
        result = self._client.result(handle.get_result_async(), PICKUP_TIMEOUT_S, "the end of /pickup").result
        if result.error_code.val != MoveItErrorCodes.SUCCESS:
            raise StageFailure(
                FAILURE_OF_STAGE.get(stages[-1] if stages else "", "reach"), result.error_code.message
            )
        return result.grasp

    def _measure(self, episode: Episode, target: SceneObject, grasp: Grasp) -> None:
        """Figures of the grasp that was used, on the perceived object."""
        x = self._x(grasp, target)
        episode.figures |= {**grasp_figures(self.hand, target.mesh, x), "grasp": grasp.id}

    def _trial(self) -> None:
        """Hold, shake, and judge by the object's own track."""
        self._say("  trial    hold 3 s, shake ±3 cm along x, y and z")
        track = self._track
        held = track.now + HOLD_S + 0.2
        self._client.wait(lambda: track.now > held, CALL_TIMEOUT_S, "the hold to pass")
        try:
            motion = shaking(self._robot, self._controllers.joint_state().by_name)
            self._controllers.execute(motion, may_stop_short=False, cancelled=lambda: False)
        except (PlanningFailed, ExecutionFailed) as error:
            raise StageFailure("shake", str(error)) from error
        shaken = track.now
        self._client.wait(
            lambda: track.now > shaken + 0.1, CALL_TIMEOUT_S, "the object's pose after the shake"
        )
        verdict = judge_lift(*track.arrays(), shaken)
        if not verdict.success:
            raise StageFailure(verdict.failure, f"rose to {verdict.height_m:.2f} m")


def run_demo(*, objects: Path | None, episodes: int, seed: int) -> tuple[dict[str, Any], Path]:
    """Start the five nodes, run the episodes, and stop everything.

    Args:
        objects: mesh or folder of meshes, of which those that cannot be used are left out; None for the package's own.
        episodes: how many.
        seed: decides objects, places and camera errors.

    Returns:
        The report, and the run's folder, in which it lies, too.

    Raises:
        GraspPoseNetError: there is no mesh that can be used, or a node died or did not answer.
    """
    console = Console()
    folder = Path("runs") / "demo" / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    place = "" if objects is None else str(objects.resolve())
    prepare_folder(folder)
    _check_objects(place, episodes, seed, console)
    start = Start(objects=place, recordings=str(folder.resolve()))
    parameters = {node.name: node.overrides(start) for node in NODES}
    parameters["simulation"]["seed"] = seed
    with Runner(folder.resolve() / "logs", parameters, start=start) as runner:
        domain = " ".join(
            f"{name}={os.environ[name]}" for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE")
        )
        console.print(f"starting {', '.join(runner.pids)}; logs in {runner.folder}", highlight=False)
        console.print(
            f"to talk to them from another terminal: export {domain}", highlight=False, soft_wrap=True
        )
        with connected(lambda: DemoClient(runner.check)) as client:
            client.wait_until_ready()
            demo = Demo(client, folder.resolve(), console)
            entries: list[dict[str, Any]] = []
            for number in range(episodes):
                entries.append(demo.run(number, episodes))
                result = report(entries, seed, weights(demo.hand.name, ""))
                save_json(folder / "report.json", result)  # now: the next episode may find a dead node
    _conclude(console, folder, result)
    return result, folder


def _check_objects(place: str, episodes: int, seed: int, console: Console) -> None:
    """Say of meshes whose turn comes that they are left out, before any node starts.

    Raises:
        GraspPoseNetError: there is none, or none can be used.
    """
    good, reasons = 0, []
    files = turns(mesh_files(place), seed, 0)
    for file in files:
        try:
            load_mesh(file)
        except MeshError as error:
            reasons.append(str(error))
            console.print(f"left out: {error}", highlight=False, markup=False, soft_wrap=True)
        else:
            good += 1
        if good > episodes:
            break
    if not good:
        raise MeshError(f"no mesh of {len(files)} can be used: {reasons[0]}")


def _conclude(console: Console, folder: Path, result: dict[str, Any]) -> None:
    """Copy the pictures of the first lifted episode to the top, and say what was done and where it lies."""
    entries = result["objects"]
    lifted = [e for e in entries if e["lift_success"]]
    shown = (lifted or entries)[0]
    for name in ("grasp.png", "episode.mp4"):
        source = folder / f"{shown['episode'] + 1:02d}_{shown['name']}" / name
        if source.exists():
            shutil.copyfile(source, folder / name)
    seconds = result["summary"]["seconds"]["plan"]
    console.print(f"\n[bold]{len(lifted)} of {len(entries)} objects lifted[/]", highlight=False)
    if seconds["p50"] is not None:
        console.print(f"plan: p50 {seconds['p50']:.2f} s, p95 {seconds['p95']:.2f} s", highlight=False)
    for name in ("report.json", "grasp.png", "episode.mp4"):
        if (folder / name).exists():
            console.print(f"  {folder / name}", highlight=False, soft_wrap=True)
