"""The servers that a benchmark compares: ours, moto's, and a bare ASGI app that returns a fixed body. For Linux."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sts_emulator.shared_server import free_port
from tests.bench.measured import Measure

HERE = Path(__file__).parent
SCENARIO = HERE / "world.yaml"
CONNECTIONS_OF = {
    "ours": ("sts_emulator.serving.connection", "CallConnection"),
    "bare": ("uvicorn.protocols.http.httptools_impl", "HttpToolsProtocol"),
}
"""The class by whose hands calls come, of servers that can be measured from inside."""


@dataclass(eq=False)
class Running:
    """A server process, or several that are one emulator, and where they listen."""

    name: str
    process: subprocess.Popen
    port: int
    others: tuple[Running, ...] = ()
    """Replicas on the same state."""
    measure: Measure | None = None
    """What it notes of itself, where it was asked to."""

    @property
    def ports(self) -> list[int]:
        """All of its ports."""
        return [self.port, *(other.port for other in self.others)]

    def pids(self) -> list[int]:
        """Its processes: a parent's workers are children of it."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children), *(pid for other in self.others for pid in other.pids())]

    def cpu_seconds(self) -> float:
        """CPU time of the processes so far, user and system, all threads (clock_getcpuclockid(3), made by hand)."""
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.pids())

    def resident_mib(self) -> float:
        """Resident memory of the process."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0


def command(name: str, port: int, folder: Path) -> list[str]:
    """How the server called `name` is started on a port; `folder` is its own.

    A path is another tree of this project, and a URL the upstream of a door, or a state.
    """
    bin_dir = Path(sys.executable).parent
    serve = ["serve", "--port", str(port), "--scenario", str(SCENARIO)]
    file = ["--state", str(folder / "world.sqlite")]
    flags = {"ours": [], "state": file, "workers": [*file, "--workers", "2"]}
    if "://" in name:
        flags[name] = ["--upstream" if name.startswith("http://") else "--state", name]
    if name in flags:
        return [str(bin_dir / "sts-emulator"), *serve, *flags[name]]
    if name == "moto":
        return [str(bin_dir / "moto_server"), "-p", str(port)]
    if name == "bare":
        return [sys.executable, str(HERE / "bare.py"), str(port)]
    return [str(Path(name) / ".venv" / "bin" / "sts-emulator"), *serve]


def environment() -> dict[str, str]:
    """That of the servers: without what containers often set, and with which each start would compile a tree anew."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextlib.contextmanager
def running(name: str, cpu: int | None = 0, *, measured: bool = False) -> Iterator[Running]:
    """Start a server, pinned to one CPU, and stop it afterwards."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        given, measure = command(name, port, Path(folder)), None
        if measured:
            notes, script = Path(folder, "notes"), given[given[0] == sys.executable :]
            measure = Measure(notes)
            given = [sys.executable, "-m", "tests.bench.measured", str(notes), *CONNECTIONS_OF[name], *script]
        process = subprocess.Popen(
            given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
        )
        if cpu is not None:
            os.sched_setaffinity(process.pid, {cpu})  # threads that it starts inherit it
        try:
            wait(port)
            yield Running(name, process, port, measure=measure)
        finally:
            process.terminate()
            process.wait()


def wait(port: int, seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            connection.request("GET", "/health")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"nothing answers on port {port}")


def post(server: Running, path: str, body: object) -> None:
    """Ask the control API: JSON, or a scenario as it stands."""
    kind, text = ("text/yaml", body) if isinstance(body, str) else ("application/json", json.dumps(body))
    url = f"http://127.0.0.1:{server.port}/_emulator/api/worlds{path}"
    urllib.request.urlopen(urllib.request.Request(url, text.encode(), {"Content-Type": kind})).close()
