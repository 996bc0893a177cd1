"""Carries connections from sockets in other network namespaces to a server's listeners, byte by byte."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Self

from sts_emulator.network.hostnames import NameServer
from sts_emulator.network.listeners import HOP_HEADER, limit_hops
from sts_emulator.network.proxy import HEAD, carry
from sts_emulator.policy.light_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """A listening socket and where its connections lead; `limits_hops`: answers may say how far they travel."""

    listening: socket.socket
    host: str
    port: int
    limits_hops: bool = False


class Relay:
    """All routes at once; `names` is a UDP socket on which AWS's host names are answered for, if there is one."""

    def __init__(self, routes: Iterable[Route], names: socket.socket | None = None) -> None:
        self._routes = tuple(routes)
        self._names = names
        self._servers: list[asyncio.Server] = []
        self._transport: asyncio.BaseTransport | None = None

    async def __aenter__(self) -> Self:
        for route in self._routes:
            serve = _serving(route)
            self._servers.append(await asyncio.start_server(serve, sock=route.listening, limit=HEAD))
        if self._names is not None:
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.create_datagram_endpoint(NameServer, sock=self._names)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop; what is under way ends with the event loop."""
        for server in self._servers:
            server.close()
        if self._transport is not None:
            self._transport.close()


def _serving(route: Route):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a coroutine function for asyncio
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            inner = await asyncio.open_connection(route.host, route.port, limit=HEAD)
            try:
                back = _carry_limited(inner[0], writer) if route.limits_hops else carry(inner[0], writer)
                await asyncio.gather(carry(reader, inner[1]), back)
            finally:
                inner[1].close()
        writer.close()

    return serve


async def _carry_limited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry answers of the metadata service, which are one a connection, with the hop limit that they ask for."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return
    lines = head.split(b"\r\n")
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == HOP_HEADER:
            limit_hops(writer.get_extra_info("socket"), int(value))
            lines.remove(line)
            break
    writer.write(b"\r\n".join(lines))
    await carry(reader, writer)
