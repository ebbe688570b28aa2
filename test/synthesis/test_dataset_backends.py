"""Tasks spread over processes: every result once, one thread each, and errors that say what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from quick_planner import QUICK, die, threads_of, write_meshes

from grasp_pose_net.exceptions import GraspPoseNetError
from grasp_pose_net.synthesis import load_dataset, synthesize_dataset
from grasp_pose_net.synthesis.backends import in_parallel

# In a process of its own, since Ray leaves threads and open files behind that pytest warns of.
WITH_RAY = """
import sys
from pathlib import Path
import ray
from quick_planner import QUICK, threads_of
from grasp_pose_net.synthesis import synthesize_dataset
from grasp_pose_net.synthesis.backends import in_parallel
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
found = list(in_parallel(threads_of, range(4), backend="ray"))
assert sorted(task for task, _, _ in found) == [0, 1, 2, 3], found
assert len({worker for _, worker, _ in found}) == 2, found
synthesize_dataset(Path(sys.argv[1]), Path(sys.argv[2]), grasps=2, config=QUICK, backend="ray")
ray.shutdown()
"""


def test_loky_gives_every_result_once_from_workers_with_one_thread():
    found = list(in_parallel(threads_of, range(5), jobs=2))
    assert sorted(task for task, _, _ in found) == list(range(5))
    assert os.getpid() not in {worker for _, worker, _ in found}
    assert {threads for _, _, threads in found} == {(1, 1, 1)}


def test_one_job_stays_in_this_process():
    assert {worker for _, worker, _ in in_parallel(threads_of, range(3), jobs=1)} == {os.getpid()}


def test_a_dead_worker_is_an_error_that_says_what_to_do():
    with pytest.raises(GraspPoseNetError, match=r"worker process died.*fewer --jobs than 2"):
        list(in_parallel(die, range(2), jobs=2))


def test_unknown_backend_is_named():
    with pytest.raises(GraspPoseNetError, match="no backend 'slurm'; there are: loky, ray"):
        in_parallel(threads_of, range(2), backend="slurm")


def test_missing_ray_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(GraspPoseNetError, match=r"pip install 'grasp_pose_net\[ray\]'"):
        list(in_parallel(threads_of, range(2), backend="ray"))


@pytest.mark.slow
def test_a_local_ray_of_two_workers_plans_what_one_process_plans(tmp_path):
    pytest.importorskip("ray", reason="Ray is an optional extra and has no wheel for every Python")
    meshes = write_meshes(tmp_path / "meshes")
    script = tmp_path / "script.py"
    script.write_text(WITH_RAY)
    own = {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]),
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [sys.executable, str(script), str(meshes), str(tmp_path / "ray.npz")]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    synthesize_dataset(meshes, tmp_path / "one.npz", grasps=2, config=QUICK, jobs=1)
    ray, one = load_dataset(tmp_path / "ray.npz"), load_dataset(tmp_path / "one.npz")
    np.testing.assert_array_equal(ray.x, one.x)
    np.testing.assert_array_equal(ray.objects, one.objects)
