"""The fault suite: what comes of hostile messages, broken files, lost answers and hostile clients of running nodes.

    grasp-pose-net study faults --messages 100000 --files 3000 --goals 1000 --requests 2000 --out docs/results/faults.json

Four parts, each left out by a count of 0. **Messages**: every kind of the table of hostile messages, and mutations by a seed of
an honest message of each border, to the nodes' own converters. **Files**: `study broken-files`. **Goals**: motions sent under
load through the executor's client of controllers, whose answers rclpy loses now and then. **Requests**: hostile messages of six
sorts to five running nodes; each has to be answered in words, and an honest client is served as before at the end. A fault
is everything else: a death, a hang, a traceback, an answer without a reason, a motion that nobody watched. With one, the exit
status is 1. Cancels, signals and long runs have studies of their own: `study cancel`, `study soak`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grasp_pose_net.commands.options import Seed, writable_file, writable_folder
from grasp_pose_net.commands.study.broken_files.run import break_files
from grasp_pose_net.markdown import table
from grasp_pose_net.provenance import record
from grasp_pose_net.storage import save_json

if TYPE_CHECKING:
    from grasp_pose_net.nodes.hostile import Tally

HEAD = ("part", "what", "tried", "taken or done", "refused in words", "slowest [s]", "faults")
Row = dict[str, Any]


def main(
    messages: Annotated[int, typer.Option(min=0, help="Mutated messages for each border.")] = 100_000,
    files: Annotated[int, typer.Option(min=0, help="Broken files for each reader.")] = 3000,
    goals: Annotated[int, typer.Option(min=0, help="Motions sent under load.")] = 1000,
    requests: Annotated[int, typer.Option(min=0, help="Hostile messages to running nodes.")] = 2000,
    out: Annotated[Path | None, typer.Option(help="JSON report.", callback=writable_file())] = None,
    logs: Annotated[
        Path, typer.Option(help="Folder for what the nodes say.", callback=writable_folder)
    ] = Path("runs/faults"),
    seed: Seed = 0,
) -> None:
    """Run the parts; the report is written after each."""
    parts = (
        (messages, lambda: _messages(messages, seed)),
        (files, lambda: _files(files, seed)),
        (goals, lambda: _goals(goals)),
        (requests, lambda: _requests(requests, seed, logs)),
    )
    rows: list[Row] = []
    for count, run in parts:
        if count:
            rows += run()
            if out is not None:
                save_json(out, {"rows": rows} | record(seed))
    typer.echo("\n".join(table(HEAD, [[_shown(row[name]) for name in HEAD] for row in rows])))
    for row in rows:
        for fault in row["faults"][:5]:
            typer.echo(f"{row['part']}, {row['what']}: {fault}", err=True)
    if any(row["faults"] for row in rows):
        raise typer.Exit(1)


def _messages(count: int, seed: int) -> list[Row]:
    from grasp_pose_net.nodes.hostile import BORDERS, fuzz, meet_kinds

    rows = []
    for name in BORDERS:
        rows.append(_tallied("kinds of message", meet_kinds(name)))
        tally = fuzz(name, count, seed)
        rows.append(_tallied("mutated messages", tally))
        typer.echo(f"{name}: {tally.taken} taken, {tally.refused} refused, {len(tally.failures)} faults")
    return rows


def _files(count: int, seed: int) -> list[Row]:
    return [
        _row("broken files", name, count, tally.right, tally.refused, tally.seconds, tally.faults)
        for name, tally in break_files(count, seed, say=typer.echo).items()
    ]


def _goals(count: int) -> list[Row]:
    from grasp_pose_net.nodes.goal_check import goals_under_load

    found = goals_under_load(count, typer.echo)
    faults = found.failures + [f"{found.unwatched} motions unwatched"] * (found.unwatched != 0)
    what = f"motions under load ({found.lost} answers lost)"
    return [_row("goals", what, count, found.done, 0, found.seconds, faults)]


def _requests(count: int, seed: int, logs: Path) -> list[Row]:
    from grasp_pose_net.nodes.fault_check import attack

    tallies, broken = attack(count, seed, logs, typer.echo)
    rows = [_tallied("running nodes", tally) for tally in tallies]
    return [*rows, _row("running nodes", "an honest client afterwards", 1, not broken, 0, 0.0, broken)]


def _tallied(part: str, tally: Tally) -> Row:
    faults = [f"{number}: {text}" for number, text in tally.failures]
    return _row(part, tally.border, tally.tried, tally.taken, tally.refused, tally.slowest_s, faults)


def _row(part: str, what: str, tried: int, done: int, refused: int, slowest: float, faults: list[Any]) -> Row:
    return dict(zip(HEAD, (part, what, tried, int(done), refused, round(slowest, 3), faults), strict=True))


def _shown(value: Any) -> str:
    return str(len(value)) if isinstance(value, list) else str(value)
