"""One HTTP connection: a plain call is answered as soon as it is there, everything else goes the way of ASGI."""

from __future__ import annotations

import asyncio
import re
import weakref
from collections import deque
from collections.abc import Awaitable
from functools import partial
from typing import Any, Final, Protocol

from sts_emulator.core.looks import Looks
from sts_emulator.core.store import UnavailableError
from sts_emulator.serving.answers import TRANSPORT, send_answer
from sts_emulator.serving.bounds import BoundedConnection
from sts_emulator.serving.direct import Direct, Passing
from sts_emulator.vending.context import Server
from sts_emulator.wire import messages
from sts_emulator.wire.http import Request, Response

_OFFER: Final = re.compile(rb"\r\nUpgrade: *h2c(?=\r\n)", re.IGNORECASE)

IDLE: Final = 120
"""Seconds that an idle connection lives: longer than the 90 s for which Go's clients keep one, so that none of them
sends a call into a connection that closes."""

LAST: Final = 0.1
"""Seconds that an idle connection lives on when the server ends: a call that is on its way is answered, and told that
it was the last. Closed at once, nobody would know whether it was carried out, and a proxy may not repeat a POST."""


class Calls(Protocol):
    """What answers calls: serving.front."""

    server: Server
    looks: Looks | None
    latest_caller: object
    """The connection whose call was answered last."""

    has_door: bool
    """Whether calls of other services pass on."""

    def answer_call(self, request: Request) -> Response | Awaitable[Response] | Passing | None:
        """The answer, or what gives it as an ASGI application; None where this is one for all of uvicorn's ways."""

    def refuse(self, request: Request, error: UnavailableError) -> Response:
        """The answer to what the state cannot serve."""


class OneWrite(asyncio.Transport):
    """What a request's answer is written to: its head waits for its body, and both leave in one write.

    A client that asked whether to send its body (`Expect: 100-continue`) and was refused sends its next request
    instead, which uvicorn would read as that body: such a connection ends with the answer (RFC 9110, 10.1.1).

    Go's client writes head and body of a request one after the other; when it has read the head of the answer before
    its own last write returns, it closes the connection, and a body that follows is lost (aws-sdk-go-v2#1825, #2737).
    """

    def __init__(self, connection: BoundedConnection) -> None:
        super().__init__()
        self._transport = connection.transport
        # Both have this: rings of them would wait for the collector
        self._cycle, self._connection = weakref.proxy(connection.cycle), weakref.proxy(connection)
        self._head: bytes | None = None
        self._is_asked = connection.cycle.waiting_for_100_continue

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send what has come together; uvicorn writes nothing after the head of an answer to HEAD."""
        if self._transport.is_closing():  # uvloop would raise that, and asyncio say nothing
            return
        if not self._cycle.response_started:  # go on, the client hears
            self._is_asked = False
        elif self._is_asked:
            data, self._is_asked = self._last(bytes(data)), False
        if self._head is None and self._cycle.response_started and self._cycle.scope["method"] != "HEAD":
            self._head = bytes(data)
        else:
            self._transport.write((self._head or b"") + data)
            self._head = b""

    def _last(self, head: bytes) -> bytes:
        if not (self._cycle.more_body and self._cycle.keep_alive):
            return head
        self._cycle.keep_alive = False
        return head[:-2] + b"connection: close\r\n\r\n"

    def close(self) -> None:
        """Close the connection once all is sent."""
        if self._head:
            self.write(b"")
        if self._cycle.more_body and not self._transport.is_closing():
            self._connection.end_unread()
        else:
            self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is being closed."""
        return self._transport.is_closing()


class Connection(BoundedConnection):
    """A bounded connection, each answer leaving in one write; its application finds the transport in the scope."""

    def data_received(self, data: bytes) -> None:
        """Read what came, without an offer of HTTP/2, which Java's own client makes with each first request.

        uvicorn declines it, but httptools takes what follows for the other protocol: a body that comes apart was lost.
        """
        if (self.cycle is None or self.cycle.response_complete) and _OFFER.search(data):
            head, end, body = data.partition(b"\r\n\r\n")
            data = _OFFER.sub(b"", head) + end + body
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """A request begins."""
        self.scope[TRANSPORT] = self.transport  # type: ignore[typeddict-unknown-key]  # one of our own
        super().on_headers_complete()
        self.cycle.transport = OneWrite(self)


