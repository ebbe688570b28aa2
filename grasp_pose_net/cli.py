"""``grasp-pose-net``: the command line. Every command says what it wrote and what to run next."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from grasp_pose_net.exceptions import GraspPoseNetError

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)

Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the report to this file.")]
HandName = Annotated[str, typer.Option(help="Hand in models/hands/, or a path to a hand.yaml.")]
Network = Annotated[
    str,
    typer.Option(
        help="Weights in models/networks/, or a path to a .safetensors file; the hand's own (NAME_compact) without it. "
        "'sampled': no network; candidates are drawn around the object and refined, which works for any hand."
    ),
]
Objective = Annotated[
    str,
    typer.Option(
        help="Of refinement. closing: close the fingers onto the surface; paper: stay near the candidate."
    ),
]


@app.command()
def demo(
    objects: Annotated[
        Path | None, typer.Option(help="Folder of meshes; the package's own without it.")
    ] = None,
    episodes: Annotated[int, typer.Option(min=1, help="How many objects to pick up.")] = 3,
    seed: Seed = 1,
    headless: Annotated[bool, typer.Option("--headless", help="Do not show the video at the end.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Run the whole system in simulation: scan, plan, pick up, lift.

    Example: grasp-pose-net demo --episodes 3 --seed 1
    """
    from grasp_pose_net.nodes.demo import run_demo

    report, folder = run_demo(objects=objects, episodes=episodes, seed=seed)
    _write_json(report, json_file)
    video = folder / "episode.mp4"
    if not headless and video.exists() and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        typer.launch(str(video))


