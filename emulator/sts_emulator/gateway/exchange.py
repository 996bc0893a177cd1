"""One HTTP/1.1 exchange with an upstream: a request goes out and an answer comes in, piece by piece, neither kept."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final, cast

import httptools

from sts_emulator.core.notices import Notice
from sts_emulator.wire import messages

_HIGH: Final = 262_144
"""Bytes of an answer that wait to be read before the upstream has to wait."""

_LOWEST_FINAL: Final = 200

Headers = list[tuple[str, str]]


class LateError(Exception):
    """The upstream has not answered in time."""


class BrokenError(Exception):
    """The upstream could not be reached, or ended before its answer did; or its answer is none."""


class Exchange(asyncio.Protocol):
    """A connection to an upstream, for one request after the other."""

    def __init__(self, patience: float) -> None:
        self.status = 0
        self.raw_headers: list[tuple[bytes, bytes]] = []  # names in lower case
        self.is_reusable = False  # the answer has ended, and the connection has not
        self.has_answered = False  # the head of an answer has come
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._is_complete = True
        self._is_for_head = False
        self._broken: str | None = None
        self._is_late = self._is_half_sent = False
        self.is_writable = True
        self._loop = asyncio.get_running_loop()
        self._news = Notice(self._loop)  # of any kind, for whoever waits for it
        self._since = 0.0  # since when
        self._next_look: asyncio.TimerHandle | None = None

    # What asyncio calls ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._is_complete:
            self._fail("sent what was not asked for")
            return
        if self._parser is None:
            if self._take_whole(data):
                return
            self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._is_complete:
                self._fail(f"sent what is no HTTP ({error})")
        self._news.tell()

    def _take_whole(self, data: bytes) -> bool:
        """Take an answer that has come in one piece, and is read without a parser; whether it is one."""
        answer = messages.read_answer(data, for_head=self._is_for_head)
        if answer is None:
            return False
        self.status, self.raw_headers, body = answer
        if body:
            self._pieces.append(body)
            self._waiting = len(body)
        self.has_answered = self._is_complete = self.is_reusable = True
        self._news.tell()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes; where the answer has no length of its own, this is its end."""
        if self.has_answered and not self._is_complete and exc is None and self._ends_with_connection():
            self._is_complete = True
        self.is_reusable = False
        self._broken = self._broken or "closed the connection"
        self.is_writable = True
        if self._next_look is not None:
            self._next_look.cancel()
        self._news.tell()

    def pause_writing(self) -> None:
        """The upstream reads more slowly than the caller sends."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """It has caught up."""
        self.is_writable = True
        self._news.tell()

    # What httptools calls ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Of an answer, or of an interim one before it."""
        if self._is_complete:  # what nobody asked for is no part of the answer
            self.is_reusable = False
        else:
            self.raw_headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_complete:
            self.raw_headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._is_complete:
            return
        self.status = self._parser.get_status_code()
        if self.status < _LOWEST_FINAL:
            return
        self.has_answered = True
        if self._is_for_head or self.status in messages.NO_BODY:
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
        if self.status >= _LOWEST_FINAL and not self._is_complete:
            self._end()

    # What the door calls -----------------------------------------------------------------------------------------

    @property
    def headers(self) -> Headers:
        """The headers of the answer; names in lower case."""
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.raw_headers]

    def header(self, name: bytes) -> bytes | None:
        for given, value in self.raw_headers:
            if given == name:
                return value
        return None

    @property
    def length(self) -> int | None:
        """How long the body is, where its headers say so."""
        said = self.header(b"content-length")
        return int(said) if said is not None and said.isdigit() else None

    @property
    def is_open(self) -> bool:
        """Whether another request may be sent."""
        return (
            not self._is_half_sent
            and self._transport is not None
            and not self._transport.is_closing()
            and self._broken is None
        )

    def begin(self, *, for_head: bool) -> None:
        """Before a request: its answer is yet to come."""
        self._parser = None
        self._is_for_head = for_head
        self._is_complete = self.is_reusable = self.has_answered = False
        self.status, self.raw_headers = 0, []

    async def send(self, data: bytes) -> None:
        """Send a piece of the request, once the upstream has room for it. Raises LateError and BrokenError."""
        while not self.is_writable:
            await self._wait()
        self.write(data)

    def write(self, data: bytes) -> None:
        """Likewise, where `is_writable` has told that there is room for it. Raises BrokenError."""
        if self._transport is None or not self.is_open:
            raise BrokenError(self._broken or "closed the connection")
        self._transport.write(data)

    async def head(self) -> None:
        """Wait for the status and the headers. Raises LateError and BrokenError."""
        while not self.has_answered:
            if self._broken is not None:
                raise BrokenError(self._broken)
            await self._wait()

    async def read(self) -> bytes:
        """The next piece of the body; empty at its end. Raises LateError and BrokenError."""
        while not self._pieces:
            if self._is_complete:
                return b""
            if self._broken is not None:
                raise BrokenError(f"{self._broken} in the middle of its answer")
            await self._wait()
        piece = self._pieces.popleft()
        self._waiting -= len(piece)
        if not self._waiting and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        return piece

    def rest(self) -> bytes | None:
        """What is left of the body, where all of it is here."""
        if not self._is_complete:
            return None
        body = b"".join(self._pieces)
        self._pieces.clear()
        self._waiting = 0
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
        return body

    def abort(self) -> None:
        """Drop the connection at once: what was sent is not the whole request, or the answer is not wanted."""
        self.is_reusable = False
        if self._transport is not None:
            self._transport.abort()

    def leave_off(self) -> None:
        """No more of the request is sent: the upstream would take the next one for the rest of it."""
        self._is_half_sent = True

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    async def _wait(self) -> None:
        """Until there is something new: a piece of the answer, room for one of the request, or an end."""
        self._since = self._loop.time()
        if self._next_look is None:
            self._next_look = self._loop.call_later(self._patience, self._look)
        await self._news
        if self._is_late:
            raise LateError

    def _look(self) -> None:
        """Whether the upstream has been waited for too long: one timer for many waits."""
        self._next_look = None
        if not self._news.is_awaited:
            return
        left = self._since + self._patience - self._loop.time()
        if left > 0:
            self._next_look = self._loop.call_later(left, self._look)
            return
        self._is_late = True
        self.abort()
        self._news.tell()

    def _end(self) -> None:
        self._is_complete = True
        self.is_reusable = bool(self._parser.should_keep_alive())

    def _ends_with_connection(self) -> bool:
        return self.header(b"content-length") is None and self.header(b"transfer-encoding") is None

    def _fail(self, why: str) -> None:
        self._broken = why
        self.abort()
        self._news.tell()
