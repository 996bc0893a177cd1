"""`python -m tests.bench.bench_labs [LAB…]`: thirty learners on one server with a file check their labs; none waits 200 ms.

Each has solved the lab, so that a world has the events of one. They check all at once, for the first time and once more,
and one after the other. What is measured is the time from a request's first byte sent to its answer's last byte read, by
one thread over connections that were open before: what a client does besides is not the check's. The server's own time is
told as well; it does not depend on what else the machine does. The exit code is 1 where anybody waited longer.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from sts_emulator.cli.control import Control, answers
from sts_emulator.cli.learner import Learner
from sts_emulator.labs import proof, shelf
from sts_emulator.shared_server import free_port

LEARNERS = 30
LONGEST = 200  # milliseconds


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        flags = ["--port", str(port), "--upstream", "moto", "--scenario", "/dev/null", "--state", "state.db"]
        process = subprocess.Popen(
            [sys.executable, "-m", "sts_emulator", "serve", *flags], cwd=folder, stdout=subprocess.DEVNULL
        )
        try:
            url = f"http://127.0.0.1:{port}"
            while not answers(url):
                assert process.poll() is None, "the server has ended"
                time.sleep(0.1)
            longest = {name: measure(url, name, process.pid) for name in sys.argv[1:] or shelf.names()}
        finally:
            process.terminate()
            process.wait()
    for name, milliseconds in longest.items():
        passed = "pass" if milliseconds <= LONGEST else "FAIL"
        print(f"{passed}  {name:<17} the longest check of {LEARNERS} at once: {milliseconds:.0f} of {LONGEST} ms")
    return 0 if max(longest.values()) <= LONGEST else 1


def measure(url: str, name: str, server: int) -> float:
    """Print what checks of a lab take; the longest of those at once, in milliseconds."""
    learners = [Learner(Control(url), f"{name}-{number}") for number in range(LEARNERS)]
    for learner in learners:
        learner.start(name)
        proof.solve(learner, name)
        learner.close()
    checks = [Check(url, learner.world, name) for learner in learners]
    before = processor_ms(server)
    first, again = at_once(checks), at_once(checks)
    alone = [figure for check in checks for figure in at_once([check])]
    own = (processor_ms(server) - before) / (3 * LEARNERS)
    told = {"the first at once": first, "again": again, "alone": alone}
    print(f"{name:<17} {'; '.join(f'{label} {of(took)}' for label, took in told.items())}; ", end="")
    print(f"the server's own {own:.1f} ms each", flush=True)
    for check in checks:
        check.connection.close()
    return max(first + again)


class Check:
    """A learner's check over a connection of their own."""

    def __init__(self, url: str, world: str, lab: str) -> None:
        place = urlsplit(url)
        target = f"/_emulator/api/worlds/{world}/labs/{lab}/check"
        self.request = f"POST {target} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 0\r\n\r\n".encode()
        self.connection = socket.create_connection((str(place.hostname), int(place.port or 80)))
        self.sent = self.took = 0.0
        self.answer = b""

    def send(self) -> None:
        self.answer, self.sent = b"", time.perf_counter()
        self.connection.sendall(self.request)

    def has_come(self) -> bool:
        """Read on; whether the answer is complete. It is to be that of a lab that is solved."""
        self.answer += self.connection.recv(1 << 20)
        self.took = (time.perf_counter() - self.sent) * 1000
        head, _, body = self.answer.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return bool(length) and len(body) >= int(length)


def at_once(checks: Sequence[Check]) -> list[float]:
    """Milliseconds that each takes when all are sent before the first answer is read."""
    with selectors.DefaultSelector() as waiting:
        for check in checks:
            waiting.register(check.connection, selectors.EVENT_READ, check)
        for check in checks:
            check.send()
        while waiting.get_map():
            for key, _ in waiting.select():
                if key.data.has_come():
                    waiting.unregister(key.fileobj)
    for check in checks:
        assert json.loads(check.answer.partition(b"\r\n\r\n")[2])["solved"]
    return [check.took for check in checks]


def processor_ms(process: int) -> float:
    """The processor's time that a process has taken."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


def of(figures: list[float]) -> str:
    return f"median {statistics.median(figures):.0f} ms, longest {max(figures):.0f} ms"


if __name__ == "__main__":
    sys.exit(main())
