"""The HTTP message that SDKs send, read in one go when it has arrived whole, and the bytes of an answer.

A shortcut beside a real HTTP parser: `read` takes what is beyond doubt, and leaves all else to the parser.
"""

from __future__ import annotations

import re
from functools import cache
from http import HTTPStatus
from typing import Final

from sts_emulator.core import clock
from sts_emulator.core.greeting import HEALTH
from sts_emulator.wire.http import Request, Response

LONGEST: Final = 65_536
"""Bytes of a message that `read` looks at."""

_PATH = re.compile(r"/(?:w/[a-z0-9-]{1,63}/?)?")  # where SDKs post to: a world's root
_FETCH = re.compile(r"GET (/(?:w/[a-z0-9-]{1,63}/)?federation/credentials)\?([A-Za-z0-9_=&%.~+-]{1,2000}) HTTP/1\.1")
_ASKED_FOR_HEALTH: Final = f"GET {HEALTH} HTTP/1.1"
_FETCHED = b"/federation/credentials?"
_BARE_BEGINNINGS = (b"GET /", b"HEAD /", b"DELETE /")
_BARE = re.compile(
    r"([A-Z]+) (/(?!/)[A-Za-z0-9/._~%=+:@,;!$&'()*-]*)(?:\?([A-Za-z0-9/._~%=+:@,;!$&'()*-]*))? HTTP/1\.1"
)
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110 §5.6.2, lower-cased
_PRINTABLE = bytes(range(0x20, 0x7F))
_LENGTH = re.compile("[1-9][0-9]{0,4}|0")
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_FOR_THE_PARSER = frozenset(("transfer-encoding", "expect", "upgrade", "te", "trailer", "content-encoding"))


class _Names(dict[str, str]):
    """Header names in lower case, by how they are spelt: "" for one that must not be read here."""

    def __missing__(self, spelt: str) -> str:
        name = spelt.lower()
        return name if _TOKEN.fullmatch(name) and name not in _FOR_THE_PARSER else ""


_NAMES: Final = _Names(
    (spelt, name)
    for name in (
        *("host", "accept", "accept-encoding", "user-agent", "authorization", "content-type", "content-length"),
        *("x-amz-date", "x-amz-security-token", "x-amz-target", "x-amz-user-agent", "x-amz-content-sha256"),
        *("amz-sdk-invocation-id", "amz-sdk-request", "connection", "x-amz-sso_bearer_token"),
        *("range", "x-amz-checksum-mode"),
    )
    for spelt in (name, name.title(), name.upper())
)


def read(data: bytes, client: str, scheme: str) -> tuple[Request, int] | None:
    """The request that `data` begins with, and how many bytes of its body are still to come; None to look closer.

    Taken are only POSTs to `/` or a world, with one Content-Length, and GETs for credentials of the access portal and
    for `/health`, without a body: each alone, with printable ASCII in the head, and no header twice. Whoever reads such
    a message reads the same.
    """
    if not data.startswith(b"POST /"):
        return _read_fetch(data, client, scheme)
    whole = _parts(data)
    if whole is None:
        return None
    line, headers, body = whole
    path = line[5:-9]
    if line != f"POST {path} HTTP/1.1" or (path != "/" and not _PATH.fullmatch(path)):
        return None
    length = headers.get("content-length", "")
    if length == str(len(body)):
        return Request("POST", path, path, "", headers, body, client, scheme, data), 0
    if _LENGTH.fullmatch(length) and len(body) < int(length) <= LONGEST:
        return Request("POST", path, path, "", headers, body, client, scheme), int(length) - len(body)
    return None


def read_bare(data: bytes, client: str, scheme: str) -> Request | None:
    """Likewise the signed GET, HEAD or DELETE without a body, of any path, that `data` is."""
    if not data.startswith(_BARE_BEGINNINGS):
        return None
    whole = _parts(data)
    if whole is None:
        return None
    line, headers, body = whole
    asked = _BARE.fullmatch(line)
    if asked is None or body or headers.get("content-length", "0") != "0":
        return None
    method, path, query = asked.groups("")
    if "authorization" not in headers and "X-Amz-Signature=" not in query:
        return None
    return Request(method, path, path, query, headers, b"", client, scheme)


def is_call(request: Request) -> bool:
    """Whether `read` would take a request, without regard to its body."""
    path = request.signed_path
    return request.method == "POST" or path.endswith("/federation/credentials") or path == HEALTH


