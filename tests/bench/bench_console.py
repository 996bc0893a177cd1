"""What the console costs: its first page, the pages after it, and 300 readers of the timeline: `python -m tests.bench.bench_console`."""

from __future__ import annotations

import contextlib
import http.client
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench import load
from tests.bench.__main__ import ALICE, CONNECTIONS, RELEASE
from tests.bench.servers import Running, running

READERS, ROUNDS, RATE, SECONDS, PAUSE = 300, 3, 200, 8.0, 2.0


def page(server: Running, path: str = "/_emulator/") -> float:
    """Milliseconds of the server's CPU time that a page takes."""
    before = server.cpu_seconds()
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("GET", path, headers={"Accept": "text/html"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200
    return (server.cpu_seconds() - before) * 1e3


def paced(server: Running, requests: list[bytes]) -> float:
    """The share of a core that calls at a steady rate take: more of them show the readers no more."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    before, began = server.cpu_seconds(), time.perf_counter()
    for number in range(int(RATE * SECONDS)):
        connection.sendall(requests[number % len(requests)])
        connection.recv(65536)
        time.sleep(max(0.0, began + (number + 1) / RATE - time.perf_counter()))
    connection.close()
    return (server.cpu_seconds() - before) / (time.perf_counter() - began)


def at_full_rate(server: Running, requests: list[bytes]) -> tuple[float, float]:
    """CPU time of a call without and with readers, in turns, as the machine is not the same all the time."""
    alone, watched = [], []
    for _ in range(ROUNDS):
        alone.append(load.drive(server, requests, CONNECTIONS, SECONDS / 2).cpu_us)
        with reading(server.port):
            watched.append(load.drive(server, requests, CONNECTIONS, SECONDS / 2).cpu_us)
    return min(alone), min(watched)


@contextlib.contextmanager
def reading(port: int) -> Iterator[None]:
    """Open streams of the timeline, read by a process of their own as fast as they come."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bench_console", str(port)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"all are open\n"
    time.sleep(PAUSE)
    yield
    assert process.poll() is None
    process.kill()
    process.wait()
    time.sleep(PAUSE)  # opening and closing is not what an open stream costs


def read(port: int) -> None:
    """Be the readers."""
    selector, told = selectors.DefaultSelector(), 0
    for _ in range(READERS):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(f"GET /_emulator/live HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        selector.register(connection, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if b"listening" in key.fileobj.recv(65536):
                told += 1
                if told == READERS:
                    print("all are open", flush=True)


def main() -> None:
    with running("ours") as server:
        print(f"first page after a cold start     {page(server):7.1f} ms CPU")
        requests = load.signed(server.port, "assume_role", ALICE, **RELEASE)
        load.drive(server, requests, CONNECTIONS, 0.5)
        page(server)
        print(f"a page of 100 attempts, after it  {min(page(server) for _ in range(9)):7.1f} ms CPU")
        alone = min(paced(server, requests) for _ in range(ROUNDS))
        with reading(server.port):
            watched = min(paced(server, requests) for _ in range(ROUNDS))
        print(f"{RATE} calls a second                 {alone * 100:7.1f} % of a core")
        print(f"the same with {READERS} readers           {watched * 100:7.1f} % of a core")
        hurried, hurried_watched = at_full_rate(server, requests)
        print(f"a call at the full rate           {hurried:7.1f} us CPU")
        print(f"the same with {READERS} readers           {hurried_watched:7.1f} us CPU")


if __name__ == "__main__":
    read(int(sys.argv[1])) if len(sys.argv) > 1 else main()
