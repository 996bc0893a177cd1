"""Threads beside the event loop, for what may wait for a database elsewhere: nobody else waits for it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Value = TypeVar("Value")
Work = Callable[[], Value | Awaitable[Value]]

UNITS: Final = 16
"""Pieces of work at the same time that go through without awaiting anything."""

AWAITING: Final = 64
"""Those that await something in between, each in a thread with an event loop of its own: they may take their time."""

_here = threading.local()


class OnLoop(Awaitable[Value]):
    """An answer that waits for nothing but time, and goes on by itself: it stays on the server's loop."""


class Beside:
    """See above. What was put off by `afterwards` is done on the caller's loop."""

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor  # here: it takes a millisecond, and memory needs none

        self._units = ThreadPoolExecutor(UNITS, "units")
        self._awaiting = ThreadPoolExecutor(AWAITING, "awaiting")
        self._further = ThreadPoolExecutor(UNITS, "further")  # what those hand on with asyncio.to_thread

    async def run(self, work: Work[Value]) -> Value:
        """What `work` returns, or what comes of awaiting it."""
        made = await self._in(self._units, work)
        if isinstance(made, OnLoop):
            made = await made
        elif inspect.isawaitable(made):
            made = await self._in(self._awaiting, lambda: self._loop().run_until_complete(made))
        return cast("Value", made)

    async def _in(self, threads: ThreadPoolExecutor, work: Callable[[], Any]) -> Any:
        put_off: list[Callable[[], None]] = []
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, _noting, put_off, work)
        finally:
            for step in put_off:
                step()

    def _loop(self) -> asyncio.AbstractEventLoop:
        loop: asyncio.AbstractEventLoop | None = getattr(_here, "loop", None)
        if loop is None:
            loop = _here.loop = asyncio.new_event_loop()
            loop.set_default_executor(self._further)
        return loop


def afterwards(step: Callable[[], None]) -> bool:
    """Put something off until the loop has the work back that this thread does; False on the loop itself."""
    put_off: list[Callable[[], None]] | None = getattr(_here, "put_off", None)
    if put_off is None:
        return False
    put_off.append(step)
    return True


def _noting(put_off: list[Callable[[], None]], work: Callable[[], Any]) -> Any:
    _here.put_off = put_off
    try:
        return work()
    finally:
        _here.put_off = None
