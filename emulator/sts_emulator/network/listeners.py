"""The sockets that a server opens beside its main one: for each emulated instance, and for transparent mode."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from sts_emulator.accounts import compute
from sts_emulator.core.store import UnavailableError
from sts_emulator.core.world import DEFAULT
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.serving.answers import TRANSPORT
from sts_emulator.vending.context import Server

if TYPE_CHECKING:
    from sts_emulator.serving.asgi import Shared

Found = TypeVar("Found")

log = logging.getLogger("emulator")

Kind = Literal["world", "imds", "ecs", "pod-identity", "aws", "proxy"]
App = Callable[[Any, Any, Any], Awaitable[None]]
Mounted = Callable[[str, str], App]

PAGES: Final[Mapping[str, str]] = {
    "world": "",
    "imds": "/imds/{workload}",
    "ecs": "/ecs",
    "pod-identity": "/pod-identity",
    "aws": "",
    "proxy": "",
}
"""What each kind serves at its root. `world` is a whole world, for clients that drop the path of an endpoint; `aws` is
that by TLS under AWS's own names, and `proxy` leads CONNECT requests to it."""

HOP_HEADER: Final = b"x-emulator-hop-limit"
MOST: Final = 1_000
SWEPT_EVERY: Final = 1.0  # seconds

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - compared, not listened on


class ListenerError(Exception):
    """A listener cannot be opened: the text says why, for our own users."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which listener is wanted. `port` 0 is any; `relayed`: a relay of ours stands between it and the client."""

    kind: Kind
    world: str
    workload: str = ""
    port: int = 0
    relayed: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """An open listener; `host` is the address at which it is reached from this machine."""

    asked: Asked
    host: str
    port: int
    server: asyncio.Server

    def to_json(self) -> dict[str, Any]:
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "https" if self.asked.kind == "aws" else "http"
        return {
            "kind": self.asked.kind,
            "world": self.asked.world,
            "workload": self.asked.workload,
            "host": self.host,
            "port": self.port,
            "url": f"{scheme}://{host}:{self.port}",
        }


