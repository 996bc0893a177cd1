"""A request that has arrived whole, answered by an ASGI application without uvicorn's part in it, and without a task.

That part (a scope, a parser's callbacks, a cycle, a timer for each request) costs as much as signing the request anew.
A task goes on with its work one turn of the loop after it is told what it waited for: here that is the same turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from sts_emulator.serving.answers import TRANSPORT
from sts_emulator.serving.flow import FlowControl
from sts_emulator.wire import messages
from sts_emulator.wire.asgi import ANSWER, Receive, Scope, Send
from sts_emulator.wire.http import Request, Response

log = logging.getLogger("emulator")

Passing = Callable[[Scope, Receive, Send], Coroutine[Any, None, None]]


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

    __slots__ = (
        *("_body", "_gone", "_head", "_is_cancelled", "_is_for_head", "_left", "_line", "_running", "_waits_for"),
        *("_work", "is_complete"),
    )

    def __init__(self, line: Line, request: Request) -> None:
        self.is_complete = False
        self._line = line
        self._body: bytes | None = request.body
        request.body = b""  # whoever answers reads it as it reads any
        self._is_for_head = request.method == "HEAD"
        self._head: bytes | None = None  # waits for the first of the body: both leave in one write
        self._left: int | None = None  # bytes of the body that are still to come; None where it is sent in chunks
        self._gone: asyncio.Future[None] | None = None  # of whoever waits for the client to leave
        self._waits_for: Any = None  # a future, or what behaves as one
        self._is_cancelled = False

    # How it goes on ----------------------------------------------------------------------------------------------

    def begin(self, passing: Passing, running: set[Any]) -> None:
        """Have the request answered; `running` is what the server waits for when it ends, and cancels in the end."""
        self._running = running
        running.add(self)
        self._work = passing({TRANSPORT: self._line.transport, ANSWER: self._answer}, self._receive, self._send)
        self._go_on()

    def _go_on(self, _: object = None) -> None:
        """Go on with the work until it must wait for something, as a task does."""
        try:
            if self._is_cancelled:
                self._is_cancelled = False
                waits_for = self._work.throw(asyncio.CancelledError())
            else:
                waits_for = self._work.send(None)
        except StopIteration:
            pass
        except asyncio.CancelledError:  # the server ends, and has waited for this as long as it does
            if self._head is None and not self._line.transport.is_closing():
                self._line.transport.write(messages.write(Response(503, [("connection", "close")], b"")))
        except Exception:
            log.exception("an answer could not be sent")
        else:
            self._waits_for = waits_for
            if waits_for is None:  # it only lets others have their turn
                self._line.loop.call_soon(self._go_on)
            else:
                waits_for._asyncio_future_blocking = False  # noqa: SLF001 - so it is told that somebody waits
                waits_for.add_done_callback(self._go_on)
            return
        self._end()

    def _end(self) -> None:
        self._running.discard(self)
        del self._work  # which holds this
        self._waits_for = None
        if self.is_complete:
            self._line.answered()
        else:
            self._line.transport.close()

    def cancel(self) -> None:
        """The server ends, and waits no longer."""
        self._is_cancelled = True
        if self._waits_for is not None:
            self._waits_for.cancel()

    def leave(self) -> None:
        """The client has gone."""
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    # What the application calls ----------------------------------------------------------------------------------

    async def _receive(self) -> Mapping[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body}
        if not self.is_complete and not self._line.transport.is_closing():
            self._gone = self._line.loop.create_future()
            await self._gone
        return {"type": "http.disconnect"}

    def _answer(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send all of an answer at once, whose headers tell its length; False where the client has to read first."""
        line = self._line
        if line.flow.write_paused:
            return False
        if not line.transport.is_closing():
            head = self._begun(status, headers)
            line.transport.write(head + self._framed(body, is_last=True))
            self._head, self.is_complete = b"", True
        return True

    async def _send(self, message: Mapping[str, Any]) -> None:
        line = self._line
        if line.flow.write_paused:
            await line.flow.drain()
        if line.transport.is_closing() or self.is_complete:
            return
        if message["type"] == "http.response.start":
            if self._head == b"":  # nobody could tell the two apart
                raise RuntimeError("an answer begins in the midst of another one")
            self._head = self._begun(message["status"], message["headers"])
            return
        is_last = not message.get("more_body", False)
        piece = (self._head or b"") + self._framed(message["body"], is_last=is_last)
        self._head = b""
        if piece:
            line.transport.write(piece)
        self.is_complete = is_last

    def _begun(self, status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The head of an answer. Raises ValueError for one that would not be read as it is meant."""
        lines = [messages.status_line(status).encode(), *[name + b": " + value for name, value in headers]]
        for length in [value for name, value in headers if name == b"content-length"]:
            self._left = int(length)
        if self._line.ends:
            lines.append(b"connection: close")
        if status in messages.NO_BODY:
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
