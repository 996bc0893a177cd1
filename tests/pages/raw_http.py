"""HTTP as it is written: any Host, any Origin, any size, as a browser that is led astray sends it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


def ask(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    """Send one request to a server; `Host` may be overruled, and `_` in a header's name is `-`."""
    target = urlsplit(url)
    lines = {"Host": target.netloc, "Content-Length": str(len(body)), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = f"{method} {target.path}{path} HTTP/1.1\r\n" + "".join(f"{name}: {lines[name]}\r\n" for name in lines)
    with socket.create_connection((target.hostname, target.port), timeout=120) as connection:
        connection.sendall(head.encode("latin-1") + b"\r\n" + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    top, _, content = answer.partition(b"\r\n\r\n")
    first, *rest = top.decode("latin-1").split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    return Answer(int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}, content.decode("latin-1"))
