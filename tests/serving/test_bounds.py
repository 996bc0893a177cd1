"""One connection costs little, whatever comes on it: docs/limits.md."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from urllib.parse import urlsplit

import pytest
import uvicorn
from uvicorn.server import ServerState

from sts_emulator.app import create_server, handle, refuse
from sts_emulator.serving import bounds
from sts_emulator.serving.bounds import LONGEST_HEAD
from sts_emulator.serving.connection import CallConnection
from sts_emulator.serving.front import Front
from sts_emulator.settings import Settings

WHO = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 43\r\n\r\n"
    b"Action=GetCallerIdentity&Version=2011-06-15"
)
PAGE = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Kept(asyncio.Transport):
    """A transport that keeps what is written, and says how it was ended."""

    def __init__(self):
        super().__init__()
        self.written, self.end, self.is_paused = b"", "", False

    def write(self, data):
        self.written += data

    def is_closing(self):
        return bool(self.end)

    def get_extra_info(self, _name, default=None):
        return default

    def can_write_eof(self):
        return True

    def close(self):
        self.end = self.end or "closed"

    def abort(self):
        self.end = self.end or "aborted"

    def pause_reading(self):
        self.is_paused = True

    def resume_reading(self):
        self.is_paused = False


@contextlib.contextmanager
def connected():
    """A connection on a loop that stands still, and its transport."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    front = Front(create_server(Settings()), handle, refuse)
    config = uvicorn.Config(front, interface="asgi3", log_config=None, ws="none")
    config.load()
    connection = CallConnection(front, config=config, server_state=ServerState(), app_state={}, _loop=loop)
    kept = Kept()
    connection.connection_made(kept)
    try:
        yield connection, kept
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        asyncio.set_event_loop(None)
        loop.close()


# -- heads ------------------------------------------------------------------------------------------------------------


def headers(size: int) -> bytes:
    return b"".join(b"X-%05d: %s\r\n" % (number, b"x" * 1011) for number in range(size // 1024))


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + headers(2 * LONGEST_HEAD),
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"x" * 2 * LONGEST_HEAD,
        b"GET /" + b"x" * 2 * LONGEST_HEAD,
    ],
    ids=["many headers", "one header", "a path"],
)
def test_a_long_head_is_refused_before_it_ends(emulator_server, head):
    """64 MiB of one header took 8 seconds of CPU, 300,000 headers 700 MB."""
    target = urlsplit(emulator_server.url)
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        with contextlib.suppress(OSError):  # it may be closed before all is sent
            connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 431")


def test_a_head_of_a_good_size_is_read(emulator_server):
    target = urlsplit(emulator_server.url)
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + headers(LONGEST_HEAD - 16_384) + b"\r\n"
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


# -- pipelining -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [WHO, PAGE], ids=["calls", "pages"])
def test_requests_that_wait_for_answers_are_not_read(message):
    """200,000 requests on one connection took 430 MB; now those of one piece are read, and the client is paused."""
    with connected() as (connection, kept):
        connection.data_received(message * 4_000)

        assert kept.is_paused
        assert len(connection.pipeline) <= bounds.AHEAD // len(message) + 1
        assert sum(map(len, connection._held)) > len(message) * 3_000
        for _ in range(3):
            connection.look()
        assert not kept.end


@pytest.mark.parametrize("message", [WHO, PAGE], ids=["calls", "pages"])
def test_all_of_them_are_answered_when_their_turn_comes(emulator_server, message):
    target = urlsplit(emulator_server.url)
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(message * 2_000)
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 2_000:
            answers += connection.recv(1 << 20)


# -- what is half sent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST / HTT",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        WHO[:-5],
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        WHO + b"POST / HTTP",
    ],
)
def test_what_is_half_sent_is_given_up(begun):
    """Thousands of half-open connections stayed for ever."""
    with connected() as (connection, kept):
        if begun:
            connection.data_received(begun)
            connection.look()
        connection.look()

        assert kept.end == "aborted"


def test_a_head_must_come_to_its_end_however_often_something_comes():
    with connected() as (connection, kept):
        for letter in (b"G", b"E", b"T"):
            connection.data_received(letter)
            connection.look()
        assert kept.end == "aborted"


@pytest.mark.parametrize(
    "pieces",
    [
        [b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n", b"a", b"b", b"c"],
        [WHO, b"", b""],  # it is not the client's turn
    ],
    ids=["a slow body", "an answered call"],
)
def test_who_goes_on_or_has_said_all_is_left_alone(pieces):
    with connected() as (connection, kept):
        for piece in pieces:
            if piece:
                connection.data_received(piece)
            connection.look()
        assert not kept.end


def test_an_upload_that_we_hold_up_ourselves_is_left_alone():
    with connected() as (connection, kept):
        connection.data_received(
            b"PUT /a/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 100_000
        )
        assert kept.is_paused
        connection.look()
        connection.look()
        assert not kept.end


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_stream_that_is_open_does_not_keep_the_server_from_ending(serve, how):
    """It went on for as long as the client held on; and so it did for a request that was half sent."""
    stream = b"GET /_emulator/api/worlds/default/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serve() as (url, process):
        place = ("127.0.0.1", urlsplit(url).port)
        with (
            socket.create_connection(place, timeout=120) as connection,
            socket.create_connection(place, timeout=120) as half,
        ):
            half.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
            connection.sendall(stream)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            process.send_signal(how)
            process.wait(timeout=60)  # or never
