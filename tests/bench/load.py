"""Load: distinct signed requests over keep-alive connections from one process on the other core."""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import botocore.awsrequest
import botocore.session

from tests.bench.servers import Running

DISTINCT = 200


@dataclass
class Result:
    """What one run showed; `cpu_us` is the server's CPU time a request."""

    seconds: float
    rps: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    worst_ms: float
    errors: int


def best(results: list[Result]) -> Result:
    """The least of each cost, and the most requests a second; errors add up."""
    return Result(
        seconds=sum(result.seconds for result in results),
        rps=max(result.rps for result in results),
        cpu_us=min(result.cpu_us for result in results),
        p50_ms=min(result.p50_ms for result in results),
        p99_ms=min(result.p99_ms for result in results),
        worst_ms=min(result.worst_ms for result in results),
        errors=sum(result.errors for result in results),
    )


def signed(
    port: int,
    operation: str,
    keys: tuple[str, str, str | None],
    count: int = DISTINCT,
    path: str = "",
    **parameters: str | list[str],
) -> list[bytes]:
    """`count` distinct requests as botocore signs and sends them: `{n}` in a parameter is their number; of a list each has its own.

    `path` is where a world is, and none that of the default world.
    """
    session = botocore.session.get_session()
    session.set_credentials(*keys)
    client = session.create_client("sts", region_name="us-east-1", endpoint_url=f"http://127.0.0.1:{port}{path}")
    captured: list[bytes] = []

    def capture(request, **_):
        head = f"POST {path or '/'} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        for name, value in request.headers.items():
            text = value.decode() if isinstance(value, bytes) else value
            if name.lower() != "host":
                head += f"{name}: {text}\r\n"
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        captured.append(head.encode() + b"\r\n" + body)
        name = "".join(part.title() for part in operation.split("_"))
        return botocore.awsrequest.AWSResponse(request.url, 200, {}, _Answer(name))

    client.meta.events.register("before-send.sts.*", capture)
    method = getattr(client, operation)
    for number in range(count):
        method(**{name: _value(value, number) for name, value in parameters.items()})
    return captured


def _value(value: str | list[str], number: int) -> str:
    return value.replace("{n}", str(number)) if isinstance(value, str) else value[number % len(value)]


class _Answer:
    """A response that botocore reads as an empty result."""

    def __init__(self, name: str) -> None:
        self._body = f"<{name}Response><{name}Result/></{name}Response>".encode()

    def stream(self, **_):
        return iter([self._body])


def drive(
    server: Running,
    requests: list[bytes],
    connections: int,
    seconds: float,
    limit: int | None = None,
    *,
    undisturbed: bool = False,
) -> Result:
    """Keep `connections` busy for `seconds` (or `limit` requests); each sends when its answer is complete.

    `undisturbed`: latencies without the time for which other processes kept this one or the server from running, which
    the kernel counts for each. What the host of a virtual machine took it does not count: a bare server tells of that.
    """
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    with _undisturbed(server) if undisturbed else contextlib.nullcontext(time.perf_counter) as clock, _uncollected():
        return _drive(server, requests, connections, seconds, limit, clock)


def _drive(
    server: Running,
    requests: list[bytes],
    connections: int,
    seconds: float,
    limit: int | None,
    clock: Callable[[], float],
) -> Result:
    selector = selectors.DefaultSelector()
    clients = []
    for number in range(connections):
        clients.append([None, number, 0.0, b""])
        _connect(selector, clients[-1], server.ports[number % len(server.ports)])
    latencies: list[float] = []
    errors = done = 0
    cpu, start = server.cpu_seconds(), time.perf_counter()
    for client in clients:
        client[2] = clock()
        client[0].sendall(requests[client[1] % len(requests)])
    stop = start + seconds
    while time.perf_counter() < stop and (limit is None or done < limit):
        ready, now = selector.select(1), clock()  # answers that come together came now, however long they take to read
        for key, _ in ready:
            client = key.data
            client[3] += client[0].recv(65536)
            if not _complete(client[3]):
                continue
            closing = b"connection: close" in client[3][:500].lower()
            latencies.append(now - client[2])
            errors += not client[3].startswith(b"HTTP/1.1 200")
            done += 1
            client[1] += connections
            client[3] = b""
            if closing:  # moto's server answers one request a connection
                _connect(selector, client, server.port)
            client[2] = clock()
            client[0].sendall(requests[client[1] % len(requests)])
    elapsed, used = time.perf_counter() - start, server.cpu_seconds() - cpu
    for client in clients:
        client[0].close()
    latencies.sort()
    return Result(
        seconds=elapsed,
        rps=done / elapsed,
        cpu_us=used / done * 1e6,
        p50_ms=latencies[len(latencies) // 2] * 1e3,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1e3,
        worst_ms=latencies[-1] * 1e3,
        errors=errors,
    )


@contextlib.contextmanager
def _undisturbed(server: Running) -> Iterator[Callable[[], float]]:
    """A clock that stands still while this process or the server's main thread is ready to run and does not."""
    with contextlib.ExitStack() as stack:
        paths = [Path(f"/proc/{pid}/schedstat") for pid in (os.getpid(), server.process.pid)]
        files = [stack.enter_context(path.open("rb", buffering=0)).fileno() for path in paths]
        yield lambda: time.perf_counter() - sum(int(os.pread(file, 64, 0).split()[1]) for file in files) / 1e9


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Without this process's collector, whose milliseconds would be told as the server's."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _connect(selector: selectors.BaseSelector, client: list, port: int) -> None:
    if client[0] is not None:
        selector.unregister(client[0])
        client[0].close()
    client[0] = socket.create_connection(("127.0.0.1", port))
    client[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client[0].settimeout(0)
    selector.register(client[0], selectors.EVENT_READ, client)


def _complete(data: bytes) -> bool:
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        return False
    lower = head.lower()
    at = lower.find(b"content-length:")
    return at < 0 or len(body) >= int(lower[at + 15 :].split(b"\r\n", 1)[0])
