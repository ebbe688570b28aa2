"""Many pick-ups in one bring-up, each judged by the simulation's truth, and the memory of each node; see `study soak`."""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from grasp_pose_net.bringup import Runner
from grasp_pose_net.inference import weights
from grasp_pose_net.nodes.demo import Demo
from grasp_pose_net.nodes.support.demo_client import DemoClient, connected
from grasp_pose_net.provenance import record
from grasp_pose_net.storage import save_json
from grasp_pose_net.system import NODES, Start

LOADED = 50  # pick-ups after which a node has met all that it loads once; a sixth of those of a shorter run
GROWTH = 1.1  # of memory since then, at most
NOT_LIFTED = "lift"  # where the simulation says so of a pick-up that said SUCCESS, that was a lie


def check_soak(
    pickups: int, objects: Path | None, seed: int, logs: Path, out: Path, say: Callable[[str], None]
) -> bool:
    """Run the pick-ups and write the report after each; whether none lied and no node grew. Arguments as of `study soak`.

    Raises:
        GraspPoseNetError: a node died or did not answer; the report has what was before.
    """
    start = Start(objects="" if objects is None else str(objects.resolve()))
    parameters = {node.name: node.overrides(start) for node in NODES}
    parameters["simulation"]["seed"] = seed
    entries: list[dict[str, Any]] = []
    with (
        Runner(logs.resolve(), parameters, start=start) as runner,
        connected(lambda: DemoClient(runner.check)) as client,
    ):
        client.wait_until_ready()
        demo = Demo(client, None, Console(file=io.StringIO()))
        for number in range(pickups):
            began = time.monotonic()
            entry = demo.run(number, pickups)
            entry["wall_s"] = time.monotonic() - began
            entry["resident_mb"] = {name: resident_mb(pid) for name, pid in runner.pids.items()}
            entries.append(entry)
            say(_line(entry, pickups))
            summary = soak_summary(entries)
            about = {"pickups": len(entries), "asked": pickups, "load": os.getloadavg()[0]}
            save_json(out, about | summary | record(seed, weights(demo.hand.name, "")) | {"entries": entries})
    for name, ratio in summary["growth"].items():
        say(f"{name}: {ratio:.2f} times the memory it had after {summary['loaded_after']} pick-up(s)")
    say(f"{summary['lifted']} of {len(entries)} lifted, held and shaken; {out}")
    return not summary["lied"] and all(ratio <= GROWTH for ratio in summary["growth"].values())


def soak_summary(entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What came of some pick-ups: counts, and by node how memory has grown since the first of them."""
    loaded = min(LOADED, -(-len(entries) // 6))
    first, last = entries[loaded - 1]["resident_mb"], entries[-1]["resident_mb"]
    said = [entry for entry in entries if "grasp" in entry]  # /pickup has said SUCCESS
    return {
        "lifted": sum(entry["failure"] is None for entry in entries),
        "failures": dict(Counter(entry["failure"] for entry in entries if entry["failure"])),
        "lied": [entry["episode"] for entry in said if entry["failure"] == NOT_LIFTED],
        "loaded_after": loaded,
        "growth": {name: last[name] / first[name] for name in first},
    }


def resident_mb(pid: int) -> float:
    """Memory of a process that is in RAM [MB]."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _line(entry: dict[str, Any], pickups: int) -> str:
    memory = ", ".join(f"{name} {size:.0f}" for name, size in entry["resident_mb"].items())
    verdict = "lifted" if entry["failure"] is None else f"failed: {entry['failure']}"
    return f"{entry['episode'] + 1} of {pickups} {entry['name']}: {verdict}, {entry['wall_s']:.0f} s; MB: {memory}"
