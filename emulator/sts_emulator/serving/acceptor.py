"""What accepts connections, and ends them in order once the process is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cached_property, partial
from typing import Any, Final, Protocol

from sts_emulator.serving.flow import LAST
from sts_emulator.wire.asgi import App

log = logging.getLogger("emulator")

STOPPING: Final = 3
"""Seconds that calls in progress have when the server is told to stop; one that hangs by a fault never ends."""

_BACKLOG: Final = 2_048  # connections that wait to be accepted
_LOOKED_EVERY: Final = 0.02  # seconds between looks whether all have ended
_SIGNALS: Final = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


_Factory = Callable[[], asyncio.Protocol]


class Ending(Protocol):
    """An open connection."""

    def shutdown(self) -> None:
        """End with the answer that is in progress; where there is none, soon."""


def bound(host: str, port: int) -> list[socket.socket]:
    """A socket for each address of a host, as asyncio binds them. Raises OSError."""
    name = (host.encode() if host.isascii() else host) or None  # a str would load the tables for other alphabets
    places = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets = []
    for family, kind, protocol, _, address in dict.fromkeys(places):
        opened = socket.socket(family, kind, protocol)
        if os.name == "posix":  # elsewhere it lets others listen there, too
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        sockets.append(opened)
    return sockets


class Acceptor:
    """The sockets of one server, and what is open on them. `app` answers what connections do not answer themselves.

    Why this is not uvicorn's: docs/decisions/0009-uvicorn-loads-when-it-is-needed.md.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.connections: set[Ending] = set()
        self.tasks: set[Any] = set()
        """What is waited for when the server ends, and cancelled at last: tasks, and what has none (serving.direct)."""
        self._listening: list[tuple[asyncio.Server, socket.socket, _Factory, ssl.SSLContext | None]] = []
        self._told = asyncio.Event()
        self._is_ending = False
        self.is_forced = False
        """Whether it must end without waiting for anything."""

    @cached_property
    def shared(self) -> Any:
        """What uvicorn's part of the connections shares; uvicorn loads with the first that needs it."""
        from sts_emulator.serving.asgi import Shared

        return Shared(self._app, self.tasks)

    @contextlib.contextmanager
    def heeding_signals(self) -> Iterator[None]:
        """Signals within tell it to end, a second SIGINT at once; afterwards they do what they would have done."""
        loop, came = asyncio.get_running_loop(), list[int]()

        def note(number: int, _: object) -> None:
            self.is_forced = self.is_forced or bool(came and number == signal.SIGINT)
            came.append(number)
            loop.call_soon_threadsafe(self._told.set)  # which wakes the loop

        before = {number: signal.signal(number, note) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        for number in reversed(came):
            signal.raise_signal(number)

    async def listen(
        self,
        connection: Callable[[Acceptor], asyncio.Protocol],
        sockets: Iterable[socket.socket],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Accept connections on sockets that are bound, by https where there is `tls`. Raises OSError."""
        loop, factory = asyncio.get_running_loop(), partial(connection, self)
        for opened in sockets:
            made = await loop.create_server(factory, sock=opened, ssl=tls, backlog=_BACKLOG)
            self._listening.append((made, opened, factory, tls))

    def _last_ones(self) -> list[asyncio.Future[Any]]:
        """Accept who has connected by now, and stop listening at once: whoever then still waited would be reset."""
        loop = asyncio.get_running_loop()
        last: list[asyncio.Future[Any]] = []
        for server, opened, factory, tls in self._listening:
            with contextlib.suppress(OSError):  # nobody waits any more
                for _ in range(_BACKLOG):
                    accepted, _ = opened.accept()
                    last.append(asyncio.ensure_future(loop.connect_accepted_socket(factory, accepted, ssl=tls)))
            server.close()
        return last

    def opened(self, connection: Ending) -> None:
        """A connection has begun; whoever was accepted in the last moment has little time."""
        self.connections.add(connection)
        if self._is_ending:
            connection.shutdown()

    async def end_when_told(self) -> None:
        """Wait for a signal. Then stop accepting, tell the connections, and wait for what is in progress."""
        await self._told.wait()
        self._is_ending = True
        last = self._last_ones()
        for connection in list(self.connections):
            connection.shutdown()
        if last:
            await asyncio.wait(last, timeout=LAST)
        await self._wait(STOPPING, self.connections, self.tasks)
        if self.tasks and not self.is_forced:
            log.error("%d calls took longer than %d seconds: they are cut off", len(self.tasks), STOPPING)
            for task in list(self.tasks):
                task.cancel()
            await self._wait(LAST, self.tasks)  # they say so to their clients

    async def _wait(self, seconds: float, *those: Collection[Any]) -> None:
        """Until nothing of those is left, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(those) and not self.is_forced:  # noqa: ASYNC110 - sets; at the end alone
                    await asyncio.sleep(_LOOKED_EVERY)
