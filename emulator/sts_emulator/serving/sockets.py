"""The server's process: its sockets, their certificate, and what runs beside them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from sts_emulator.serving.acceptor import Acceptor, bound
from sts_emulator.serving.collector import Collector
from sts_emulator.serving.connection import CallConnection
from sts_emulator.serving.front import Front
from sts_emulator.settings import Settings
from sts_emulator.vending.context import Server

if TYPE_CHECKING:
    from sts_emulator.serving.workers import Worker


log = logging.getLogger("emulator")


class PortError(Exception):
    """A port cannot be listened on: the text says why, for our own users."""


def serve(front: Front, ready: Callable[[Server], None], worker: Worker | None = None) -> None:
    """Serve until interrupted, alone or as one of several; `ready` is called once requests are answered.

    Raises:
        PortError: a port cannot be listened on.
    """
    # Neither closed nor let go of: that waits for the loop's threads, of which one may look up a name in vain.
    runner = asyncio.Runner(loop_factory=_loop_factory())
    runner.run(_serve(front, ready, worker))


async def _serve(front: Front, ready: Callable[[Server], None], worker: Worker | None) -> None:
    from sts_emulator.network.listeners import Listeners, protocol_factory
    from sts_emulator.scenario.watch import standing, watch

    server, loop = front.server, asyncio.get_running_loop()
    listeners = Listeners(server, front.mounted)
    is_first = worker is None or worker.is_first
    front.extensions.append(
        partial(_extend, listeners, "" if worker is None or is_first else worker.inner.getsockname())
    )
    front.collector = Collector()
    beside = [_beside("closing listeners", listeners.sweep()), _beside("collecting", front.collector.watch())]
    if worker is not None:
        loop.add_reader(worker.parent, os.kill, os.getpid(), signal.SIGTERM)  # it is gone
    if is_first:
        following = watch(server, standing(server), listeners.open_declared)
        beside.append(_beside("following scenario files", following))
    inner: asyncio.AbstractServer | None = None  # held: uvloop closes what nobody holds
    acceptor = Acceptor(front)
    try:
        if is_first:
            await listeners.open_declared()
        if worker is not None and is_first:
            inner = await loop.create_unix_server(protocol_factory(front), sock=worker.inner)
        with acceptor.heeding_signals():
            front.begin()
            await _listen(acceptor, front, worker)
            ready(server)
            await acceptor.end_when_told()
            if not acceptor.is_forced:
                front.end()
    finally:
        if inner is not None:
            inner.close()
        listeners.close_all()
        for task in beside:
            task.cancel()


async def _listen(acceptor: Acceptor, front: Front, worker: Worker | None) -> None:
    """Accept connections by http, and by https where that is wanted. Raises PortError."""
    settings, connection = front.server.settings, partial(CallConnection, front)
    ports = [settings.port, *([settings.tls_port] if settings.tls_port else [])]
    for number, port in enumerate(ports):
        try:
            opened = worker.sockets[number] if worker else bound(settings.host, port)
            await acceptor.listen(connection, opened, _certificate(settings) if number else None)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise PortError(f"cannot listen on {settings.host} port {port}: {reason}") from None


def _beside(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Do something as long as the server runs; that it has failed is told, since nobody waits for it."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_tell_failure)
    return task


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s has failed, and is not done any more", task.get_name(), exc_info=error)


def _extend(listeners: Any, first: str, app: Any) -> None:
    """Add the part of the control API that opens listeners; it loads with the rest of that API.

    `first` is where the worker is that opens them, if it is not this one.
    """
    from sts_emulator.workloads import control

    control.extend(app, listeners, first)


def _certificate(settings: Settings) -> ssl.SSLContext:
    from pathlib import Path

    from sts_emulator.idp.pki import server_certificate
    from sts_emulator.network.tls import context_of

    certificate, key, _ = server_certificate(Path(settings.certs), [settings.host])
    return context_of(certificate, key)


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:  # not made for Windows
        return None
    return uvloop.new_event_loop
