"""A request that has arrived whole, answered by an ASGI application without uvicorn's part in it.

That part (a scope, a parser's callbacks, a cycle, a timer for each request) costs as much as signing the request anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from sts_emulator.serving.answers import TRANSPORT
from sts_emulator.serving.flow import FlowControl
from sts_emulator.wire import messages
from sts_emulator.wire.asgi import Receive, Scope, Send
from sts_emulator.wire.http import Request, Response

log = logging.getLogger("emulator")

Passing = Callable[[Scope, Receive, Send], Awaitable[None]]
_NO_BODY: Final = frozenset({204, 304})


class Line(Protocol):
    """The connection that a request came by."""

    transport: asyncio.Transport
    flow: FlowControl
    loop: asyncio.AbstractEventLoop
    ends: bool
    """Whether it is closed once this request is answered."""

    def answered(self) -> None:
        """All of the answer has been written."""


class Direct:
    """One such request: what brings its body, and takes its answer as it comes, no faster than the client reads."""

    __slots__ = ("_body", "_gone", "_head", "_is_for_head", "_left", "_line", "_task", "is_complete")

    def __init__(self, line: Line, request: Request) -> None:
        self.is_complete = False
        self._line = line
        self._body: bytes | None = request.body
        request.body = b""  # whoever answers reads it as it reads any
        self._is_for_head = request.method == "HEAD"
        self._head: bytes | None = None  # waits for the first of the body: both leave in one write
        self._left: int | None = None  # bytes of the body that are still to come; None where it is sent in chunks
        self._gone: asyncio.Future[None] | None = None  # of whoever waits for the client to leave

    def begin(self, passing: Passing, tasks: set[asyncio.Task[None]]) -> None:
        """Have the request answered; `tasks` are those that the server waits for when it ends."""
        self._task = self._line.loop.create_task(self._run(passing, tasks))
        tasks.add(self._task)

    async def _run(self, passing: Passing, tasks: set[asyncio.Task[None]]) -> None:
        transport = self._line.transport
        try:
            await passing({TRANSPORT: transport}, self._receive, self._send)
        except asyncio.CancelledError:  # the server ends, and has waited for this as long as it does
            if self._head is None and not transport.is_closing():
                transport.write(messages.write(Response(503, [("connection", "close")], b"")))
        except Exception:
            log.exception("an answer could not be sent")
        if not self.is_complete:
            transport.close()
        tasks.discard(self._task)
        del self._task  # which holds this

    def leave(self) -> None:
        """The client has gone."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    async def _receive(self) -> Mapping[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body}
        if not self.is_complete and not self._line.transport.is_closing():
            self._gone = self._line.loop.create_future()
            await self._gone
        return {"type": "http.disconnect"}

    async def _send(self, message: Mapping[str, Any]) -> None:
        line = self._line
        if line.flow.write_paused:
            await line.flow.drain()
        if line.transport.is_closing():
            return
        if message["type"] == "http.response.start":
            self._head = self._begun(message["status"], message["headers"])
            return
        is_last = not message.get("more_body", False)
        piece = (self._head or b"") + self._framed(message["body"], is_last=is_last)
        self._head = b""
        if piece:
            line.transport.write(piece)
        if is_last:
            self.is_complete = True
            line.answered()

    def _begun(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The head of an answer. Raises ValueError for one that would not be read as it is meant."""
        lines = [messages.status_line(status).encode()]
        for name, value in headers:
            lines.append(b"%b: %b" % (name, value))
            if name == b"content-length":
                self._left = int(value)
        if self._line.ends:
            lines.append(b"connection: close")
        if status in _NO_BODY:
            self._left = 0
        elif self._left is None and not self._is_for_head:
            lines.append(b"transfer-encoding: chunked")
        lines += (b"", b"")
        head = b"\r\n".join(lines)
        if not head.count(b"\r") == head.count(b"\n") == len(lines) - 1:
            raise ValueError(f"a header with a line break: {head!r}")
        return head

    def _framed(self, body: bytes, *, is_last: bool) -> bytes:
        """A piece of the body as it goes on the wire. Raises ValueError for a body of another length than was told."""
        if self._is_for_head:
            return b""
        if self._left is None:
            return (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if is_last else b"")
        self._left -= len(body)
        if self._left < 0 or (is_last and self._left):
            raise ValueError("a body of another length than its head tells")
        return body
