"""`python -m tests.bench.instructions [--start] [--before TREE]`: how many instructions a call takes, also in another tree.

With `--start`: how many a server takes from its process's start to its first signed answer.

What else the machine does is not counted: valgrind counts the server's instructions alone, and slows it down fifty times.
docs/performance.md tells what came of it.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from sts_emulator.shared_server import free_port
from tests.bench import door, load
from tests.bench.__main__ import ALICE, ASSUME_ROLE, METHODS, RELEASE, own_calls
from tests.bench.servers import Running, command, environment, running, wait

Result = TypeVar("Result")

WARM, COUNTED = 1_100, 200  # by then a new event costs an old one, of which a world keeps 1,000
CALLGRIND = ("valgrind", "--tool=callgrind")
NOBODY = "http://127.0.0.1:9"  # an upstream to which nothing is passed


@contextlib.contextmanager
def watched(name: str, *flags: str, from_start: bool = False) -> Iterator[tuple[Running, Path]]:
    """The server called `name` (see servers.command) under callgrind, and where that writes what it has counted."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts")
        begin = f"--instr-atstart={'yes' if from_start else 'no'}"
        process = subprocess.Popen(
            [*CALLGRIND, begin, f"--callgrind-out-file={counts}", *command(name, port, Path(folder)), *flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environment(), "PYTHONHASHSEED": "0"},
        )
        try:
            wait(port, 300)
            yield Running(name, process, port), counts
        finally:
            process.terminate()
            process.wait()


def per_call(name: str, *flags: str) -> Iterator[float]:
    """Instructions of a call of each operation over one connection, on the server called `name`."""
    with watched(name, *flags) as (server, counts):
        calls = own_calls(server)
        for operation, method in METHODS.items():
            yield cost(server, counts, load.signed(server.port, method, ALICE, count=COUNTED, **calls[operation]))


def through_the_door(name: str) -> float:
    """Likewise of a GetObject of 1 KiB through the door of such a server."""
    with door.fixed_upstream() as upstream, watched(name, "--upstream", upstream) as (server, counts):
        return cost(server, counts, [door.get_object(server)])


def cost(server: Running, counts: Path, requests: list[bytes]) -> float:
    """Instructions of one of these requests."""
    load.drive(server, requests, 1, 600, limit=WARM)
    result, total = counted(server, counts, partial(load.drive, server, requests, 1, 600, COUNTED))
    _, idle = counted(server, counts, partial(time.sleep, COUNTED / result.rps))  # it looks at its files
    assert not result.errors, f"{server.name}: {requests[0][:60]!r} is refused"
    return (total - idle) / COUNTED


def of_start(name: str) -> int:
    """Instructions from the start of the server called `name` to its first signed answer."""
    with running(name, cpu=None):  # its first start compiles it
        pass
    with watched(name, from_start=True) as (server, counts):
        (request,) = load.signed(server.port, METHODS[ASSUME_ROLE], ALICE, count=1, **RELEASE)
        assert not load.drive(server, [request], 1, 600, limit=1).errors, f"{name}: it is refused"
        tell(server, "dump")
        return written(counts)


def counted(server: Running, counts: Path, work: Callable[[], Result]) -> tuple[Result, int]:
    """What `work` returns, and how many instructions the server took meanwhile."""
    tell(server, "instrumentation", "on")
    result = work()
    tell(server, "instrumentation", "off")
    tell(server, "dump")
    return result, written(counts)


def written(counts: Path) -> int:
    """The instructions that callgrind has written down."""
    (file,) = counts.parent.glob("counts.*")
    (total,) = re.findall(r"^totals: (\d+)", file.read_text(), re.MULTILINE)
    file.unlink()
    return int(total)


def tell(server: Running, *words: str) -> None:
    """Give callgrind an order."""
    subprocess.run(["vgdb", f"--pid={server.process.pid}", *words], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.instructions", description=__doc__)
    parser.add_argument("--before", default="", metavar="TREE", help="a clone of this project with a .venv")
    parser.add_argument("--start", action="store_true", help="count the start of a server, to its first signed answer")
    parser.add_argument("--only", default="", choices=("methods", "door"), help="a part of it")
    arguments = parser.parse_args()
    if arguments.start:
        start = of_start("ours")
        print(
            f"start {start:13,}"
            + (f"   of before {start / of_start(arguments.before):.3f}" if arguments.before else "")
        )
        return
    if arguments.only != "door":
        methods(arguments.before)
    if arguments.only != "methods" and not door.MISSING:
        passed = through_the_door("ours")
        of_before = f"   of before {passed / through_the_door(arguments.before):.3f}" if arguments.before else ""
        print(f"{'GetObject through the door':<26} {passed:9,.0f}{of_before}")


def methods(before: str) -> None:
    """What the calls of the methods take."""
    ours = list(per_call("ours"))
    others = {
        "with an upstream, of without": [
            b / a for a, b in zip(ours, per_call("ours", "--upstream", NOBODY), strict=True)
        ]
    }
    if before:
        others["of before"] = [a / b for a, b in zip(ours, per_call(before), strict=True)]
    for number, operation in enumerate(METHODS):
        told = "".join(f"   {name} {ratios[number]:.3f}" for name, ratios in others.items())
        print(f"{operation:<26} {ours[number]:9,.0f}{told}")


if __name__ == "__main__":
    main()
