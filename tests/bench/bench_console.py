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

READERS, ROUNDS, SECONDS, PAUSE = 300, 5, 6.0, 2.0


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
        alone, watched = [], []
        for _ in range(ROUNDS):
            alone.append(load.drive(server, requests, CONNECTIONS, SECONDS))
            with reading(server.port):
                watched.append(load.drive(server, requests, CONNECTIONS, SECONDS))
        costs = [load.best(results).cpu_us for results in (alone, watched)]
        print(f"AssumeRole                        {costs[0]:7.1f} us CPU")
        print(
            f"AssumeRole with {READERS} readers       {costs[1]:7.1f} us CPU, {(costs[1] / costs[0] - 1) * 100:+.1f} %"
        )


if __name__ == "__main__":
    read(int(sys.argv[1])) if len(sys.argv) > 1 else main()
