"""One server for a test run, or for a program: started on a free port, gone with the last that uses it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_LIMIT = 120.0  # seconds for the server to answer; it takes a quarter of one
ATTEMPTS = 5  # ports to try: between choosing one and listening on it, somebody else may take it
PORTS = (20_000, 32_000)


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[str]:
    """The URL of one server for everybody who shares `folder`; it ends with the last of them, however they end.

    Each user holds a shared lock on `users`. The server itself asks for the exclusive one, and gets it when nobody
    is left: no count can go wrong when a worker crashes.
    """
    try:
        import fcntl
    except ImportError:  # not made for Windows: everybody has a server
        with _own() as url:
            yield url
        return
    folder.mkdir(exist_ok=True)
    process = None
    with (folder / "users").open("w") as users, (folder / "starting").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        place = folder / "url"
        url = place.read_text() if place.exists() else ""
        if not url or not _answers(url):
            url, process = _start(folder / "users")
            place.write_text(url)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield url
        finally:
            if process is not None:
                if _try_lock(users):
                    fcntl.flock(users, fcntl.LOCK_UN)  # now the server is granted it, and ends
                    process.wait()
                else:
                    process.returncode = 0  # it goes on for others: nobody is to complain that it was not waited for


def _try_lock(file: Any) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _own() -> Iterator[str]:
    url, process = _start(None)
    try:
        yield url
    finally:
        process.terminate()
        process.wait()


def _start(users: Path | None) -> tuple[str, Any]:
    """Start a server on a free port, and wait until it answers."""
    import subprocess
    import sys
    import time

    for _ in range(ATTEMPTS):
        port = free_port()
        command = [
            sys.executable,
            "-m",
            "sts_emulator.shared_server",
            str(port),
            *([] if users is None else [str(users)]),
        ]
        process = subprocess.Popen(  # noqa: S603 - this program itself
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        url = f"http://127.0.0.1:{port}"
        for _ in range(int(START_LIMIT / 0.02)):
            if process.poll() is not None:
                break
            if _answers(url):
                return url, process
            time.sleep(0.02)
        else:
            process.kill()
    message = "the emulator did not start; what it says is on standard error"
    raise RuntimeError(message)


def free_port() -> int:
    """A port that nobody listens on now.

    It lies below those that systems hand out by themselves (Linux from 32768, others from 49152): else the next
    connection that any program opens may get it before the one who asked listens there.
    """
    import random
    import socket

    while True:
        port = random.randrange(*PORTS)  # noqa: S311 - no secret
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _answers(url: str) -> bool:
    from sts_emulator.cli.control import TIMEOUT, answers

    return answers(url, patience=TIMEOUT)


def _serve(port: int, users: str | None) -> None:
    """What the server's process runs: an emulator without accounts of its own, until its last user is gone."""
    from dataclasses import replace
    from threading import Thread

    from sts_emulator.app import serve
    from sts_emulator.core import rsa_keys
    from sts_emulator.settings import Settings

    if users is not None:
        Thread(target=_end_with, args=(users,), daemon=True).start()
    rsa_keys.reuse()
    serve(replace(Settings(), port=port, scenario=(os.devnull,)))


def _end_with(users: str) -> None:
    """End with the last user. The lock is kept until then: who comes meanwhile waits, and starts another server."""
    import fcntl
    import signal
    from threading import Event

    with Path(users).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # granted when every user's process has let go
        os.kill(os.getpid(), signal.SIGTERM)
        Event().wait()


if __name__ == "__main__":
    import sys

    _serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)  # noqa: PLR2004 - port and users
