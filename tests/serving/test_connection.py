"""One connection, whatever the segments: calls that arrive whole take a shortcut, and nobody can tell."""

import asyncio
import contextlib
import re
import socket
from functools import partial
from urllib.parse import urlsplit

import pytest

from sts_emulator.app import create_server, handle, refuse
from sts_emulator.serving.acceptor import Acceptor
from sts_emulator.serving.connection import IDLE, CallConnection
from sts_emulator.serving.front import Front
from sts_emulator.settings import Settings
from sts_emulator.wire.http import Response

WHO = b"Action=GetCallerIdentity&Version=2011-06-15"
SAML = (
    b"Action=AssumeRoleWithSAML&Version=2011-06-15&RoleArn=arn:aws:iam::111122223333:role/r"
    b"&PrincipalArn=arn:aws:iam::111122223333:saml-provider/p&SAMLAssertion=bm90aGluZw=="
)  # its operation works in a thread, so that its answer has to be waited for


def post(body, *headers):
    lines = [
        b"POST / HTTP/1.1",
        b"Host: localhost",
        b"Content-Type: application/x-www-form-urlencoded",
        b"Content-Length: %d" % len(body),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.fixture(params=["memory", "state"])
def connect(request, emulator_server, serve, tmp_path):
    """With a state, answers wait for the commit of their events."""
    with contextlib.ExitStack() as stack:
        url = emulator_server.url
        if request.param == "state":
            url, _ = stack.enter_context(serve("--state", str(tmp_path / "state.sqlite")))
        address = urlsplit(url)

        def open_one():
            connection = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=120))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection, stack.enter_context(connection.makefile("rb"))

        yield open_one


def answer(reader):
    """(status, error code) of the next answer."""
    status = int(reader.readline().split()[1])
    length = 0
    while line := reader.readline().strip():
        name, _, value = line.partition(b": ")
        length = int(value) if name.lower() == b"content-length" else length
    code = re.search(rb"<Code>(.*)</Code>", reader.read(length))
    return status, code[1].decode() if code else ""


MUCH = 20_000_000

REFUSED_WHO = (403, "MissingAuthenticationToken")
REFUSED_SAML = (400, "InvalidIdentityToken")


def test_segments_do_not_matter(connect):
    connection, reader = connect()
    message = post(WHO)

    for size in (len(message), 200, 40, 1, len(message)):
        for start in range(0, len(message), size):
            connection.sendall(message[start : start + size])
        assert answer(reader) == REFUSED_WHO, size


@pytest.mark.parametrize("what", ["call", "awaited", "health", "page", "control", "head", "chunked"])
def test_an_answer_leaves_in_one_write(what):
    """With a transport that keeps every write: what a kernel makes of two is luck."""
    messages = {
        "call": post(WHO),
        "awaited": post(SAML),
        "health": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "page": b"GET /issuers/nobody/.well-known/openid-configuration HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "control": b"GET /_emulator/api/worlds HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "head": b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "chunked": b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    }

    class Kept(asyncio.Transport):
        def __init__(self):
            super().__init__()
            self.written = []

        def write(self, data):
            self.written.append(bytes(data))

        def is_closing(self):
            return False

        def get_extra_info(self, _name, default=None):
            return default

        def close(self):
            pass

    async def run():
        front = Front(create_server(Settings()), handle, refuse)
        kept, acceptor = Kept(), Acceptor(front)
        connection = CallConnection(front, acceptor)
        connection.connection_made(kept)
        connection.data_received(messages[what])
        while acceptor.tasks:
            await asyncio.gather(*acceptor.tasks)
        await asyncio.sleep(0)  # what several callers wait for leaves at the end of a turn
        return kept.written

    written = asyncio.run(run())

    assert len(written) == 1, written
    assert written[0].startswith(b"HTTP/1.1 ")
    assert written[0].endswith(b"\r\n\r\n") == (what == "head" or b"content-length: 0" in written[0])


