"""Connections are accepted and ended in order, and uvicorn is loaded by the first request that needs it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sts_emulator.app import create_server, handle, refuse
from sts_emulator.serving import acceptor
from sts_emulator.serving.acceptor import Acceptor
from sts_emulator.serving.connection import CallConnection
from sts_emulator.serving.front import Front
from sts_emulator.settings import Settings
from sts_emulator.shared_server import free_port

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
PAGE = b"GET /issuers/nobody/.well-known/openid-configuration HTTP/1.1\r\nHost: localhost\r\n\r\n"
CALL = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 43\r\n\r\n"
    b"Action=GetCallerIdentity&Version=2011-06-15"
)


async def nothing(_scope, _receive, _send):
    raise AssertionError("nothing here needs ASGI")


class Kept(asyncio.Transport):
    """A transport that keeps what is written, and whether it was closed."""

    def __init__(self):
        super().__init__()
        self.written, self.is_closed = b"", asyncio.Event()

    def write(self, data):
        self.written += data

    def is_closing(self):
        return self.is_closed.is_set()

    def get_extra_info(self, _name, default=None):
        return default

    def close(self):
        self.is_closed.set()

    def resume_reading(self):
        pass


# -- what is loaded ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux tells what a process has loaded")
def test_uvicorn_loads_with_the_first_request_that_needs_it():
    """A sixth of the start was its own."""
    port = free_port()
    command = [sys.executable, "-m", "sts_emulator", "serve", "--port", str(port), "--scenario", os.devnull]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:

        def has_loaded_it() -> bool:
            return "/httptools/" in Path(f"/proc/{process.pid}/maps").read_text()  # with it comes its parser

        try:
            while not (line := process.stdout.readline()).startswith("ready"):
                assert line, "it has not started"
            with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
                for message, status in ((HEALTH, b"200"), (CALL, b"403"), (HEALTH, b"200")):
                    connection.sendall(message)
                    assert connection.recv(10_000).split()[1] == status
                assert not has_loaded_it()
                connection.sendall(PAGE)
                assert connection.recv(10_000).split()[1] == b"404"
                assert has_loaded_it()
                connection.sendall(CALL)
                assert connection.recv(10_000).split()[1] == b"403"
        finally:
            process.terminate()


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def heard():
    """What signals do here after those of the server's: they are noted."""
    came = []
    before = {number: signal.signal(number, lambda heard, _: came.append(heard)) for number in (2, 15)}
    yield came
    for number, handler in before.items():
        signal.signal(number, handler)


async def ending(*signals: signal.Signals) -> tuple[Acceptor, asyncio.Task[None]]:
    """An acceptor that is told to end by these, and a call of it that never ends by itself."""
    ends = Acceptor(nothing)
    call = asyncio.create_task(asyncio.Event().wait())
    ends.tasks.add(call)
    with ends.heeding_signals():
        end = asyncio.create_task(ends.end_when_told())
        for number in signals:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)
        await end
    return ends, call


def test_a_call_that_does_not_end_is_cut_off(heard, monkeypatch, caplog):
    monkeypatch.setattr(acceptor, "STOPPING", 0.05)

    async def run():
        _, call = await ending(signal.SIGTERM)
        return call.cancelled()

    assert asyncio.run(run())
    assert "1 calls took longer" in caplog.text
    assert heard == [signal.SIGTERM], "the process does not outlive the signal"


def test_who_interrupts_twice_waits_for_nothing(heard, caplog):
    async def run():
        ends, call = await ending(signal.SIGINT, signal.SIGINT)
        is_open = not call.done()
        call.cancel()
        return ends.is_forced, is_open

    assert asyncio.run(run()) == (True, True)
    assert not caplog.text
    assert heard == [signal.SIGINT] * 2


def test_who_asks_twice_gently_waits(heard, monkeypatch):
    monkeypatch.setattr(acceptor, "STOPPING", 0.05)

    async def run():
        return (await ending(signal.SIGTERM, signal.SIGTERM))[0].is_forced

    assert not asyncio.run(run())
    assert heard == [signal.SIGTERM] * 2


@pytest.mark.usefixtures("heard")
def test_who_is_accepted_in_the_last_moment_is_told_so():
    async def run():
        front = Front(create_server(Settings()), handle, refuse)
        ends, kept = Acceptor(front), Kept()
        connection = CallConnection(front, ends)
        with ends.heeding_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            end = asyncio.create_task(ends.end_when_told())
            call = asyncio.create_task(asyncio.Event().wait())
            ends.tasks.add(call)
            await asyncio.sleep(0.01)
            connection.connection_made(kept)
            connection.data_received(CALL)
            await kept.is_closed.wait()
            connection.connection_lost(None)
            ends.tasks.clear()
            await end
        call.cancel()
        return kept.written

    assert b"\r\nconnection: close\r\n" in asyncio.run(run())


def test_who_calls_while_the_server_ends_is_answered_and_told_so():
    async def run():
        front = Front(create_server(Settings()), handle, refuse)
        kept = Kept()
        connection = CallConnection(front, Acceptor(front))
        connection.connection_made(kept)
        connection.shutdown()
        connection.data_received(CALL)
        await kept.is_closed.wait()
        return kept.written

    assert b"\r\nconnection: close\r\n" in asyncio.run(run())


def test_an_answer_in_progress_says_that_it_is_the_last():
    async def run():
        told = asyncio.Event()

        async def slow(_scope, _receive, send):
            await told.wait()
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        front = Front(create_server(Settings()), handle, refuse)
        accepted, kept = Acceptor(slow), Kept()
        connection = CallConnection(front, accepted)
        connection.connection_made(kept)
        connection.data_received(PAGE)
        connection.shutdown()
        assert not kept.is_closing()
        told.set()
        await asyncio.gather(*accepted.tasks)
        assert kept.is_closing()
        return kept.written

    written = asyncio.run(run())
    assert written.startswith(b"HTTP/1.1 204")
    assert written.count(b"connection: close") == 1


# -- ports ------------------------------------------------------------------------------------------------------------


def test_a_port_for_tls_that_is_taken_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        flags = ["--port", "0", "--tls-port", str(port), "--certs", str(tmp_path), "--scenario", os.devnull]
        command = [sys.executable, "-m", "sts_emulator", "serve", *flags]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert ended.returncode == 2
    assert ended.stderr == f"sts-emulator: cannot listen on 127.0.0.1 port {port}: address already in use\n"
