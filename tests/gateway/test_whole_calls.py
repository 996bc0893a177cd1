"""Calls that arrive whole take a shorter way through the door, and nobody can tell."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from door_lab import NOT_FOUND, NOTHING, PEOPLE, Accepting, client, listening, send, signed, written

from sts_emulator import Aws, Emulator

LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\nConnection: close\r\n\r\n" + b"x" * 20_000_000


def message(request) -> bytes:
    """A request without a body, as it goes on the wire."""
    where = urlsplit(request.url)
    lines = [f"{request.method} {where.path} HTTP/1.1", f"Host: {where.netloc}"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@contextlib.contextmanager
def connected(lab: Aws) -> Iterator[socket.socket]:
    where = urlsplit(lab.endpoint_url)
    with socket.create_connection((where.hostname, where.port), timeout=120) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def answer(reader) -> tuple[int, dict[bytes, bytes], bytes]:
    """Status, headers and body of the next answer."""
    status, headers = int(reader.readline().split()[1]), {}
    while line := reader.readline().strip():
        name, _, value = line.partition(b": ")
        headers[name.lower()] = value
    return status, headers, reader.read(int(headers[b"content-length"]))


@pytest.mark.parametrize("together", [True, False])
def test_they_are_answered_in_their_order(upstream, before_it, together):
    upstream.answer = {b"GET /photos/ann/%d" % number: written(b"%d" % number) for number in range(5)} | {
        b"": NOT_FOUND
    }
    calls = [message(signed(before_it, "GET", f"/photos/ann/{number}")) for number in range(5)]
    with connected(before_it) as connection, connection.makefile("rb") as reader:
        for piece in [b"".join(calls)] if together else calls:
            connection.sendall(piece)
        assert [answer(reader)[2] for _ in calls] == [b"0", b"1", b"2", b"3", b"4"]


def test_what_comes_behind_one_may_be_for_this_server(upstream, before_it):
    upstream.answer = {b"GET /photos/ann/1": written(b"1"), b"": NOT_FOUND}
    with connected(before_it) as connection, connection.makefile("rb") as reader:
        connection.sendall(message(signed(before_it, "GET", "/photos/ann/1")))
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.sendall(message(signed(before_it, "GET", "/photos/bob/1")))
        connection.sendall(message(signed(before_it, "GET", "/photos/ann/1")))
        got = [answer(reader) for _ in range(4)]
    assert [status for status, _, _ in got] == [200, 200, 403, 200]
    assert [body for _, _, body in got][::3] == [b"1", b"1"]


@pytest.mark.parametrize(
    "said",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "1"\r\n\r\nok',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: "1"\r\n\r\n2\r\nok\r\n0\r\n\r\n',
        b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "1"\r\n\r\nok',
        b'HTTP/1.0 200 OK\r\nETag: "1"\r\n\r\nok',
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "1"\r\n\r\nok and what nobody asked for',
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "1"\r\n\r\nokHTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n',
    ],
    ids=["plain", "chunks", "continue", "until the end", "more", "another"],
)
def test_however_an_upstream_writes_it_an_object_is_the_same(upstream, before_it, said):
    upstream.answer = said
    got = client(before_it, "s3", "ann").get_object(Bucket="photos", Key="ann/1")
    assert (got["Body"].read(), got["ETag"]) == (b"ok", '"1"')


def test_an_answer_to_head_tells_a_length_and_has_no_body(upstream, before_it):
    upstream.answer = {
        b"HEAD /photos/ann/1": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"GET /photos/ann/1": written(b"1"),
        b"": NOT_FOUND,
    }
    with connected(before_it) as connection, connection.makefile("rb") as reader:
        connection.sendall(message(signed(before_it, "HEAD", "/photos/ann/1")))
        assert reader.readline().startswith(b"HTTP/1.1 200")
        lines = list(iter(reader.readline, b"\r\n"))
        assert b"content-length: 1000\r\n" in lines
        connection.sendall(message(signed(before_it, "GET", "/photos/ann/1")))
        assert answer(reader)[2] == b"1"


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\n\r\n'),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "1"\r\nContent-Length: 1000\r\n\r\n'),
    ],
)
def test_behind_an_answer_that_has_no_body_comes_the_next_one(upstream, before_it, method, said):
    upstream.answer = {f"{method} /photos/ann/1".encode(): said, b"GET /photos/ann/2": written(b"2"), b"": NOT_FOUND}
    with connected(before_it) as connection, connection.makefile("rb") as reader:
        connection.sendall(message(signed(before_it, method, "/photos/ann/1")))
        assert reader.readline().split()[1] == said.split()[1]
        list(iter(reader.readline, b"\r\n"))
        connection.sendall(message(signed(before_it, "GET", "/photos/ann/2")))
        assert answer(reader)[2] == b"2"


@pytest.mark.parametrize("told", [b"many", b"1\r\nContent-Length: 2", b"9" * 5_000], ids=["many", "two", "long"])
def test_a_length_that_is_none_is_not_told_on(upstream, before_it, told):
    upstream.answer = {b"HEAD /photos/ann/1": b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n" % told, b"": NOT_FOUND}
    with connected(before_it) as connection, connection.makefile("rb") as reader:
        connection.sendall(message(signed(before_it, "HEAD", "/photos/ann/1")))
        assert reader.readline().split()[1] == b"502"
        lengths = [line for line in iter(reader.readline, b"\r\n") if line.startswith(b"content-length")]
        assert len(lengths) == 1


def test_calls_that_are_refused_are_answered_in_their_turn(upstream, before_it):
    """Each of them is answered in the middle of reading it, behind one whose answer is awaited."""
    upstream.answer = {b"GET /photos/ann/1": written(b"1"), b"": NOT_FOUND}
    paths = ["/photos/ann/1", *["/photos/bob/1"] * 50, "/photos/ann/1"]
    with connected(before_it) as connection, connection.makefile("rb") as reader:
        for path in paths:
            connection.sendall(message(signed(before_it, "GET", path)))
        assert [answer(reader)[0] for _ in paths] == [200, *[403] * 50, 200]


def test_who_leaves_before_the_answer_harms_nobody(another_door):
    with listening(NOTHING, hangs=True) as silent, another_door(silent.url) as emulator, emulator.world(PEOPLE) as lab:
        with connected(lab) as connection:
            connection.sendall(message(signed(lab, "GET", "/photos/ann/1")))
            while not any(heard.startswith(b"GET /photos/ann/1") for heard in silent.heard):
                pass
        assert send(signed(lab, "GET", "/photos/bob/1"))[0] == 403


def test_who_leaves_in_the_middle_of_an_answer_harms_nobody(upstream, before_it):
    upstream.answer = LONG
    with connected(before_it) as connection:
        connection.sendall(message(signed(before_it, "GET", "/photos/ann/1")))
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert len(client(before_it, "s3", "ann").get_object(Bucket="photos", Key="ann/1")["Body"].read()) == 20_000_000


# -- the end of a server -----------------------------------------------------------------------------------------------


class Patient(Accepting):
    """An upstream that answers objects once it is told to."""

    def __init__(self) -> None:
        self.asked, self.answers = threading.Event(), threading.Event()
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = connection.recv(65_536)
            if head.startswith(b"GET /photos/ann/"):
                self.asked.set()
                self.answers.wait()
                connection.sendall(written(b"object"))
            else:
                connection.sendall(NOT_FOUND)

    def close(self) -> None:
        self.answers.set()
        super().close()


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "silent"])
def test_a_server_that_ends_waits_for_what_is_being_answered(serve, tmp_path, is_answered):
    people = tmp_path / "people.yaml"
    people.write_text(PEOPLE)
    with (
        contextlib.closing(Patient()) as upstream,
        serve("--upstream", upstream.url, "--scenario", str(people)) as (url, process),
        contextlib.closing(Emulator(url).control()) as api,
        contextlib.closing(Aws(api, "default")) as lab,
        connected(lab) as connection,
        connection.makefile("rb") as reader,
    ):
        connection.sendall(message(signed(lab, "GET", "/photos/ann/1")))
        upstream.asked.wait()
        process.terminate()
        if is_answered:
            upstream.answers.set()
        status, _, body = answer(reader)
        assert (status, body) == ((200, b"object") if is_answered else (503, b""))
        assert reader.read() == b"", "no more is taken"
        process.wait(timeout=60)  # or never


# -- upstreams that answer early -----------------------------------------------------------------------------------------


class Hasty(Accepting):
    """An upstream that answers an upload when it has read its head, and reads on."""

    def __init__(self) -> None:
        self.has_refused = threading.Event()
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError):
            while line := reader.readline():
                headers = http.client.parse_headers(reader)
                if line.startswith(b"PUT"):
                    connection.sendall(b"HTTP/1.1 507 Full\r\nContent-Length: 0\r\n\r\n")
                    self.has_refused.set()
                    reader.read(int(headers["content-length"]))
                else:
                    status = b"200 OK" if line.startswith(b"GET /photos/ann/") else b"404 Not Found"
                    connection.sendall(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)


def test_what_follows_an_upload_that_was_refused_early_is_no_part_of_it(another_door):
    """The upstream still waits for the rest of the upload: another request would be taken for that."""
    with (
        contextlib.closing(Hasty()) as upstream,
        another_door(upstream.url, "--upstream-patience", "10") as emulator,
        emulator.world(PEOPLE) as lab,
        connected(lab) as connection,
        connection.makefile("rb") as reader,
    ):
        upload = signed(lab, "PUT", "/photos/ann/1", b"x" * 9_000_000)
        upload.headers["Content-Length"] = "9000000"
        connection.sendall(message(upload) + b"x" * 1_000_000)
        upstream.has_refused.wait()
        with contextlib.suppress(OSError):  # it need not read the rest
            connection.sendall(b"x" * 8_000_000)
        assert answer(reader)[0] == 507
        assert send(signed(lab, "GET", "/photos/ann/1"))[0] == 200
