"""What one connection may keep waiting, and for how long."""

from __future__ import annotations

import asyncio
from typing import Final

PATIENCE: Final = 30
"""Seconds without a byte after which what is half sent is given up; a head has twice as many in all."""

IDLE: Final = 120
"""Seconds that an idle connection lives at least, and one or two looks more: longer than the 90 s for which Go's
clients keep one, so that none of them sends a call into a connection that closes."""

LAST: Final = 0.1
"""Seconds that an idle connection lives on when the server ends: a call that is on its way is answered, and told that
it was the last. Closed at once, nobody would know whether it was carried out, and a proxy may not repeat a POST."""


class FlowControl:
    """Who is held up on a connection: the client that sends, or whoever writes to it.

    What uvicorn's of that name is, which would bring all of uvicorn; both ways of a connection share one.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.read_paused = self.write_paused = False
        self._transport = transport
        self._is_writable = asyncio.Event()
        self._is_writable.set()

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        await self._is_writable.wait()

    def pause_reading(self) -> None:
        """Let what the client sends wait in its socket."""
        if not self.read_paused:
            self.read_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if self.read_paused:
            self.read_paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The client does not read: who writes has to wait."""
        self.write_paused = True
        self._is_writable.clear()

    def resume_writing(self) -> None:
        """It has read enough, or has gone."""
        self.write_paused = False
        self._is_writable.set()
