"""A CONNECT proxy that leads AWS's host names to this emulator, for clients that honour proxies but no endpoints."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from sts_emulator.core.hosts import is_aws

HEAD: Final = 16_384  # bytes of a request's head
_TLS_PORT = "443"


class Proxy:
    """Joins whoever asks for an AWS host to the TLS listener at `host` and `port`, and refuses every other host."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target = _target(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30))
            if target is None:
                await _refuse(writer)
                return
            inner = await asyncio.open_connection(self._host, self._port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await join((reader, writer), inner)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()


async def join(
    left: tuple[asyncio.StreamReader, asyncio.StreamWriter], right: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    """Carry bytes both ways until both sides have said all."""
    try:
        await asyncio.gather(carry(left[0], right[1]), carry(right[0], left[1]))
    finally:
        right[1].close()


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes one way until their source ends."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _target(head: bytes) -> str | None:
    """The AWS host that a CONNECT request asks for, or None."""
    line = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(line) != 3 or line[0] != "CONNECT":  # noqa: PLR2004 - method, target, version
        return None
    host, _, port = line[1].rpartition(":")
    return host if port == _TLS_PORT and is_aws(host) else None


async def _refuse(writer: asyncio.StreamWriter) -> None:
    body = b"this proxy leads to AWS host names on port 443 only, and only by CONNECT\n"
    writer.write(
        b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nconnection: close\r\n"
        b"content-length: %d\r\n\r\n%s" % (len(body), body)
    )
    await writer.drain()
