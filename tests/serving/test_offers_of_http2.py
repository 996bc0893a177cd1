"""Java's own client offers HTTP/2 with its first request, whose body may come apart: nothing of it is lost."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

import pytest

from sts_emulator import Aws

OFFER = "Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize("is_apart", [False, True])
def test_a_body_behind_an_offer_is_read(aws: Aws, is_apart: bool):
    place = urlsplit(aws.endpoint_url)
    body = json.dumps({"repo": "acme/shop"})
    head = (
        f"POST {place.path}/issuers/github/token HTTP/1.1\r\nHost: {place.netloc}\r\n{OFFER}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((place.hostname, place.port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.sendall((head if is_apart else head + body).encode())
        if is_apart:
            aws.events()  # an exchange of its own: until it is over, the server has read the head
            line.sendall(body.encode())
        answer = line.makefile("rb")
        status = answer.readline()
        headers = list(iter(answer.readline, b"\r\n"))
        (length,) = (int(header[15:]) for header in headers if header.startswith(b"content-length:"))
        told = answer.read(length)
    assert status.startswith(b"HTTP/1.1 200"), told
    minted = json.loads(told)
    assert minted["claims"]["repository"] == "acme/shop"
