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
from pathlib import Path

from sts_emulator.shared_server import free_port
from tests.bench import load
from tests.bench.__main__ import ALICE, ASSUME_ROLE, METHODS, RELEASE, WHO
from tests.bench.servers import Running, command, wait

WARM, COUNTED = 60, 200
CALLGRIND = ("valgrind", "--tool=callgrind", "--instr-atstart=no")
NOBODY = "http://127.0.0.1:9"  # an upstream to which nothing is passed
CALLS = {WHO: {}, ASSUME_ROLE: RELEASE}


def per_call(name: str, operation: str, *flags: str) -> float:
    """Instructions of one call over one connection, on the server called `name` (see servers.command)."""
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
            requests = load.signed(port, METHODS[operation], ALICE, count=COUNTED, **CALLS[operation])
            results = [load.drive(server, requests, 1, 600, limit=WARM)]
            switch(process, "on")
            results.append(load.drive(server, requests, 1, 600, limit=COUNTED))
            switch(process, "off")
        finally:
            process.terminate()
            process.wait()
        assert not any(result.errors for result in results), "every call is allowed"
        (total,) = re.findall(r"^totals: (\d+)", counts.read_text(), re.MULTILINE)
    return int(total) / COUNTED


def switch(process: subprocess.Popen, state: str) -> None:
    """Have callgrind begin or end to count."""
    subprocess.run(["vgdb", f"--pid={process.pid}", "instrumentation", state], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.instructions", description=__doc__)
    parser.add_argument("--before", default="", metavar="TREE", help="a clone of this project with a .venv")
    before = parser.parse_args().before
    for operation in CALLS:
        ours = per_call("ours", operation)
        told = f"{operation:<18} {ours:9,.0f}   with an upstream {per_call('ours', operation, '--upstream', NOBODY) / ours:.3f}"
        if before:
            told += f"   of before {ours / per_call(before, operation):.3f}"
        print(told, flush=True)


if __name__ == "__main__":
    main()
