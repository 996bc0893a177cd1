"""The server's process: its sockets, their certificate, and what runs beside them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sts_emulator.serving.front import Front
from sts_emulator.settings import Settings
from sts_emulator.vending.context import Server

if TYPE_CHECKING:
    from sts_emulator.serving.workers import Worker

STOPPING = 3
"""Seconds that calls in progress have when the server is told to stop; one that hangs by a fault never ends."""


def serve(front: Front, ready: Callable[[Server], None], worker: Worker | None = None) -> None:
    """Serve until interrupted, alone or as one of several; `ready` is called once requests are answered."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(front, ready, worker))


async def _serve(front: Front, ready: Callable[[Server], None], worker: Worker | None) -> None:
    import gc

    import uvicorn

    from sts_emulator.network.listeners import Listeners, protocol_factory
    from sts_emulator.scenario.watch import watch

    server, settings = front.server, front.server.settings
    listeners = Listeners(server, front.mounted)
    is_first = worker is None or worker.is_first
    front.extensions.append(
        partial(_extend, listeners, "" if worker is None or is_first else worker.inner.getsockname())
    )
    sockets = [uvicorn.Server(_socket(front, settings.host, settings.port))]
    if settings.tls_port:
        sockets.append(uvicorn.Server(_socket(front, settings.host, settings.tls_port, **_certificate(settings))))
    gc.freeze()  # what is loaded now stays: the collector need not walk it again (docs/aws/performance.md, "Growth")
    gc.enable()
    gc.set_threshold(50_000, 20, 100)
    beside = [asyncio.create_task(_announce(sockets, server, ready)), asyncio.create_task(listeners.sweep())]
    if worker is not None:
        asyncio.get_running_loop().add_reader(worker.parent, os.kill, os.getpid(), signal.SIGTERM)  # it is gone
    if is_first:
        beside.append(asyncio.create_task(watch(server, listeners.open_declared)))
    inner: asyncio.AbstractServer | None = None  # held: uvloop closes what nobody holds
    try:
        if is_first:
            await listeners.open_declared()
        if worker is not None and is_first:
            inner = await asyncio.get_running_loop().create_unix_server(protocol_factory(front), sock=worker.inner)
        bound = [None] * len(sockets) if worker is None else worker.sockets
        await asyncio.gather(*[socket.serve(places) for socket, places in zip(sockets, bound, strict=True)])
    finally:
        if inner is not None:
            inner.close()
        listeners.close_all()
        for task in beside:
            task.cancel()


def _extend(listeners: Any, first: str, app: Any) -> None:
    """Add the part of the control API that opens listeners; it loads with the rest of that API.

    `first` is where the worker is that opens them, if it is not this one.
    """
    from sts_emulator.workloads import control

    control.extend(app, listeners, first)


def _socket(front: Front, host: str, port: int, **tls: Any) -> Any:
    import uvicorn

    from sts_emulator.serving.connection import IDLE, CallConnection

    return uvicorn.Config(
        front,
        host,
        port,
        http=partial(CallConnection, front),  # type: ignore[arg-type]  # all it does is call it
        access_log=False,  # 38 us a request
        log_config=None,  # what is said goes to standard error as it is; configuring takes 2 ms
        ws="none",  # 24 ms at start
        server_header=False,
        date_header=False,  # ours is exact: see wire.messages
        proxy_headers=False,  # aws:SourceIp is the peer, whatever X-Forwarded-For claims
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=STOPPING,
        **tls,
    )


def _certificate(settings: Settings) -> dict[str, str]:
    from pathlib import Path

    from sts_emulator.idp.pki import server_certificate

    certificate, key, _ = server_certificate(Path(settings.certs), [settings.host])
    return {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}


async def _announce(sockets: list[Any], server: Server, ready: Callable[[Server], None]) -> None:
    while not all(socket.started for socket in sockets):  # noqa: ASYNC110 - uvicorn offers nothing to wait for
        await asyncio.sleep(0.005)
    ready(server)


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # not made for Windows
        return None
    return uvloop.new_event_loop