@pytest.mark.parametrize("pieces", [1, 2, 7])
def test_a_call_whose_head_and_body_come_apart_is_still_a_short_one(pieces):
    """As Go's client sends it: uvicorn's way (an ASGI task) is not taken."""

    async def nothing(_scope, _receive, _send):
        raise AssertionError("no call here needs ASGI")

    async def run():
        seen = []

        def answer_with(_server, _world, request, _base_url):
            seen.append(request.body)
            return Response(204, [], b"")

        answers = partial(CallConnection, Front(create_server(Settings()), answer_with, refuse), Acceptor(nothing))
        server = await asyncio.get_running_loop().create_server(answers, "127.0.0.1")
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        head, _, body = post(WHO).partition(b"\r\n\r\n")
        size = len(body) // pieces + 1
        for piece in [head + b"\r\n\r\n", *(body[start : start + size] for start in range(0, len(body), size))]:
            writer.write(piece)
            await asyncio.sleep(0.01)  # so that each is a segment
        status = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        writer.close()
        server.close()
        return status, seen

    assert asyncio.run(run()) == (b"204", [WHO])


def test_an_idle_connection_outlives_what_clients_keep():
    # net/http's DefaultTransport, which the SDK for Go copies, keeps idle connections for 90 s.
    assert IDLE > 90


def test_a_connection_serves_calls_pages_and_the_control_api_in_turn(connect):
    connection, reader = connect()
    page = b"GET /issuers/nobody/.well-known/openid-configuration HTTP/1.1\r\nHost: localhost\r\n\r\n"
    control = b"GET /_emulator/api/worlds HTTP/1.1\r\nHost: localhost\r\n\r\n"
    chunked = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(WHO), WHO)
    )

    for message, status in ((post(WHO), 403), (page, 404), (post(WHO), 403), (control, 200), (chunked, 403)) * 2:
        connection.sendall(message)
        assert answer(reader)[0] == status


def test_answers_come_in_the_order_of_the_calls(connect):
    connection, reader = connect()

    connection.sendall(post(SAML) + post(WHO) + post(SAML))
    connection.sendall(post(WHO))

    assert [answer(reader) for _ in range(4)] == [REFUSED_SAML, REFUSED_WHO, REFUSED_SAML, REFUSED_WHO]


def test_what_comes_while_an_answer_is_awaited_waits(connect):
    connection, reader = connect()

    for message in (post(SAML), post(WHO), post(SAML), post(WHO)):
        connection.sendall(message)

    assert [answer(reader) for _ in range(4)] == [REFUSED_SAML, REFUSED_WHO, REFUSED_SAML, REFUSED_WHO]


def test_a_client_may_say_that_a_call_is_its_last(connect):
    connection, reader = connect()

    connection.sendall(post(WHO))
    assert answer(reader) == REFUSED_WHO
    connection.sendall(post(WHO, b"Connection: close"))
    assert answer(reader) == REFUSED_WHO

    assert reader.read() == b""


def test_a_client_that_leaves_early_harms_nobody(connect):
    for message in (post(SAML), post(WHO)[:-5], post(WHO)):
        connection, _ = connect()
        connection.sendall(message)
        connection.close()
    connection, reader = connect()

    connection.sendall(post(WHO))

    assert answer(reader) == REFUSED_WHO


@pytest.mark.clients
def test_a_client_that_does_not_read_is_waited_for(connect):
    """Far more answers than its socket takes: they are held back until it reads, and none is lost."""
    connection, reader = connect()
    connection.settimeout(0)
    message = post(WHO)
    many, sent = message * 200, 0
    with contextlib.suppress(BlockingIOError):
        while sent < MUCH:
            sent += connection.send(many[sent % len(message) :])
    connection.settimeout(120)

    answers = [answer(reader) for _ in range(sent // len(message))]

    assert len(answers) > 1000
    assert set(answers) == {REFUSED_WHO}


@pytest.mark.parametrize("message", [post(WHO), b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"], ids=["calls", "pages"])
def test_an_idle_connection_is_closed_and_a_busy_one_is_not(message):
    """With the server's own connections on a loop of ours, where being idle for long takes milliseconds."""

    async def page(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def answer_at_once(reader):
        return (await reader.readuntil(b"\r\n\r\n")).split()[1]

    async def run():
        front = Front(create_server(Settings()), lambda *_: Response(204, [], b""), refuse)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(partial(CallConnection, front, Acceptor(page), 0.05), "127.0.0.1")
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        begun, statuses = loop.time(), []
        while loop.time() < begun + 0.5:  # longer than an idle connection lives
            writer.write(message)
            statuses.append(await answer_at_once(reader))
        answered = loop.time()
        rest = await reader.read()
        writer.close()
        server.close()
        return statuses, rest, loop.time() - answered

    statuses, rest, idle = asyncio.run(run())

    assert set(statuses) == {b"204"}
    assert rest == b""
    assert 0.1 < idle < 60
