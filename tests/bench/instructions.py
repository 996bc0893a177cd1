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
from collections.abc import Iterator
from pathlib import Path

from sts_emulator.shared_server import free_port
from tests.bench import load
from tests.bench.__main__ import ALICE, METHODS, own_calls
from tests.bench.servers import Running, command, wait

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
            wait(port)
            server = Running(name, process, port)
            calls = own_calls(server)
            for number, (operation, method) in enumerate(METHODS.items(), start=1):
                requests = load.signed(port, method, ALICE, count=COUNTED, **calls[operation])
                results = [load.drive(server, requests, 1, 600, limit=WARM)]
                tell(process, "instrumentation", "on")
                results.append(load.drive(server, requests, 1, 600, limit=COUNTED))
                tell(process, "instrumentation", "off")
                tell(process, "dump")
                assert not any(result.errors for result in results), f"{name}: {operation} is refused"
                (total,) = re.findall(r"^totals: (\d+)", Path(f"{counts}.{number}").read_text(), re.MULTILINE)
                yield int(total) / COUNTED
        finally:
            process.terminate()
            process.wait()


def tell(process: subprocess.Popen, *words: str) -> None:
    """Give callgrind an order."""
    subprocess.run(["vgdb", f"--pid={process.pid}", *words], check=True, capture_output=True)


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
