"""What work waits for until it is told: like a future of asyncio, but the work goes on in the same turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any


class Notice:
    """Awaited by one at a time, and as often as they like, from a task or from what serving.direct goes on with.

    It behaves as asyncio wants what is not its own future to behave (`asyncio.isfuture`). A future has whoever waits
    for it go on in the next turn of the loop.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_go_on", "_is_cancelled", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._go_on: Callable[[Any], object] | None = None
        self._context: Context | None = None
        self._is_cancelled = False

    def __await__(self) -> Generator[Notice, None, None]:
        """Wait until `tell` is called."""
        self._is_cancelled = False
        self._asyncio_future_blocking = True
        yield self
        self.result()

    @property
    def is_awaited(self) -> bool:
        """Whether anybody waits."""
        return self._go_on is not None

    def tell(self) -> None:
        """Have whoever waits go on, before this returns."""
        go_on, self._go_on = self._go_on, None
        if go_on is None:
            return
        if self._context is None:
            go_on(self)
        else:
            self._context.run(go_on, self)

    # What asyncio calls ------------------------------------------------------------------------------------------

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop of whoever may wait."""
        return self._loop

    def add_done_callback(self, go_on: Callable[[Any], object], *, context: Context | None = None) -> None:
        """What to call when it is told."""
        self._go_on, self._context = go_on, context

    def result(self) -> None:
        """Nothing. Raises CancelledError."""
        if self._is_cancelled:
            raise asyncio.CancelledError

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - asyncio hands it over
        """End the waiting, in the next turn: whoever cancels may be in the middle of something."""
        self._is_cancelled = True
        self._loop.call_soon(self.tell)
        return True
