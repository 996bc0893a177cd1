"""One HTTP/1.1 exchange with an upstream: a request goes out and an answer comes in, piece by piece, neither kept."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, cast

import httptools

_HIGH: Final = 262_144
"""Bytes of an answer that wait to be read before the upstream has to wait."""

_LOWEST_FINAL: Final = 200
_NO_BODY: Final = frozenset({204, 304})

Headers = list[tuple[str, str]]


class LateError(Exception):
    """The upstream has not answered in time."""


class BrokenError(Exception):
    """The upstream could not be reached, or ended before its answer did; or its answer is none."""


class Exchange(asyncio.Protocol):
    """A connection to an upstream, for one request after the other."""

    def __init__(self, patience: float) -> None:
        self.status = 0
        self.headers: Headers = []
        self.is_reusable = False  # the answer has ended, and the connection has not
        self.has_answered = False  # the head of an answer has come
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._is_complete = False
        self._is_for_head = False
        self._broken: str | None = None
        self._is_late = False
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # What asyncio calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A piece of the answer."""
        if self._parser is None or self._is_complete:
            self._fail("sent what was not asked for")
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._is_complete:
                self._fail(f"sent what is no HTTP ({error})")
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes; where the answer has no length of its own, this is its end."""
        if self.has_answered and not self._is_complete and exc is None and self._ends_with_connection():
            self._is_complete = True
        self.is_reusable = False
        self._broken = self._broken or "closed the connection"
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """The upstream reads more slowly than the caller sends."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    # What httptools calls ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Of an answer, or of an interim one before it."""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self.headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head has come."""
        self.status = self._parser.get_status_code()
        if self.status < _LOWEST_FINAL:
            return
        self.has_answered = True
        if self._is_for_head or self.status in _NO_BODY:
            self._end()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        if self._is_complete:  # a body where none may be: what follows it might be taken for another answer
            self.is_reusable = False
            return
        self._pieces.append(body)
        self._waiting += len(body)
        if self._waiting > _HIGH and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer has ended."""
        if self.status >= _LOWEST_FINAL and not self._is_complete:
            self._end()

    # What the door calls -----------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent."""
        return self._transport is not None and not self._transport.is_closing() and self._broken is None

    def begin(self, *, for_head: bool) -> None:
        """Before a request: its answer is yet to come."""
        self._parser = httptools.HttpResponseParser(self)
        self._is_for_head = for_head
        self._is_complete = self.is_reusable = self.has_answered = False
        self.status, self.headers = 0, []
        self._news.clear()

    async def send(self, data: bytes) -> None:
        """Send a piece of the request, once the upstream has room for it. Raises LateError and BrokenError."""
        if not self._writable.is_set():
            await self._wait(self._writable)
        if self._transport is None or not self.is_open:
            raise BrokenError(self._broken or "closed the connection")
        self._transport.write(data)

    async def head(self) -> None:
        """Wait for the status and the headers. Raises LateError and BrokenError."""
        while not self.has_answered:
            if self._broken is not None:
                raise BrokenError(self._broken)
            self._news.clear()
            await self._wait(self._news)

    async def read(self) -> bytes:
        """The next piece of the body; empty at its end. Raises LateError and BrokenError."""
        while not self._pieces:
            if self._is_complete:
                return b""
            if self._broken is not None:
                raise BrokenError(f"{self._broken} in the middle of its answer")
            self._news.clear()
            await self._wait(self._news)
        piece = self._pieces.popleft()
        self._waiting -= len(piece)
        if not self._waiting and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        return piece

    def abort(self) -> None:
        """Drop the connection at once: what was sent is not the whole request, or the answer is not wanted."""
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    async def _wait(self, event: asyncio.Event) -> None:
        if event.is_set():
            return
        tired = asyncio.get_running_loop().call_later(self._patience, self._tire)
        try:
            await event.wait()
        finally:
            tired.cancel()
        if self._is_late:
            raise LateError

    def _tire(self) -> None:
        self._is_late = True
        self.abort()
        self._news.set()
        self._writable.set()

    def _end(self) -> None:
        self._is_complete = True
        self.is_reusable = bool(self._parser.should_keep_alive())

    def _ends_with_connection(self) -> bool:
        names = {name for name, _ in self.headers}
        return "content-length" not in names and "transfer-encoding" not in names

    def _fail(self, why: str) -> None:
        self._broken = why
        self.abort()
        self._news.set()
