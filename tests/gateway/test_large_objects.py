"""Large objects pass the door in flat memory, in both directions."""

from __future__ import annotations

import http.client
import http.server
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import botocore.session
import pytest
from botocore.config import Config

from sts_emulator.shared_server import free_port

SIZE = int(os.environ.get("LARGE_OBJECT_MIB", "256")) << 20
GROWTH = 32 << 20  # bytes: what is on its way, and what the allocator keeps
PIECE = bytes(1 << 20)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")

ROOT = ("AKIARTX3GSDSLARGEOBJ", "large-object-secret")
SCENARIO = f'accounts: {{"111122223333": {{root: {{access_key_id: {ROOT[0]}, secret_access_key: {ROOT[1]}}}}}}}'


class Depot(http.server.BaseHTTPRequestHandler):
    """An upstream that keeps nothing: it counts what it is sent, and hands out as much of nothing."""

    protocol_version = "HTTP/1.1"
    received = 0

    def do_GET(self) -> None:
        is_object = self.path == "/photos/large"
        self.send_response(200 if is_object else 404)
        self.send_header("Content-Length", str(SIZE if is_object else 0))
        self.end_headers()
        for _ in range(SIZE // len(PIECE) if is_object else 0):
            self.wfile.write(PIECE)

    do_HEAD = do_GET  # asked for what is not there, which has no body

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(taken := self.rfile.read1(min(left, len(PIECE))))
            Depot.received += len(taken)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    """URL and process of an emulator before the depot."""
    depot = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Depot)
    threading.Thread(target=depot.serve_forever, args=(0.01,), daemon=True).start()
    scenario = tmp_path_factory.mktemp("large") / "world.yaml"
    scenario.write_text(SCENARIO)
    url, upstream = f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{depot.server_port}"
    flags = ["--port", str(urlsplit(url).port), "--scenario", str(scenario), "--upstream", upstream]
    command = [sys.executable, "-m", "sts_emulator", "serve", *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not answers(url) and process.poll() is None:
            time.sleep(0.05)
        yield url, process.pid
        process.terminate()
    depot.shutdown()
    depot.server_close()


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/health").close()
    except OSError:
        return False
    return True


def most_memory(process: int) -> int:
    """The most that a process has had in memory at once, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))


def presigned(url: str, operation: str) -> str:
    session = botocore.session.get_session()
    session.set_credentials(*ROOT)
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    s3 = session.create_client("s3", region_name="us-east-1", endpoint_url=url, config=config)
    whole = s3.generate_presigned_url(
        operation, {"Bucket": "photos", "Key": "small" if operation == "head_object" else "large"}
    )
    return whole.removeprefix(url)


def call(url: str, operation: str, body=None) -> tuple[int, int]:
    """Status, and how many bytes the answer had."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    method = {"get_object": "GET", "put_object": "PUT"}.get(operation, "HEAD")
    connection.request(method, presigned(url, operation), body, {"Content-Length": str(SIZE)} if body else {})
    answer, size = connection.getresponse(), 0
    while piece := answer.read(len(PIECE)):
        size += len(piece)
    connection.close()
    return answer.status, size


@pytest.mark.parametrize("operation", ["put_object", "get_object"])
def test_memory_stays_flat(door, operation, tmp_path):
    url, process = door
    with (tmp_path / "large").open("wb+") as body:
        body.truncate(SIZE)  # a file of nothing takes no room
        call(url, "head_object")  # loads what the first call loads
        before, Depot.received = most_memory(process), 0
        given = call(url, operation, body if operation == "put_object" else None)
    if operation == "put_object":
        assert (given, Depot.received) == ((200, 0), SIZE)
    else:
        assert given == (200, SIZE)
    assert most_memory(process) - before < GROWTH
