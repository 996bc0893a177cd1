"""One connection costs little, whatever comes on it: docs/limits.md."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from urllib.parse import urlsplit

import pytest

from sts_emulator.app import create_server, handle, refuse
from sts_emulator.serving import bounds
from sts_emulator.serving.acceptor import Acceptor
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

    async def made():
        return CallConnection(front, Acceptor(front))

    connection, kept = loop.run_until_complete(made()), Kept()
    connection.connection_made(kept)
    try:
        yield connection, kept
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        asyncio.set_event_loop(None)
        loop.close()


def connection_to(server) -> socket.socket:
    target = urlsplit(server.url)
    return socket.create_connection((target.hostname, target.port), timeout=120)


def look(connection):
    """What its timers do, of both its parts."""
    connection.look()
    if connection._passed is not None:
        connection._passed.look()


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
    with connection_to(emulator_server) as connection:
        with contextlib.suppress(OSError):  # it may be closed before all is sent
            connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(("size", "status"), [(LONGEST_HEAD, b"200"), (LONGEST_HEAD + 1, b"431")])
def test_a_head_may_be_so_long_and_no_longer(emulator_server, size, status):
    begin, end = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: ", b"\r\n\r\n"
    head = begin + b"x" * (size - len(begin + end)) + end
    with connection_to(emulator_server) as connection:
        connection.sendall(head)
        assert connection.recv(100).startswith(b"HTTP/1.1 " + status)


# -- bodies -----------------------------------------------------------------------------------------------------------

CHUNKED = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
FORM = b"application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("begun", "piece"),
    [
        (b"", b"1\r\na\r\n" * 1_000),
        (b"", b"1;" + b"x" * 10_000),
        (b"1\r\na\r\n0\r\n", b"X: " + b"x" * 10_000 + b"\r\n"),
        (b"1\r\na\r\n0\r\n", b"X: y\r\n" * 1_000),
    ],
    ids=["small chunks", "a chunk's extension", "long trailers", "many trailers"],
)
def test_what_stands_around_a_body_is_bounded(emulator_server, begun, piece):
    """200 MB of trailers were kept, and everybody waited for minutes."""
    with connection_to(emulator_server) as connection:
        connection.sendall(CHUNKED % (b"/", FORM) + begun)
        with contextlib.suppress(ConnectionError):
            for _ in range(100_000):
                connection.sendall(piece)
            pytest.fail("the connection did not end")


def test_a_body_in_chunks_of_a_usual_size_is_read(emulator_server):
    with connection_to(emulator_server) as connection:
        connection.sendall(CHUNKED % (b"/", FORM) + b"64\r\n" + b"x" * 100 + b"\r\n")
        for _ in range(9_000):
            connection.sendall(b"64\r\n" + b"x" * 100 + b"\r\n")
        connection.sendall(b"0\r\nX-Checksum: 1\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 ")


def test_a_trailer_is_no_header_of_its_request_nor_of_the_next(emulator_server):
    with connection_to(emulator_server) as connection:
        for head in (CHUNKED % (b"/_emulator/api/worlds", b"application/json"), b""):
            body = (
                b"2\r\n{}\r\n0\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n\r\n"
                if head
                else (b"GET /_emulator/api/worlds HTTP/1.1\r\nHost: localhost\r\n\r\n")
            )
            connection.sendall(head + body)
            assert connection.recv(65_536).startswith(b"HTTP/1.1 422" if head else b"HTTP/1.1 200")


SCENARIO = b'accounts:\n  "111122223333":\n    users:\n      half-told: {}\n'
HALF = {
    "length": b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 9999\r\n\r\n%s",
    "chunks": CHUNKED + b"270f\r\n%s",
}


@pytest.mark.parametrize("how", HALF.values(), ids=HALF)
def test_half_a_body_is_not_carried_out(emulator_server, how):
    """A scenario whose client died in the middle was applied as far as it had come, and calls had events."""
    with emulator_server.world() as aws:
        control = f"/_emulator/api/worlds/{aws.world}/scenario".encode()
        call = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/x"
        for path, kind, begun in (
            (control, b"application/yaml", SCENARIO),
            (f"/w/{aws.world}/?x=1".encode(), FORM, call),
            (f"/w/{aws.world}/".encode(), FORM, call),
        ):
            with connection_to(emulator_server) as connection:
                connection.sendall(how % (path, kind, begun))
                connection.shutdown(socket.SHUT_WR)
                assert not connection.recv(100)
        assert not aws.events()
        with pytest.raises(Exception, match="half-told"):
            aws.credentials(user="half-told")


@pytest.mark.parametrize("before", [WHO, PAGE], ids=["a call", "a page"])
def test_what_is_no_http_is_not_refused_in_place_of_an_answer(emulator_server, before):
    with connection_to(emulator_server) as connection:
        connection.sendall(before + b"NO HTTP\r\n\r\n")
        with connection.makefile("rb") as answers:
            answer = answers.read()
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"connection: close" in answer
    assert (
        (b"InvalidClientTokenId" in answer or b"MissingAuthenticationToken" in answer)
        if before is WHO
        else b"ok" in answer
    )


# -- pipelining -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [WHO, PAGE], ids=["calls", "pages"])
def test_requests_that_wait_for_answers_are_not_read(message):
    """200,000 requests on one connection took 430 MB; now those of one piece are read, and the client is paused."""
    with connected() as (connection, kept):
        connection.data_received(message * 4_000)

        assert kept.is_paused
        assert len(connection._passed.pipeline) <= bounds.AHEAD // len(message) + 1
        assert sum(map(len, connection._passed._held)) > len(message) * 3_000
        for _ in range(3):
            look(connection)
        assert not kept.end


@pytest.mark.parametrize("message", [WHO, PAGE], ids=["calls", "pages"])
def test_all_of_them_are_answered_when_their_turn_comes(emulator_server, message):
    with connection_to(emulator_server) as connection:
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
            look(connection)
        look(connection)

        assert kept.end == "aborted"


def test_a_head_must_come_to_its_end_however_often_something_comes():
    with connected() as (connection, kept):
        for letter in (b"G", b"E", b"T"):
            connection.data_received(letter)
            look(connection)
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
            look(connection)
        assert not kept.end


def test_an_upload_that_we_hold_up_ourselves_is_left_alone():
    with connected() as (connection, kept):
        connection.data_received(
            b"PUT /a/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n\r\n" + b"x" * 100_000
        )
        assert kept.is_paused
        look(connection)
        look(connection)
        assert not kept.end


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
def test_a_stream_that_is_open_does_not_keep_the_server_from_ending(serve, how):
    """It went on for as long as the client held on; and so it did for a request that was half sent."""
    stream = b"GET /_emulator/api/worlds/default/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serve() as (url, process):
        place = ("127.0.0.1", urlsplit(url).port)
        begun = (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc",
            CHUNKED % (b"/_emulator/api/worlds/default/scenario", b"application/yaml") + b"5\r\nab",
            stream,
        )
        with contextlib.ExitStack() as open_ones:
            for sent in begun:
                connection = open_ones.enter_context(socket.create_connection(place, timeout=120))
                connection.sendall(sent)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            process.send_signal(how)
            process.wait(timeout=60)  # or never
            assert "Traceback" not in process.stdout.read()
