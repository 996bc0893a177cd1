"""What one connection may cost: how long a head is, what waits unread, how long a request may stay half sent."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from sts_emulator.serving.flow import PATIENCE


def _is_news(record: logging.LogRecord) -> bool:
    """Whether uvicorn tells a failure, and not that a call was cut off when the server ended."""
    return record.exc_info is None or not isinstance(record.exc_info[1], asyncio.CancelledError)


_log = logging.getLogger("uvicorn.error")
_log.setLevel(logging.ERROR)  # its warnings are a line for each thing that is no HTTP
_log.addFilter(_is_news)

LONGEST_HEAD: Final = 65_536
"""Bytes of a request line and its headers. Servers of AWS take less: S3 8 KiB of headers."""

AHEAD: Final = 8_192  # bytes that are read before it is looked at what they have become,
_BODY_PIECE: Final = 65_536  # and within a body
AROUND: Final = 16_384
"""Bytes that stand around a body, beyond an eighth of it: the sizes of its chunks, what is said beside them, trailers.
Chunks of one byte each cost a hundred times what a body costs that comes whole."""
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\ncontent-length: 31\r\n"
    b"connection: close\r\n\r\nthe head is longer than 64 KiB\n"
)


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, with bounds that it lacks."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._held: deque[bytes] = deque()  # what came behind requests that wait
        self._head = 0  # bytes of the head that is being read
        self._around = 0.0  # those around the body that is being read, less what may be
        self._in_head = self._is_refused = False
        self._is_new_head = False  # since the last look
        self._arrivals = self._seen = 0  # how often something came, in all and at the last look

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Look from now on whether anything comes."""
        super().connection_made(transport)
        self._next_look = self.loop.call_later(PATIENCE, self.look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing that is held is needed any more."""
        self._held.clear()
        self._next_look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read, but not more than one piece ahead of what is answered."""
        self._arrivals += 1
        if self._is_refused:
            return
        self._held.append(data)
        self._read_on()

    def _read_on(self) -> None:
        """Read what has come, as long as no request waits for its turn."""
        while self._held and not self.pipeline and not self.transport.is_closing():
            self._read(self._held.popleft())
        if self._held or self.pipeline:
            self.flow.pause_reading()

    def _read(self, data: bytes) -> None:
        while data and not self._is_refused and not self.transport.is_closing():
            if self.pipeline:
                self._held.appendleft(data)
                return
            cycle = self.cycle
            is_body = not self._in_head and cycle is not None and cycle.more_body
            piece = data[: _BODY_PIECE if is_body else min(AHEAD, LONGEST_HEAD - self._head)]
            data = data[len(piece) :]
            super().data_received(piece)
            if self._in_head:
                self._head += 0 if is_body else len(piece)
                if self._head >= LONGEST_HEAD:
                    self._refuse()
            elif is_body and cycle.more_body and cycle is self.cycle:
                self._around += len(piece)
                if self._around > AROUND:
                    self._cut_off()

    def _refuse(self) -> None:
        """Say so, if that is no answer to an earlier request."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_TOO_LARGE)
            self.end_unread()
        else:
            self._cut_off()

    def end_unread(self) -> None:
        """End with what has been answered, and read to no purpose until the client has heard it.

        A connection that is closed while something of it is unread is reset, and the answer lost with it.
        """
        self._is_refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def _cut_off(self) -> None:
        """Do without the rest of a body: whoever reads it hears that the client has left."""
        self._is_refused = True
        self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, but not in place of the answer that a request before it still awaits."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            super().send_400_response(msg)
        elif cycle.more_body:  # it is that request's own body
            if cycle.response_started or self.pipeline:
                self._cut_off()
            else:
                super().send_400_response(msg)
        else:
            self._is_refused = True
            self.announce_end(cycle)

    @staticmethod
    def announce_end(cycle: RequestResponseCycle) -> None:
        """Let the connection end with the answer of a request, which says so."""
        cycle.keep_alive = False
        cycle.default_headers = [*cycle.default_headers, (b"connection", b"close")]

    def on_message_begin(self) -> None:
        """A head begins."""
        self._in_head = self._is_new_head = True
        self._head = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It has ended."""
        self._in_head = False
        self._head = self._around = 0
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take what stands in the head alone: a trailer is none of the request's headers (RFC 9110, 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Some of the body has come."""
        self._around -= len(body) * 1.125
        super().on_body(body)

    def on_response_complete(self) -> None:
        """The next request has its turn, and what came behind it."""
        super().on_response_complete()
        self._read_on()

    def look(self) -> None:
        """Give up what is half sent and does not go on."""
        if self.transport.is_closing():
            return
        is_over = self._is_refused or (self._in_head and not self._is_new_head)
        is_silent = self._arrivals == self._seen and self.is_half_sent()
        if (is_over or is_silent) and not self.flow.read_paused:  # else it is us who hold the client up
            self.transport.abort()
            return
        self._seen, self._is_new_head = self._arrivals, self.flow.read_paused
        self._next_look = self.loop.call_later(PATIENCE, self.look)

    def is_half_sent(self) -> bool:
        """Whether it is the client's turn to go on; before its first request, too."""
        if self._in_head or not self._arrivals:
            return True
        cycle = self.cycle
        is_open = cycle is not None and cycle.more_body and not cycle.response_complete
        return is_open and not cycle.waiting_for_100_continue
