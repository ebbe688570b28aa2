"""The command `benchmark`: many objects scanned, planned and tried in simulation, and the figures of that.

It stands above simulation, perception, inference and execution, which do the work; nodes and command line alone know it.
"""

from grasp_pose_net.benchmark.config import STAGES, BenchmarkConfig, benchmark_config
from grasp_pose_net.benchmark.run import run_benchmark
from grasp_pose_net.benchmark.tables import benchmark_text

__all__ = ["STAGES", "BenchmarkConfig", "benchmark_config", "benchmark_text", "run_benchmark"]
