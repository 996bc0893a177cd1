"""`python -m tests.bench.bench_labs`: thirty learners on one server with a file check their labs; none should wait 200 ms.

Each has solved a lab before, so that a world has the events of one. First one after the other, then all at once. The
server's own time is told as well: it does not depend on what else the machine does.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sts_emulator.cli.control import Control, answers
from sts_emulator.cli.learner import Learner
from sts_emulator.labs import proof, shelf
from sts_emulator.shared_server import free_port

LEARNERS = 30


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        flags = ["--port", str(port), "--upstream", "moto", "--scenario", "/dev/null", "--state", "state.db"]
        process = subprocess.Popen(
            [sys.executable, "-m", "sts_emulator", "serve", *flags], cwd=folder, stdout=subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{port}"
            while not answers(url):
                time.sleep(0.1)
            for name in sys.argv[1:] or shelf.names():
                measure(url, name, process.pid)
        finally:
            process.terminate()
            process.wait()


def measure(url: str, name: str, server: int) -> None:
    learners = [Learner(Control(url), f"{name}-{number}") for number in range(LEARNERS)]
    for learner in learners:
        learner.start(name)
        proof.solve(learner, name)
    before = processor_ms(server)
    alone = [timed(learner, name) for learner in learners]
    with ThreadPoolExecutor(LEARNERS) as pool:
        at_once = list(pool.map(lambda learner: timed(learner, name), learners))
    told = (f"{label} {of(figures)}" for label, figures in (("alone", alone), ("all at once", at_once)))
    own = (processor_ms(server) - before) / (2 * LEARNERS)
    print(f"{name:<17} {'; '.join(told)}; the server's own {own:.1f} ms each", flush=True)
    for learner in learners:
        learner.close()


def timed(learner: Learner, name: str) -> float:
    begun = time.perf_counter()
    assert learner.check(name)["solved"]
    return (time.perf_counter() - begun) * 1000


def processor_ms(process: int) -> float:
    """The processor's time that a process has taken."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


def of(figures: list[float]) -> str:
    return f"median {statistics.median(figures):.0f} ms, longest {max(figures):.0f} ms"


if __name__ == "__main__":
    main()
