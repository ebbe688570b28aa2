"""Builds the message packages of `interfaces/` into the environment that runs this script.

The ROS wheels bring rclpy and the common messages, but not moveit_msgs, control_msgs, tf2_msgs and what these
need. Each package is one CMake project, installed straight into the environment, so that nothing has to be
sourced afterwards. The set-up calls this; a ROS installation has the packages, and ours stay unused.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

INTERFACES = Path(__file__).resolve().parent.parent / "interfaces"
WAVES = (("tf2_msgs", "object_recognition_msgs", "octomap_msgs", "control_msgs"), ("moveit_msgs",))


def fingerprint(prefix: Path) -> str:
    """Returns a hash of what decides the outcome: definitions, recipes, wheels, interpreter."""
    digest = hashlib.sha256(sys.version.encode())
    files = [*sorted(p for p in INTERFACES.rglob("*") if p.is_file()), Path(__file__)]
    for path in files:
        digest.update(path.name.encode() + path.read_bytes())
    for package in sorted((prefix / "share").glob("rosidl_*/package.xml")):
        digest.update(package.read_bytes())
    return digest.hexdigest()


def relocate(prefix: Path) -> None:
    """Points the CMake files of the wheels, which name the machine that built them, to this interpreter."""
    places = (
        (re.compile(r"/opt/python/[\w-]+/include/python3\.\d+"), sysconfig.get_path("include")),
        (
            re.compile(r"/opt/python/[\w-]+/lib/python3\.\d+/site-packages/numpy/_core/include"),
            np.get_include(),
        ),
    )
    for path in (prefix / "share").glob("*/cmake/*.cmake"):
        old = path.read_text()
        new = old
        for pattern, place in places:
            new = pattern.sub(place, new)
        if new != old:
            path.write_text(new)


def build(package: str, prefix: Path, scratch: Path, jobs: int) -> None:
    """Configures, compiles and installs one package.

    Args:
        package: name of a folder of `interfaces/`.
        prefix: the environment to install into.
        scratch: folder for the build files.
        jobs: compilers at a time.

    Raises:
        SystemExit: a step failed; its output has been printed.
    """
    folder = scratch / package
    configure = [
        *("cmake", "-S", INTERFACES / package, "-B", folder),
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
        f"-DPython3_EXECUTABLE={sys.executable}",
        "-DBUILD_TESTING=OFF",
        "-DCMAKE_BUILD_TYPE=None",
        "-DCMAKE_CXX_FLAGS=-O0 -w",
        "-DCMAKE_C_FLAGS=-O1 -w",
    ]
    environment = {**os.environ, "AMENT_PREFIX_PATH": str(prefix), "CMAKE_PREFIX_PATH": str(prefix)}
    environment["PATH"] = f"{prefix / 'bin'}{os.pathsep}{environment['PATH']}"
    for step in (
        configure,
        ["cmake", "--build", folder, "--parallel", str(jobs)],
        ["cmake", "--install", folder],
    ):
        done = subprocess.run(
            step, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if done.returncode:
            print(done.stdout[-8000:], file=sys.stderr)
            raise SystemExit(f"building {package} failed: {' '.join(map(str, step))}")


def main() -> None:
    """Builds what has changed since the last time; does nothing when nothing has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers at a time")
    jobs = parser.parse_args().jobs
    prefix = Path(sys.prefix)
    if prefix == Path(sys.base_prefix):
        raise SystemExit("build_interfaces.py must run in a virtual environment: use `make setup`")
    stamp = prefix / "share" / "grasp_pose_net_interfaces.stamp"
    wanted = fingerprint(prefix)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    relocate(prefix)
    with tempfile.TemporaryDirectory() as scratch:
        for wave in WAVES:
            each = max(1, jobs // len(wave))
            with ThreadPoolExecutor(min(jobs, len(wave))) as pool:
                builds = [pool.submit(build, package, prefix, Path(scratch), each) for package in wave]
            for done in builds:
                done.result()
    stamp.write_text(wanted)


if __name__ == "__main__":
    main()
