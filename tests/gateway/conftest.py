"""The door before a real moto server, each a process of its own; a world of its own for each test."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from door_lab import NOTHING, PEOPLE, Listener, client, listening

from sts_emulator import Aws, Emulator
from sts_emulator.shared_server import free_port


@contextlib.contextmanager
def running(*command: str, ready: str) -> Iterator[subprocess.Popen]:
    """A server in a process of its own, once it answers."""
    process = subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 240
        while time.monotonic() < until and process.poll() is None:
            try:
                urllib.request.urlopen(ready, timeout=120).close()
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.05)
            else:
                break
        yield process
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def door_before(upstream: str, *flags: str) -> Iterator[Emulator]:
    """An emulator of its own, which passes on what it does not have: to `upstream`, or where its environment says."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    to = ["--upstream", upstream] if upstream else []
    command = [sys.executable, "-m", "sts_emulator", "serve", "--port", str(port), *to, *flags]
    with running(*command, ready=f"{url}/health"):
        yield Emulator(url)


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of a real moto server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(*command, ready=f"{url}/moto-api/"):
        yield url


@pytest.fixture(scope="session")
def door(moto) -> Iterator[Emulator]:
    """An emulator with moto as its upstream."""
    with door_before(moto) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def another_door() -> Callable[..., contextlib.AbstractContextManager[Emulator]]:
    """`with another_door(upstream, *flags) as emulator:` one with other settings."""
    return door_before


@pytest.fixture
def lab(request, door, moto) -> Iterator[Aws]:
    """A world of the test's own behind that door, seeded from its `scenario` marker; moto is emptied before."""
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    marker = request.node.get_closest_marker("scenario")
    with door.world(marker.args[0] if marker else None) as aws:
        yield aws


@pytest.fixture
def photos(lab: Aws):
    """Root's client of S3, with a bucket."""
    root = client(lab, "s3")
    root.create_bucket(Bucket="photos")
    return root


@pytest.fixture(scope="session")
def listener_and_door(another_door) -> Iterator[tuple[Listener, Emulator]]:
    with listening(NOTHING) as upstream, another_door(upstream.url) as emulator:
        yield upstream, emulator


@pytest.fixture
def upstream(listener_and_door) -> Listener:
    """One that all these tests share; each says what it answers."""
    upstream, _ = listener_and_door
    upstream.answer = NOTHING
    upstream.heard.clear()
    return upstream


@pytest.fixture
def before_it(listener_and_door) -> Iterator[Aws]:
    """A world behind the door that stands before it."""
    _, emulator = listener_and_door
    with emulator.world(PEOPLE) as aws:
        yield aws