class Listeners:
    """All listeners of one server; `mounted` makes the application for a world and page."""

    def __init__(self, server: Server, mounted: Mounted) -> None:
        self._server = server
        self._mounted = mounted
        self._loop = asyncio.get_running_loop()
        self._open: dict[tuple[str, str, str, bool], Listener] = {}
        self._awaited: dict[Asked, str] = {}
        """Those whose port is not free, with the name of their instance."""

    async def open(self, asked: Asked) -> Listener:
        """The listener that is asked for, opened unless it is open already.

        Raises:
            ListenerError: no such world or workload, the port is taken, or there are too many.
        """
        gone = [listener for listener in self.all() if not self._is_there(listener.asked)]
        return await self._beside(self._opened(asked, gone, is_there=self._is_there(asked)))

    async def _opened(self, asked: Asked, gone: list[Listener], *, is_there: bool) -> Listener:
        for old in gone:
            self._close(old)
        place = _place(asked)
        listener = self._open.get(place)
        if listener is not None and asked.port in (0, listener.port):
            return listener
        if not is_there:
            raise ListenerError(f"no {asked.kind} `{asked.workload}` in world `{asked.world}`")
        if len(self._open) >= MOST:
            raise ListenerError(f"there are {MOST} listeners already")
        if listener is not None:
            self._close(listener)
        try:
            opened = self._open[place] = await self._listen(asked)
        except OSError as error:
            number = error.errno or 0  # asyncio's own words name addresses, too
            why = os.strerror(number) if number > 0 else str(error)
            raise ListenerError(f"port {asked.port}: {why}".lower()) from None
        return opened

    async def open_declared(self) -> None:
        """Open those that instances of any world declare with a port.

        One that cannot be opened is logged, and tried again while the server runs: its port is somebody else's.
        """
        for asked, name in (await self._server.run(self._declared)).items():
            try:
                await self.open(asked)
            except ListenerError as why:
                if asked not in self._awaited:
                    log.warning(
                        "instance %s has no metadata service at the port that its scenario names: %s. It begins when "
                        "that is free; `sts-emulator imds %s --listen N` opens another one",
                        *(name, why, name if asked.world == DEFAULT else f"{name} --world {asked.world}"),
                    )
                self._awaited[asked] = name

    def _declared(self) -> dict[Asked, str]:
        """What is wanted, with the instance's name."""
        return {
            Asked("imds", name, instance["id"], instance["port"]): instance["name"]
            for name in self._server.worlds.names()
            if (world := self._server.worlds.get(name)) is not None
            for instance in world.page(compute.INSTANCE)
            if instance["port"] and instance["state"] == "running"
        }

    async def sweep(self) -> None:
        """Close the listeners of deleted worlds, whoever deletes them, other processes too; open awaited ones."""
        while True:
            await asyncio.sleep(SWEPT_EVERY)
            with contextlib.suppress(UnavailableError):  # then it is tried again
                if self._open:
                    for listener in await self._server.run(self._left_over):
                        self._close(listener)
                for asked, name in list(self._awaited.items()):
                    await self._try_again(asked, name)

    async def _try_again(self, asked: Asked, name: str) -> None:
        is_open = _place(asked) in self._open  # elsewhere, as somebody has asked for
        if not is_open and await self._server.run(partial(self._is_there, asked)):
            try:
                await self._opened(asked, [], is_there=True)
            except ListenerError:
                return
            log.warning("instance %s has its metadata service at port %d now", name, asked.port)
        del self._awaited[asked]

    def _left_over(self) -> list[Listener]:
        store = self._server.worlds.store
        store.look()
        return [listener for listener in self.all() if store.revision(listener.asked.world) is None]

    async def close(self, listener: Listener) -> None:
        """Close a listener; connections that it has accepted end with their request."""

        async def closing() -> None:
            self._close(listener)

        await self._beside(closing())

    async def _beside(self, work: Coroutine[Any, Any, Found]) -> Found:
        """What sockets belong to is the loop that opened them."""
        if asyncio.get_running_loop() is self._loop:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def _close(self, listener: Listener) -> None:
        listener.server.close()
        self._open = {place: other for place, other in self._open.items() if other is not listener}

    def close_all(self) -> None:
        for listener in self.all():
            self._close(listener)

    def all(self) -> list[Listener]:
        return list(self._open.values())

    def find(self, world: str, port: int) -> Listener | None:
        return next(
            (listener for listener in self.all() if (listener.asked.world, listener.port) == (world, port)), None
        )

    def _is_there(self, asked: Asked) -> bool:
        world = self._server.worlds.get(asked.world)
        if world is None:
            return False
        if asked.kind != "imds":
            return True
        instance = world.get(compute.INSTANCE, asked.workload)
        return instance is not None and instance["state"] == "running"

    async def _listen(self, asked: Asked) -> Listener:
        bound = self._server.settings.host
        host = ANYWHERE.get(bound, bound)
        if asked.kind == "proxy":
            from sts_emulator.network.proxy import Proxy

            tls = await self.open(Asked("aws", asked.world))
            served = await asyncio.start_server(Proxy(tls.host, tls.port).serve, bound or None, asked.port)
        else:
            served = await self._serve(asked, bound)
        return Listener(asked, host, served.sockets[0].getsockname()[1], served)

    async def _serve(self, asked: Asked, bound: str) -> asyncio.Server:
        app = self._mounted(asked.world, PAGES[asked.kind].format(workload=asked.workload))
        context: ssl.SSLContext | None = None
        if asked.kind == "aws":
            from sts_emulator.network.tls import server_context

            context = server_context(self._server.settings)
        factory = protocol_factory(app if asked.relayed else _limiting_hops(app))
        return await asyncio.get_running_loop().create_server(factory, bound or None, asked.port, ssl=context)


def _place(asked: Asked) -> tuple[str, str, str, bool]:
    """What there is one listener of."""
    return asked.kind, asked.world, asked.workload, asked.relayed


def protocol_factory(app: App) -> Callable[[], asyncio.Protocol]:
    """What serves HTTP on one connection of a listener; uvicorn loads with the first that anybody opens."""

    @cache
    def shared() -> Shared:
        from sts_emulator.serving.asgi import Shared

        return Shared(app, set())

    def connection() -> asyncio.Protocol:
        from sts_emulator.serving.asgi import AsgiConnection

        return AsgiConnection(shared())

    return connection


def _limiting_hops(app: App) -> App:
    """Let an answer that names a hop limit leave with that IP TTL, so that it gets no further.

    Source: docs/aws/instance-metadata.md, "Service".
    """

    async def limited(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                hops = [value for name, value in message["headers"] if name == HOP_HEADER]
                if hops:
                    rest = [pair for pair in message["headers"] if pair[0] != HOP_HEADER]
                    message = {**message, "headers": rest}
                    limit_hops(scope[TRANSPORT].get_extra_info("socket"), int(hops[0]))
            await send(message)

        await app(scope, receive, sending)

    return limited


def limit_hops(connection: socket.socket, hops: int) -> None:
    """Let what is sent from now on over a connection travel that many hops."""
    if connection.family == socket.AF_INET6:
        connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
    else:
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