def _parts(data: bytes) -> tuple[str, dict[str, str], bytes] | None:
    """First line, headers by name in lower case and body of a message; None where any of it is for the parser to read.

    In its head are no other bytes than printable ASCII.
    """
    if len(data) > LONGEST:
        return None
    raw_head, ends, body = data.partition(b"\r\n\r\n")
    line, *lines = raw_head.decode("latin-1").split("\r\n")
    if not ends or raw_head.translate(None, _PRINTABLE) != b"\r\n" * len(lines):
        return None
    headers = {}
    for text in lines:
        spelt, _, value = text.partition(":")
        headers[_NAMES[spelt]] = value.strip()  # of spaces: nothing else is there
    if len(headers) != len(lines) or "" in headers or "" in headers.values():  # also where a line has no colon
        return None
    if "connection" in headers and headers["connection"].lower() != "keep-alive":
        return None
    return line, headers, body


def _read_fetch(data: bytes, client: str, scheme: str) -> tuple[Request, int] | None:
    begin = data[: len(_FETCHED) + 80]
    is_one = begin.startswith(b"GET /") and (_FETCHED in begin or begin.startswith(_ASKED_FOR_HEALTH.encode()))
    whole = _parts(data) if is_one else None
    if whole is None:
        return None
    line, headers, body = whole
    asked = _FETCH.fullmatch(line)
    if body or "content-length" in headers:
        return None
    if line == _ASKED_FOR_HEALTH:
        return Request("GET", HEALTH, HEALTH, "", headers, b"", client, scheme), 0
    if asked is None:
        return None
    return Request("GET", asked[1], asked[1], asked[2], headers, b"", client, scheme), 0


NO_BODY: Final = frozenset({204, 304})
"""Statuses whose answers end with their head, whatever it says of a body."""

_LENGTHS = re.compile(rb"[0-9]{1,18}")
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [ -~]*)?")
_ANSWER_NAMES: Final = {
    spelt.encode(): name.encode()
    for name in ("date", "server", "content-type", "content-length", "connection", "etag", "last-modified")
    for spelt in (name, name.title(), "ETag" if name == "etag" else name.upper())
}

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers with names in lower case, and body."""


def read_answer(data: bytes, *, for_head: bool) -> Answer | None:
    """The whole answer that `data` is, on a connection that stays open; None to look closer."""
    raw_head, ends, body = data.partition(b"\r\n\r\n")
    line, *lines = raw_head.split(b"\r\n")
    status = _STATUS.fullmatch(line)
    if not ends or status is None or raw_head.translate(None, _PRINTABLE) != b"\r\n" * len(lines):
        return None
    headers, lengths = [], []
    for text in lines:
        spelt, colon, value = text.partition(b":")
        name = _ANSWER_NAMES.get(spelt) or _NAMES[spelt.decode()].encode()
        value = value.strip(b" ")
        if not name or not colon or (name == b"connection" and value.lower() != b"keep-alive"):
            return None
        if name == b"content-length":
            lengths.append(value)
        headers.append((name, value))
    number = int(status[1])
    if for_head or number in NO_BODY:
        is_sound = not body and (not lengths or _LENGTHS.fullmatch(b",".join(lengths)) is not None)
    else:
        is_sound = lengths == [b"%d" % len(body)]
    return (number, headers, body) if is_sound else None


def write(response: Response) -> bytes:
    """An answer as it goes to the socket, for a connection that stays open.

    Raises:
        ValueError: a header would break its line.
    """
    headers = [f"{name}: {value}" for name, value in response.headers]
    text = "".join(headers)
    if "\n" in text or "\r" in text:
        raise ValueError(f"a header with a line break: {response.headers}")
    line = status_line(response.status)
    lines = [line, *headers, f"content-length: {len(response.body)}", f"date: {date(response)}", "\r\n"]
    return "\r\n".join(lines).encode("latin-1") + response.body


@cache
def status_line(status: int) -> str:
    """The first line of an answer."""
    return f"HTTP/1.1 {status} {_PHRASES.get(status, '')}"


def date(response: Response) -> str:
    """The Date that an answer bears: now, unless a fault makes it wrong.

    uvicorn's own lags by up to a second: an expiration would then lie further from it than the duration.
    """
    wrong = response.fault.date_offset_seconds if response.fault else 0.0
    return clock.http_date(clock.real() + wrong)