@app.command()
def plan(
    meshes: Annotated[list[Path], typer.Argument(help="Meshes in metres: OBJ, PLY, STL, OFF.")],
    hand: HandName = "shadow",
    network: Network = "",
    rotations: Annotated[int, typer.Option(min=1, help="Candidates: rotations shown to the network.")] = 28,
    objective: Objective = "closing",
    image: Annotated[
        Path | None, typer.Option(help="PNG of the best grasp (with several meshes: NAME-<mesh>).")
    ] = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Plan grasps for meshes, without ROS.

    Example: grasp-pose-net plan models/objects/mug.ply --image mug.png
    Without a network: grasp-pose-net plan models/objects/mug.ply --hand barrett --network sampled
    """
    from grasp_pose_net.commands.plan import plan_report
    from grasp_pose_net.config import from_mapping
    from grasp_pose_net.planning import PlannerConfig
    from grasp_pose_net.refinement import ObjectiveConfig

    config = PlannerConfig(network=network, rotations=rotations, seed=seed)
    descent = from_mapping({"objective": objective}, ObjectiveConfig, where="--objective")
    report = plan_report(
        meshes, hand=hand, config=config, refinement=descent.refinement(), image=image, echo=typer.echo
    )
    _write_json(report, json_file)
    if all(entry["failure"] for entry in report["objects"]):
        raise typer.Exit(1)


@app.command()
def hand(
    name: Annotated[str, typer.Argument(help="Hand in models/hands/, or a path to a hand.yaml.")] = "shadow",
    image: Annotated[
        Path | None, typer.Option(help="PNG of the hand with contact points and normals.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Show what a hand is: joints, limits, couplings, contact points, collision spheres.

    Example: grasp-pose-net hand barrett --image barrett.png
    """
    from grasp_pose_net.hand import Hand
    from grasp_pose_net.hand.summary import summarize, table

    loaded = Hand.load(name)
    report = summarize(loaded)
    typer.echo(table(report))
    if image is not None:
        from grasp_pose_net.simulation.picture import draw_hand

        draw_hand(loaded, image)
        typer.echo(f"picture: {image}")
    _write_json(report, json_file)


@app.command()
def perceive(
    clouds: Annotated[
        list[Path], typer.Argument(help="Views: PCD or PLY, metres, each in its camera's frame.")
    ],
    poses: Annotated[
        Path | None,
        typer.Option(
            help="YAML or JSON: by view, T_world_camera as [x, y, z, qw, qx, qy, qz] or a 4 x 4 matrix. "
            "One view alone is levelled by its table without it."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML with settings such as workspace_min; see PerceptionConfig.")
    ] = None,
    segmented: Annotated[
        bool,
        typer.Option(
            "--segmented", help="The cloud is of one object from all sides, z up, and nothing else."
        ),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for meshes (PLY) and grids (NPZ).")] = Path("perceived"),
    image: Annotated[Path | None, typer.Option(help="PNG with a picture of each stage.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Turn depth views into object meshes and occupancy grids.

    Example: grasp-pose-net perceive table.pcd --out perceived --image stages.png
    Several views: grasp-pose-net perceive left.ply right.ply --poses poses.yaml
    """
    from grasp_pose_net.config import load_yaml
    from grasp_pose_net.perception import PerceptionConfig, draw_stages, perceive_files, report

    settings = None if config is None else load_yaml(config, PerceptionConfig)
    capture = perceive_files(clouds, poses, out, settings, segmented)
    typer.echo(capture.summary())
    if image is not None:
        draw_stages(capture, image)
        typer.echo(f"picture: {image}")
    _write_json(report(capture), json_file)
    if not capture.scene.targets:
        raise typer.Exit(1)
    mesh = out / f"{capture.scene.targets[0].id}.ply"
    typer.echo(f"meshes and grids: {out}; next: grasp-pose-net plan {mesh}")


@app.command()
def synthesize(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes, one sub-folder for each source.")],
    out: Annotated[Path, typer.Option(help="Dataset file (NPZ); the same command goes on where it stopped.")],
    hand: HandName = "shadow",
    sources: Annotated[str, typer.Option(help="Sub-folders to take, such as bigbird,kit; all without.")] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many objects, a fair sample of all.")
    ] = None,
    grasps: Annotated[int, typer.Option(min=1, help="Grasps for each object at most.")] = 100,
    method: Annotated[str, typer.Option(help="gradient, or annealing (the paper's).")] = "gradient",
    trial: Annotated[bool, typer.Option(help="Keep only what holds in the force trial.")] = True,
    backend: Annotated[str, typer.Option(help="loky (this machine), or ray (a cluster).")] = "loky",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Objects at a time; one for each core without.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew.")] = False,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Make ground-truth grasps of many objects; resumable.

    Status: 0 = every mesh was planned; 1 = an error, or no mesh could be used; 3 = some meshes were left out, with
    the reason in the report (2 is a wrong command line).

    Example: grasp-pose-net synthesize --meshes objects --sources bigbird,kit --out shadow.npz --seed 1
    """
    from grasp_pose_net.provenance import commit
    from grasp_pose_net.simulation.force_trial import ForceValidator
    from grasp_pose_net.synthesis import Synthesis, report_text, synthesize_dataset

    report = synthesize_dataset(
        meshes,
        out,
        hand,
        grasps=grasps,
        seed=seed,
        config=Synthesis(method=method),  # type: ignore[arg-type]  # checked there
        validate=ForceValidator() if trial else None,
        sources=[name for name in sources.split(",") if name],
        limit=limit,
        backend=backend,  # type: ignore[arg-type]  # checked there
        jobs=jobs,
        overwrite=overwrite,
    )
    typer.echo(report_text(report))
    typer.echo(
        f"dataset: {out}; next: grasp-pose-net train --dataset {out} --meshes {meshes} --out runs/{out.stem}"
    )
    _write_json(report | {"commit": commit()}, json_file)
    if report["left_out"]:
        raise typer.Exit(3 if report["planned"] else 1)


@app.command()
def train(
    dataset: Annotated[Path, typer.Option(help="Dataset file of `synthesize`.")],
    meshes: Annotated[Path, typer.Option(help="Folder of meshes that the dataset was made from.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; goes on where it stopped.")],
    hand: HandName = "shadow",
    network: Annotated[str, typer.Option(help="paper or compact.")] = "compact",
    loss: Annotated[str, typer.Option(help="l2, consistency or combined.")] = "combined",
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = 10000,
    objects: Annotated[
        int | None, typer.Option(min=1, help="Only so many training objects, a fair sample.")
    ] = None,
    start: Annotated[str, typer.Option(help="Weights to begin with: a name or a path.")] = "",
    precision: Annotated[
        str, typer.Option(help="Of the convolutions: float32, or bfloat16 (faster on a GPU).")
    ] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: cuda where there is one.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Processes that make grids ahead on a CPU.")] = 1,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of prepared fields; ~/.cache/grasp_pose_net without.")
    ] = None,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Train a network.

    Example: grasp-pose-net train --dataset shadow.npz --meshes objects --out runs/compact
    On several GPUs: torchrun --nproc-per-node 4 -m grasp_pose_net.cli train --network paper --precision bfloat16 …
    """
    from grasp_pose_net.training import Resources, TrainConfig
    from grasp_pose_net.training import train as run_training

    config = TrainConfig(
        network=network, loss=loss, steps=steps, objects=objects, start=start, precision=precision, seed=seed
    )
    resources = Resources(device=device, workers=workers)
    report = run_training(dataset, meshes, out, hand, config, resources, cache)
    if not report:  # one of several processes, and not the first
        return
    typer.echo(f"weights: {report['weights']}; card: {out / 'card.md'}; curves: {out / 'curves.png'}")
    _write_json(report, json_file)


@app.command()
def evaluate(
    dataset: Annotated[list[Path], typer.Option(help="Dataset file of `synthesize`; one for each hand.")],
    meshes: Annotated[Path, typer.Option(help="Folder of meshes that the datasets were made from.")],
    network: Annotated[
        list[str],
        typer.Option(help="Weights in models/networks/, or a path; again for every loss, seed and hand."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for evaluation.md, .json, .png and cards.")],
    rotations: Annotated[
        int, typer.Option(min=1, help="Grids of each object; of fewer than the paper's 27, a random choice.")
    ] = 28,
    refined: Annotated[
        int, typer.Option(min=0, help="Objects of each side, a fair sample, whose grasps are refined.")
    ] = 100,
    licences: Annotated[
        Path | None,
        typer.Option(help="CSV with source, name, licence; index.csv of the meshes without it."),
    ] = None,
    trial: Annotated[bool, typer.Option(help="Try grasps of refined objects in physics.")] = True,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Compare networks with each other and with the paper: tables I and II, penetration, quality and force trials of grasps.

    Example: grasp-pose-net evaluate --dataset shadow.npz --meshes objects --network shadow_compact --out runs/figures
    Three losses: … --network runs/l2/best.safetensors --network runs/consistency/best.safetensors …
    """
    from grasp_pose_net.simulation.force_trial import ForceValidator
    from grasp_pose_net.training import Evaluation
    from grasp_pose_net.training import evaluate as run_evaluation
    from grasp_pose_net.training.tables import ratio_lines

    config = Evaluation(rotations=rotations, refined=refined, seed=seed)
    validate = ForceValidator() if trial else None
    report = run_evaluation(dataset, meshes, network, out, config, licences, validate)
    typer.echo("\n".join(ratio_lines(report)))
    typer.echo(
        f"tables: {out / 'evaluation.md'}; plot: {out / 'evaluation.png'}; beside them a card of each network"
    )
    _write_json(report, json_file)


@app.command()
def benchmark(
    meshes: Annotated[Path, typer.Option(help="Folder of meshes, one sub-folder for each source.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder for report.json, .md, .png; the same command goes on where it stopped."),
    ],
    split: Annotated[str, typer.Option(help="Objects by name: test, train or all.")] = "test",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many objects, a fair sample of all.")
    ] = None,
    stages: Annotated[
        str, typer.Option(help="Of scan,plan,force,lift. Without scan, plans on the meshes themselves.")
    ] = "scan,plan,force,lift",
    episodes: Annotated[int, typer.Option(min=1, help="Trials of each object.")] = 1,
    hand: HandName = "shadow",
    arm: Annotated[
        bool, typer.Option(help="Offer only what the arm that carries the hand can reach.")
    ] = True,
    network: Network = "",
    rotations: Annotated[
        int | None,
        typer.Option(min=1, help="Rotations shown to the network; as config/inference.yaml without."),
    ] = None,
    objective: Objective = "closing",
    jobs: Annotated[
        int, typer.Option(min=1, help="Trials at a time. Times are the protocols' only with 1.")
    ] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew.")] = False,
    seed: Seed = 0,
    json_file: JsonFile = None,
) -> None:
    """Scan, plan and try many objects in simulation, and compare the figures with the paper's.

    Status: 0 = every trial was measured, whether it failed or not; 1 = an error, or nothing could be measured; 3 = some
    meshes were left out, with the reason in the report (2 is a wrong command line).

    Example: grasp-pose-net benchmark --meshes objects --out runs/benchmark --limit 10
    Without cameras and arm: grasp-pose-net benchmark --meshes objects --out runs/force --stages plan,force --no-arm
    """
    from grasp_pose_net.benchmark import benchmark_config, run_benchmark

    own = {"network": network, "seed": seed} | ({} if rotations is None else {"rotations": rotations})
    config = benchmark_config(
        stages=[stage for stage in stages.split(",") if stage],
        grasps=own,
        descent={"objective": objective},
        episodes=episodes,
        seed=seed,
        hand=hand,
        arm=arm,
    )
    report = run_benchmark(meshes, out, config, split=split, limit=limit, jobs=jobs, overwrite=overwrite)
    typer.echo((out / "report.md").read_text())
    typer.echo(
        f"report: {out / 'report.md'}; plots: {out / 'report.png'}; pictures of failures: {out / 'failures'}"
    )
    _write_json(report, json_file)
    if report["left_out"]:
        raise typer.Exit(3 if report["objects"] else 1)


def _write_json(report: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=1) + "\n")
        typer.echo(f"report: {path}")


def main() -> None:
    """Entry point: errors are one line on standard error and status 1, no traceback."""
    try:
        app(standalone_mode=True)
    except GraspPoseNetError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
