"""`python -m tests.bench.instructions [--before TREE]`: how many instructions a call takes, also those of another tree.

What else the machine does is not counted: valgrind counts the server's instructions alone, and slows it down fifty times.
docs/performance.md tells what came of it.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

from sts_emulator.shared_server import free_port
from tests.bench import load
from tests.bench.__main__ import ALICE, METHODS, own_calls
from tests.bench.servers import Running, command, wait

Result = TypeVar("Result")

WARM, COUNTED = 60, 200
CALLGRIND = ("valgrind", "--tool=callgrind", "--instr-atstart=no")
NOBODY = "http://127.0.0.1:9"  # an upstream to which nothing is passed


def per_call(name: str, *flags: str) -> Iterator[float]:
    """Instructions of a call of each operation over one connection, on the server called `name` (see servers.command)."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder, "counts")
        process = subprocess.Popen(
            [*CALLGRIND, f"--callgrind-out-file={counts}", *command(name, port, Path(folder)), *flags],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        try:
            wait(port, 300)
            server = Running(name, process, port)
            calls = own_calls(server)
            for operation, method in METHODS.items():
                requests = load.signed(port, method, ALICE, count=COUNTED, **calls[operation])
                load.drive(server, requests, 1, 600, limit=WARM)
                result, total = counted(server, counts, partial(load.drive, server, requests, 1, 600, COUNTED))
                _, idle = counted(server, counts, partial(time.sleep, COUNTED / result.rps))  # it looks at its files
                assert not result.errors, f"{name}: {operation} is refused"
                yield (total - idle) / COUNTED
        finally:
            process.terminate()
            process.wait()


def counted(server: Running, counts: Path, work: Callable[[], Result]) -> tuple[Result, int]:
    """What `work` returns, and how many instructions the server took meanwhile."""
    tell(server, "instrumentation", "on")
    result = work()
    tell(server, "instrumentation", "off")
    tell(server, "dump")
    (written,) = counts.parent.glob("counts.*")
    (total,) = re.findall(r"^totals: (\d+)", written.read_text(), re.MULTILINE)
    written.unlink()
    return result, int(total)


def tell(server: Running, *words: str) -> None:
    """Give callgrind an order."""
    subprocess.run(["vgdb", f"--pid={server.process.pid}", *words], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.instructions", description=__doc__)
    parser.add_argument("--before", default="", metavar="TREE", help="a clone of this project with a .venv")
    before = parser.parse_args().before
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