class CallConnection(Connection):
    """That, with a shortcut.

    What an SDK sends is one small request at a time, and ASGI (a scope, a task, events for the body and for both halves
    of the answer) costs more than reading it. What the shortcut does not take is uvicorn's, from its first byte. What
    passes by the door is answered piece by piece, so that it is given a task of its own, but no more of that (Direct).

    No answer leaves before the event of its call is durable. With a database elsewhere no call is answered before
    `looks` has told what other replicas wrote.
    """

    def __init__(self, front: Calls, **given: Any) -> None:
        super().__init__(**given)
        self._front = front
        self._events = front.server.events
        self._looks = front.looks
        self._is_held = False  # the last answer
        self._later: deque[bytes] = deque()  # what came meanwhile
        self._direct: Direct | None = None  # what gives that answer, where it passes by the door
        self.ends = False  # once that answer has left
        self._between_messages = True
        self._active = 0.0
        self._begun: Request | None = None  # whose body is still coming,
        self._missing = 0  # so many bytes,
        self._received = bytearray()  # behind these

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """It is counted while it is open."""
        self._front.server.metrics.connections += 1
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Not any more."""
        self._front.server.metrics.connections -= 1
        super().connection_lost(exc)
        if self._direct is not None:
            self._direct.leave()

    def on_message_begin(self) -> None:
        """From here on bytes belong to a message that uvicorn reads."""
        self._between_messages = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It is the last one when the server ends."""
        super().on_headers_complete()
        if self.ends:
            self.announce_end(self.cycle)

    def on_message_complete(self) -> None:
        """That message has ended."""
        super().on_message_complete()
        self._between_messages = True

    def data_received(self, data: bytes) -> None:
        """Answer what is a plain call, unless an earlier request or a slow reader must be waited for."""
        self._arrivals += 1
        if self._is_held:  # whoever sends the next call before the last one's answer gets them in order
            self._later.append(data)
            self.flow.pause_reading()
            return
        if self._begun is not None:
            self._go_on(self._begun, data)
            return
        if (
            self._between_messages
            and (self.cycle is None or self.cycle.response_complete)
            and not self._held
            and not self.flow.write_paused
            and (taken := self._whole_call(data))
        ):
            request, self._missing = taken
            if self._missing:
                self._begun, self._received = request, bytearray(data)
                self._active = self.loop.time()
            else:
                self._take(request, data)
        else:
            super().data_received(data)

    def _whole_call(self, data: bytes) -> tuple[Request, int] | None:
        """The plain call that has come, and how many bytes of it are still to come."""
        client, scheme = self.client[0] if self.client else "", self.scheme or "http"
        if (taken := messages.read(data, client, scheme)) is not None:
            return taken
        bare = messages.read_bare(data, client, scheme) if self._front.has_door else None
        return (bare, 0) if bare is not None else None

    def _go_on(self, request: Request, data: bytes) -> None:
        """Head and body come apart from clients such as Go's."""
        self._received += data
        self._missing -= len(data)
        if self._missing > 0:
            return
        self._begun, whole = None, bytes(self._received)
        if self._missing < 0 or self.flow.write_paused:
            super().data_received(whole)
        else:
            request.body = whole.partition(b"\r\n\r\n")[2]
            self._take(request, whole)

    def _take(self, request: Request, data: bytes) -> None:
        if self._looks is None:
            self._carry_out(request, data)
        else:
            self._is_held = True
            self._looks.then(partial(self._looked, request, data))

    def _looked(self, request: Request, data: bytes, error: UnavailableError | None) -> None:
        self._is_held = False
        if self.transport.is_closing():
            return
        if error is None:
            self._carry_out(request, data)
        else:
            self._send(messages.write(self._front.refuse(request, error)))
        if not self._is_held:
            self._go_on_later()

    def _carry_out(self, request: Request, data: bytes) -> None:
        answer = self._front.answer_call(request)
        if answer is None:
            super().data_received(data)
            return
        if callable(answer):
            self._begin_answer()
            self._direct = Direct(self, request)
            self._direct.begin(answer, self.tasks)
            return
        if isinstance(answer, Response) and answer.fault is None:
            self._begin_answer()
            if self.ends:
                answer.headers.append(("connection", "close"))
            whole = messages.write(answer)
            if self._events.waits():
                self._events.hold(partial(self._send, whole), partial(self._send_refusal, request))
            elif self._front.latest_caller is self:
                self._send(whole)
            else:  # several call at once: the answers of a turn leave together, and who waits for them is woken once
                self._front.latest_caller = self
                self.loop.call_soon(self._send, whole)
            return
        # What has to wait goes on as an application of its own, which uvicorn runs for this one request.
        pending = answer

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                response = pending if isinstance(pending, Response) else await pending
                await self._events.settled()
            except UnavailableError as error:
                response = self._front.refuse(request, error)
            except asyncio.CancelledError:  # the server ends, and has waited for this as long as it does
                response = Response(503, [("connection", "close")], b"")
            await send_answer(scope, receive, send, response)

        usual, self.app = self.app, app
        try:
            super().data_received(data)
        finally:
            self.app = usual

    def _begin_answer(self) -> None:
        self._is_held = True
        self.server_state.total_requests += 1
        self._active = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._watch(self.timeout_keep_alive)

    def answered(self) -> None:
        """All of an answer that was given piece by piece has been written."""
        self._is_held, self._direct = False, None
        self._active = self.loop.time()
        self._go_on_behind()

    def _send_refusal(self, request: Request, error: UnavailableError) -> None:
        self._send(messages.write(self._front.refuse(request, error)))

    def _send(self, answer: bytes) -> None:
        self._is_held = False
        if (
            self.transport.is_closing()
        ):  # its client has left, and uvloop would raise that before others had their answers
            return
        self.transport.write(answer)
        self._go_on_behind()

    def _go_on_behind(self) -> None:
        if self.ends:
            self.transport.close()
        elif self._later:
            self._go_on_later()

    def _go_on_later(self) -> None:
        """Read what came while an answer was held."""
        while self._later and not self._is_held:
            self.data_received(self._later.popleft())
        if not self._later and not self.flow.write_paused:
            self.flow.resume_reading()

    def is_half_sent(self) -> bool:
        """Likewise for a call that the shortcut has begun to read."""
        return self._begun is not None or super().is_half_sent()

    def shutdown(self) -> None:
        """The server stops: what was answered leaves before."""
        self._events.settle()
        self.ends = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.announce_end(self.cycle)
        elif not self._is_held:
            self.loop.call_later(LAST, self._leave)

    def _leave(self) -> None:
        """Close, unless an answer does it that is still awaited."""
        if not self._is_held and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if nothing happened for so long: one timer, not a new one for each answer."""
        left = self._active + self.timeout_keep_alive - self.loop.time()
        if left > 0 or self._is_held:
            self._watch(max(left, 1))
        else:
            super().timeout_keep_alive_handler()

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
