"""What a worker does with one object: plan, try, measure what will be stored, or say why it was left out."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray

from grasp_pose_net.exceptions import MeshError
from grasp_pose_net.hand import Hand, Kinematics
from grasp_pose_net.quality import epsilon_of, penetration
from grasp_pose_net.shapes import SignedDistanceField, load_mesh, split_of
from grasp_pose_net.synthesis.backends import one_thread
from grasp_pose_net.synthesis.config import Synthesis
from grasp_pose_net.synthesis.files import HALF, STRONG_EPSILON, GraspDataset, storable
from grasp_pose_net.synthesis.search import Validate, synthesize
from grasp_pose_net.synthesis.sources import object_name, object_seed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One object to plan; all that a worker is told.

    Attributes:
        mesh: file, at the same path for every worker.
        mesh_hash: of the file.
        hand: name of the hand, or path of its hand.yaml.
        grasps: how many are wanted.
        seed: of the run.
        config: of the planner.
        validate: force trial; None = no trials.
        run: JSON of what the grasps depend on besides the mesh.
    """

    mesh: Path
    mesh_hash: str
    hand: str
    grasps: int
    seed: int
    config: Synthesis
    validate: Validate | None
    run: str

    @property
    def name(self) -> str:
        """The object's "source/name"."""
        return object_name(self.mesh)


class Trials:
    """The force trial of one object: tries grasps as they will be stored, and counts."""

    def __init__(self, validate: Validate) -> None:
        """Count from zero.

        Args:
            validate: the force trial.
        """
        self._validate = validate
        self._held: set[bytes] = set()
        self.trials, self.successes = np.zeros((2, 2), np.int64)

    def __call__(
        self, hand: Hand, mesh: trimesh.Trimesh, field: SignedDistanceField, x: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Whether grasps x (B, 7 + J) hold (B,)."""
        x = storable(hand, x)
        success = np.asarray(self._validate(hand, mesh, field, x))
        strong = epsilon_of(hand, field, x) >= STRONG_EPSILON
        self.trials += len(x), int(strong.sum())
        self.successes += int(success.sum()), int((success & strong).sum())
        self._held |= {pose.tobytes() for pose in x[success]}
        return success

    def held(self, x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of storable grasps x (B, 7 + J) were tried and held (B,)."""
        return np.array([pose.tobytes() in self._held for pose in x], np.bool_)


def plan_object(task: Task) -> GraspDataset:
    """Grasps of one object as a dataset of its own; a mesh that cannot be used leaves the reason there."""
    hand, failure = _hand(task.hand), ""
    planned = _fields(np.empty((0, hand.size)))
    with one_thread():
        try:
            planned = _plan(hand, load_mesh(task.mesh), task)
        except MeshError as error:
            failure = " ".join(str(error).split())
        except Exception as error:  # what a library makes of one mesh must not end a run of hundreds
            failure = " ".join(f"{type(error).__name__}: {error}".split())
            logger.exception("%s", task.name)
    if failure:
        logger.warning("%s: left out: %s", task.name, failure)
    return GraspDataset(
        hand=hand.name,
        run=task.run,
        objects=np.array([task.name]),
        split=np.array([split_of(task.name)]),
        mesh_hash=np.array([task.mesh_hash]),
        seed=np.array([object_seed(task.seed, task.name)]),
        failure=np.array([failure]),
        **planned,
    )


def _plan(hand: Hand, mesh: trimesh.Trimesh, task: Task) -> dict[str, Any]:
    """Grasps of one object and their figures, as fields of a dataset."""
    start = time.process_time()
    trials = None if task.validate is None else Trials(task.validate)
    rng = np.random.default_rng(object_seed(task.seed, task.name))
    found = synthesize(hand, mesh, task.grasps, rng, task.config, trials)
    x, field = storable(hand, found.x), SignedDistanceField.from_mesh(mesh)
    depths = penetration(hand, Kinematics(hand), field, torch.as_tensor(x, dtype=torch.float32))
    planes, plane = np.unique(found.plane, axis=0, return_inverse=True)
    known = planes.any(1)
    number = np.where(known, np.cumsum(known), 0)  # 0 stays with the plane that means none
    measured = {
        "extents_m": np.sort(mesh.bounding_box_oriented.primitive.extents)[None],
        "tried": np.array([found.tried]),
        "passed": np.array([found.passed]),
        "planes": np.vstack([np.zeros(4), planes[known]]),
        "epsilon": epsilon_of(hand, field, x),
        "hand_penetration_m": np.asarray(depths.hand_penetration_m),
        "self_penetration_m": np.asarray(depths.self_penetration_m),
        "plane": number[plane.reshape(-1)].astype(np.int16),
    }
    if trials is not None:
        measured |= {
            "trials": trials.trials[None],
            "successes": trials.successes[None],
            "held": trials.held(x),
        }
    seconds = dict(found.seconds)
    seconds["rest"] = time.process_time() - start - sum(seconds.values())
    return _fields(x, **measured, stages=np.array(list(seconds)), seconds=np.array([list(seconds.values())]))


def _fields(x: NDArray[np.float64], **known: NDArray) -> dict[str, Any]:
    """Fields of a dataset of one object with grasps x (G, 7 + J); zero where nothing is known."""
    count = len(x)
    blank: dict[str, Any] = {
        "extents_m": np.zeros((1, 3), np.float32),
        **{name: np.zeros(1, np.int64) for name in ("tried", "passed")},
        **{name: np.zeros((1, 2), np.int64) for name in ("trials", "successes")},
        "stages": np.empty(0, np.str_),
        "seconds": np.zeros((1, 0), np.float32),
        "planes": np.zeros((1, 4), np.float32),
        "object_index": np.zeros(count, np.int32),
        "x": np.zeros(x.shape, np.float32),
        **{name: np.zeros(count, np.float32) for name in HALF},
        "plane": np.zeros(count, np.int16),
        "held": np.zeros(count, np.bool_),
    }
    for name, values in {"x": x, **known}.items():
        blank[name] = values if name == "stages" else values.astype(blank[name].dtype)
    return blank


@lru_cache(maxsize=1)
def _hand(name: str) -> Hand:
    """The hand, loaded once in a worker, since what is derived from it takes seconds."""
    return Hand.load(name)
