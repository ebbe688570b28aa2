"""Broken files for every reader, in processes that may die: how many were read, how many refused, what else happened."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grasp_pose_net.commands.study.broken_files import child
from grasp_pose_net.commands.study.broken_files.child import FAULT, REFUSED, RIGHT, content
from grasp_pose_net.commands.study.broken_files.readers import READERS
from grasp_pose_net.exceptions import ConfigError
from grasp_pose_net.markdown import table
from grasp_pose_net.storage import whole

SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None  # thousands of files that nobody keeps
BATCH = 1000  # inputs of one process
START_S = 600.0  # for a process to load and compile what its reader needs
LIMIT_S, LIMIT_MB = 10.0, 512.0  # of the processor and of memory, for one input of at most 64 KiB
WAIT_S = 120.0  # until a process that says nothing hangs, however busy the machine is

Work = Callable[..., None]


@dataclass
class Tally:
    """What came of the inputs of one reader.

    Attributes:
        right: read, and good.
        refused: one line of ours.
        faults: everything else: "number", "text", and "file" where the input was kept.
        seconds: longest time of one input [s].
        megabytes: most memory of one input [MiB].
    """

    right: int = 0
    refused: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    megabytes: float = 0.0

    def add(self, line: dict[str, Any]) -> None:
        """Count what a process said of one input."""
        self.seconds, self.megabytes = max(self.seconds, line["s"]), max(self.megabytes, line["mb"])
        outcome, text = line["outcome"], line["text"]
        if line["s"] > LIMIT_S or line["mb"] > LIMIT_MB:
            outcome, text = FAULT, f"took {line['s']:.1f} s and {line['mb']:.0f} MiB: {text}"
        self.right += outcome == RIGHT
        self.refused += outcome == REFUSED
        if outcome == FAULT:
            self.faults.append({"number": line["number"], "text": text})


def break_files(
    count: int,
    seed: int = 0,
    names: Sequence[str] = (),
    keep: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
    work: Work = child.work,
) -> dict[str, Tally]:
    """Give every reader broken files.

    Args:
        count: files for each.
        seed: of how they are broken.
        names: of `READERS`; all without.
        keep: folder for inputs that did what they must not; they are made again from seed and number without.
        say: takes a line for each reader.
        work: what a process does, see `child.work`; another one for tests.

    Returns:
        What came of them, by reader.

    Raises:
        ConfigError: there is no such reader.
    """
    if unknown := sorted(set(names) - set(READERS)):
        raise ConfigError(f"no reader {unknown[0]!r}; there are: {', '.join(READERS)}")
    tallies = {}
    for name in names or READERS:
        tallies[name] = tally = Tally()
        for line in _outcomes(name, count, seed, work):
            tally.add(line)
        if keep is not None:
            _keep(keep, name, seed, tally)
        say(f"{name}: {tally.right} right, {tally.refused} refused, {len(tally.faults)} faults")
    return tallies


def figures_table(tallies: dict[str, Tally]) -> str:
    """The counts as a table in Markdown."""
    rows = [
        (name, t.right, t.refused, len(t.faults), f"{t.seconds:.2f}", f"{t.megabytes:.0f}")
        for name, t in tallies.items()
    ]
    head = ("reader", "right", "refused in one line", "anything else", "longest [s]", "most memory [MiB]")
    return "\n".join(table(head, rows))


def _outcomes(name: str, count: int, seed: int, work: Work) -> Iterator[dict[str, Any]]:
    """What came of each input; after one that ends or stops its process, another goes on behind it."""
    following = 0
    while following < count:
        last, ended = None, ""
        wanted = min(BATCH, count - following)
        with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
            for line in _lines(name, following, wanted, seed, folder, work):
                if "ended" in line:
                    ended = line["ended"]
                elif "begin" in line:
                    last = line["begin"]
                else:
                    last, following = None, line["number"] + 1
                    yield line
        if ended and last is None:
            raise RuntimeError(f"the process that reads {name} ended outside any input: {ended}")
        if last is not None:
            yield {"number": last, "outcome": FAULT, "text": f"its process {ended}", "s": 0.0, "mb": 0.0}
            following = last + 1


def _lines(name: str, first: int, count: int, seed: int, folder: str, work: Work) -> Iterator[dict[str, Any]]:
    """What a process says, and "ended" where it does not come to its end by itself."""
    context = multiprocessing.get_context("forkserver")  # which loads the libraries once for all
    context.set_forkserver_preload([child.__name__])
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(name, first, count, seed, folder, writing), daemon=True)
    process.start()
    writing.close()
    waits = START_S
    try:
        while reading.poll(waits):
            yield reading.recv()
            waits = WAIT_S
        yield {"ended": f"did not answer within {waits:g} s"}
    except EOFError:
        process.join(WAIT_S)
        if status := process.exitcode:
            kind = signal.Signals(-status).name if status < 0 else f"status {status}"
            yield {"ended": f"ended with {kind}"}
    finally:
        process.kill()
        process.join()


def _keep(folder: Path, name: str, seed: int, tally: Tally) -> None:
    """Write the inputs that were faults."""
    if not tally.faults:
        return
    with tempfile.TemporaryDirectory() as place:
        reader = READERS[name](Path(place))
    for fault in tally.faults:
        file = folder / f"{name.replace(' ', '_')}-{seed}-{fault['number']}{reader.suffix}"
        with whole(file) as unfinished:
            unfinished.write_bytes(content(reader, name, fault["number"], seed))
        fault["file"] = str(file)
