"""``grasp-pose-net``: the command line. Every command says what it wrote and what to run next."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer

from grasp_pose_net.commands.benchmark import benchmark
from grasp_pose_net.commands.demo import demo
from grasp_pose_net.commands.evaluate import evaluate
from grasp_pose_net.commands.hand import hand
from grasp_pose_net.commands.perceive import perceive
from grasp_pose_net.commands.plan import plan
from grasp_pose_net.commands.synthesize import synthesize
from grasp_pose_net.commands.train import train

PLAIN: dict[str, Any] = {"add_completion": False, "no_args_is_help": True, "pretty_exceptions_enable": False}
# Each is a module of `commands.study`, loaded when it is asked for: some take seconds.
STUDIES = {
    "ablation": "What each part of planning adds, in force trials on noisy scans.",
    "broken-files": "Break files of every kind that is read, and count what comes of it.",
    "cancel": "Cancel pick-ups in simulation, in each of their stages.",
    "curve": "Quality of the best grasp against the time to plan it.",
    "epsilon": "Error and time of ε against qhull's whole hull.",
    "faults": "Hostile messages, broken files, lost answers and hostile clients: is there a fault?",
    "learning-curve": "Draw L_consistency over the number of training objects.",
    "live": "Time of /plan_grasp through the running nodes against the same stages in one process.",
    "motion": "Plan the arm's way to random pre-grasps, and check every motion.",
    "perception": "Perceive random tables, and compare with what stands there.",
    "pictures": "A page of pictures of a dataset.",
    "remote-training": "Train on a machine that has neither the meshes nor the network.",
    "soak": "Pick-ups one after the other in one bring-up: are they good, and does memory grow?",
    "synthesis": "Compare the two ways to make ground-truth grasps.",
    "tables": "Train every network of the paper's tables.",
}

app = typer.Typer(help=__doc__, **PLAIN)
for command in (demo, plan, hand, perceive, synthesize, train, evaluate, benchmark):
    app.command()(command)
study = typer.Typer(
    help="Measurements that can be repeated: comparisons, ablations, curves, pictures.", **PLAIN
)
app.add_typer(study, name="study")


def _add_study(name: str, text: str) -> None:
    def run(context: typer.Context) -> None:
        module = import_module(f"grasp_pose_net.commands.study.{name.replace('-', '_')}")
        own = getattr(module, "app", None)
        if own is None:
            own = typer.Typer(**PLAIN)
            own.command(help=module.__doc__)(module.main)
        own(args=context.args, prog_name=f"grasp-pose-net study {name}")

    passed_on = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    study.command(name, help=text, context_settings=passed_on)(run)


for name, text in STUDIES.items():
    _add_study(name, text)
