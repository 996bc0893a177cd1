"""The HTTP message that SDKs send, read in one go when it has arrived whole, and the bytes of an answer.

A shortcut beside a real HTTP parser: `read` takes what is beyond doubt, and leaves all else to the parser.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final

from sts_emulator.core import clock
from sts_emulator.wire.http import Request, Response

LONGEST: Final = 65_536
"""Bytes of a message that `read` looks at."""

_PATH = re.compile(r"/(?:w/[a-z0-9-]{1,63}/?)?")  # where SDKs post to: a world's root
_FETCH = re.compile(r"GET (/(?:w/[a-z0-9-]{1,63}/)?federation/credentials)\?([A-Za-z0-9_=&%.~+-]{1,2000}) HTTP/1\.1")
_BEGINNINGS = (b"POST /", b"GET /federation/", b"GET /w/")
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110 §5.6.2, lower-cased
_PRINTABLE = bytes(range(0x20, 0x7F))
_LENGTH = re.compile("[1-9][0-9]{0,4}|0")
_PHRASES: Final = {status.value: status.phrase for status in HTTPStatus}
_FOR_THE_PARSER = frozenset(("transfer-encoding", "expect", "upgrade", "te", "trailer", "content-encoding"))
_NAMES: Final = {
    spelt: name
    for name in (
        *("host", "accept", "accept-encoding", "user-agent", "authorization", "content-type", "content-length"),
        *("x-amz-date", "x-amz-security-token", "x-amz-target", "x-amz-user-agent", "x-amz-content-sha256"),
        *("amz-sdk-invocation-id", "amz-sdk-request", "connection", "x-amz-sso_bearer_token"),
    )
    for spelt in (name, name.title(), name.upper())
}
"""Header names as they are usually spelt, to their lower case."""


def read(data: bytes, client: str, scheme: str) -> tuple[Request, int] | None:
    """The request that `data` begins with, and how many bytes of its body are still to come; None to look closer.

    Taken are only POSTs to `/` or a world, with one Content-Length, and GETs for credentials of the access portal,
    without a body: each alone, with printable ASCII in the head, and no header twice. Whoever reads such a message
    reads the same.
    """
    if len(data) > LONGEST or not data.startswith(_BEGINNINGS):
        return None
    raw_head, ends, body = data.partition(b"\r\n\r\n")
    head = raw_head.decode("latin-1")
    line, *lines = head.split("\r\n")
    # no other control characters, no other bytes
    if not ends or raw_head.translate(None, _PRINTABLE) != b"\r\n" * len(lines):
        return None
    if line.startswith("GET "):
        return _fetch(line, lines, body, client, scheme)
    path = line[5:-9]
    headers = _headers(lines)
    if headers is None or line != f"POST {path} HTTP/1.1" or (path != "/" and not _PATH.fullmatch(path)):
        return None
    length = headers.get("content-length", "")
    if length == str(len(body)):
        missing = 0
    elif _LENGTH.fullmatch(length) and len(body) < int(length) <= LONGEST:
        missing = int(length) - len(body)
    else:
        return None
    return Request("POST", path, path, "", headers, body, client, scheme), missing


def _fetch(line: str, lines: list[str], body: bytes, client: str, scheme: str) -> tuple[Request, int] | None:
    asked, headers = _FETCH.fullmatch(line), _headers(lines)
    if asked is None or body or headers is None or "content-length" in headers:
        return None
    return Request("GET", asked[1], asked[1], asked[2], headers, b"", client, scheme), 0


def _headers(lines: list[str]) -> dict[str, str] | None:
    """The headers, by name in lower case; None where any is for the parser to read."""
    pairs = [text.partition(":") for text in lines]
    headers = {_NAMES.get(name) or _name(name): value.strip(" ") for name, _, value in pairs}
    if (
        len(headers) != len(lines)
        or "" in headers
        or not all(headers.values())  # also where a line has no colon
        or ("connection" in headers and headers["connection"].lower() != "keep-alive")
    ):
        return None
    return headers


def _name(spelt: str) -> str:
    """A header's name in lower case; "" for one that must not be read here."""
    name = spelt.lower()
    return name if _TOKEN.fullmatch(name) and name not in _FOR_THE_PARSER else ""


def write(response: Response) -> bytes:
    """An answer as it goes to the socket, for a connection that stays open.

    Raises:
        ValueError: a header would break its line.
    """
    headers = [f"{name}: {value}" for name, value in response.headers]
    text = "".join(headers)
    if "\n" in text or "\r" in text:
        raise ValueError(f"a header with a line break: {response.headers}")
    line = f"HTTP/1.1 {response.status} {_PHRASES.get(response.status, '')}"
    lines = [line, *headers, f"content-length: {len(response.body)}", f"date: {date(response)}", "\r\n"]
    return "\r\n".join(lines).encode("latin-1") + response.body


def date(response: Response) -> str:
    """The Date that an answer bears: now, unless a fault makes it wrong.

    uvicorn's own lags by up to a second: an expiration would then lie further from it than the duration.
    """
    wrong = response.fault.date_offset_seconds if response.fault else 0.0
    return clock.http_date(clock.real() + wrong)
