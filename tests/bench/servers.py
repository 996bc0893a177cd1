"""The servers that a benchmark compares: ours, moto's, and a bare ASGI app that returns a fixed body. For Linux."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SCENARIO = HERE / "world.yaml"


@dataclass(eq=False)
class Running:
    """A server process and its port."""

    name: str
    process: subprocess.Popen
    port: int

    def cpu_seconds(self) -> float:
        """CPU time of the process so far, user and system, all its threads (clock_getcpuclockid(3), made by hand)."""
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def resident_mib(self) -> float:
        """Resident memory of the process."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0


def command(name: str, port: int, folder: Path) -> list[str]:
    """How the server called `name` is started on a port; `folder` is its own.

    A path is another tree of this project, and a URL the upstream of a door.
    """
    bin_dir = Path(sys.executable).parent
    serve = ["serve", "--port", str(port), "--scenario", str(SCENARIO)]
    match name:
        case "ours":
            return [str(bin_dir / "sts-emulator"), *serve]
        case "state":
            return [str(bin_dir / "sts-emulator"), *serve, "--state", str(folder / "world.sqlite")]
        case "moto":
            return [str(bin_dir / "moto_server"), "-p", str(port)]
        case "bare":
            return [sys.executable, str(HERE / "bare.py"), str(port)]
        case door if door.startswith("http://"):
            return [str(bin_dir / "sts-emulator"), *serve, "--upstream", door]
        case tree:
            return [str(Path(tree) / ".venv" / "bin" / "sts-emulator"), *serve]


@contextlib.contextmanager
def running(name: str, cpu: int | None = 0) -> Iterator[Running]:
    """Start a server, pinned to one CPU, and stop it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command(name, port, Path(folder)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if cpu is not None:
            os.sched_setaffinity(process.pid, {cpu})  # threads that it starts inherit it
        try:
            _wait(port)
            yield Running(name, process, port)
        finally:
            process.terminate()
            process.wait()


def _wait(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"nothing answers on port {port}")
