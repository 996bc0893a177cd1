"""One HTTP connection: a plain call is answered as soon as it is there, everything else goes the way of ASGI."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from sts_emulator.core.greeting import HEALTH
from sts_emulator.core.looks import Looks
from sts_emulator.core.store import UnavailableError
from sts_emulator.serving.acceptor import Acceptor
from sts_emulator.serving.answers import send_answer
from sts_emulator.serving.collector import Collector
from sts_emulator.serving.direct import Direct, Passing
from sts_emulator.serving.flow import IDLE, LAST, PATIENCE, FlowControl
from sts_emulator.vending.context import Server
from sts_emulator.wire import messages
from sts_emulator.wire.asgi import App
from sts_emulator.wire.http import Request, Response

if TYPE_CHECKING:
    from sts_emulator.serving.asgi import PassedConnection


class Calls(Protocol):
    """What answers calls: serving.front."""

    server: Server
    looks: Looks | None
    latest_caller: object
    """The connection whose call was answered last."""

    collector: Collector | None
    """What counts calls, in a process of our own."""

    has_door: bool
    """Whether calls of other services pass on."""

    def answer_call(self, request: Request) -> Response | Awaitable[Response] | Passing | None:
        """The answer, or what gives it as an ASGI application; None where this is one for all of uvicorn's ways."""

    def refuse(self, request: Request, error: UnavailableError) -> Response:
        """The answer to what the state cannot serve."""


class CallConnection(asyncio.Protocol):
    """A connection to the server's own port, with a shortcut.

    What an SDK sends is one small request at a time, and ASGI (a scope, a task, events for the body and for both halves
    of the answer) costs more than reading it. What the shortcut does not take is uvicorn's, from its first byte, on the
    same transport; it is loaded with the first of that. What passes by the door is answered piece by piece, but with no
    more of that than it needs (Direct).

    No answer leaves before the event of its call is durable. With a database elsewhere no call is answered before
    `looks` has told what other replicas wrote.
    """

    transport: asyncio.Transport
    flow: FlowControl

    def __init__(self, front: Calls, acceptor: Acceptor, patience: float = PATIENCE) -> None:
        self.loop = asyncio.get_running_loop()
        self.ends = False  # once the answer that is held has left
        self._front = front
        self._acceptor = acceptor
        self._events = front.server.events
        self._looks = front.looks
        self._passed: PassedConnection | None = None  # what reads all else, once anything else has come
        self._is_held = False  # the last answer
        self._later: deque[bytes] = deque()  # what came meanwhile
        self._direct: Direct | None = None  # what gives that answer, where it passes by the door
        self._begun: Request | None = None  # whose body is still coming,
        self._missing = 0  # so many bytes,
        self._received = bytearray()  # behind these
        self._arrivals = self._seen = 0  # how often something came, in all and at the last look
        self._idle_looks = 0  # how often there was nothing to do, one after the other
        self._patience = patience  # seconds between two looks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of a narrower type
        """It is counted while it is open, and it is looked from now on whether anything comes."""
        self.transport = transport
        self.flow = FlowControl(transport)
        self._client = _peer(transport)
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._next_look = self.loop.call_later(self._patience, self.look)
        self._front.server.metrics.connections += 1
        self._acceptor.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits for it, or on it, any more."""
        self._front.server.metrics.connections -= 1
        self._acceptor.connections.discard(self)
        self._next_look.cancel()
        self.flow.resume_writing()
        if self._passed is not None:
            self._passed.connection_lost(exc)
        if self._direct is not None:
            self._direct.leave()

    def pause_writing(self) -> None:
        """The client does not read what was written."""
        self.flow.pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self.flow.resume_writing()

    def data_received(self, data: bytes) -> None:
        """Answer what is a plain call, unless an earlier request or a slow reader must be waited for."""
        self._arrivals += 1
        if self._is_held:  # whoever sends the next call before the last one's answer gets them in order
            self._later.append(data)
            self.flow.pause_reading()
        elif self._begun is not None:
            self._go_on(self._begun, data)
        elif (
            (self._passed is None or not self._passed.is_reading())
            and not self.flow.write_paused
            and (taken := messages.read(data, self._client, self._scheme) or self._bare_call(data))
        ):
            request, self._missing = taken
            if self._missing:
                self._begun, self._received = request, bytearray(data)
            else:
                self._take(request, data)
        else:
            self._pass_on(data)

    def _pass_on(self, data: bytes, app: App | None = None) -> None:
        """Let uvicorn read it, and the usual application answer, or one that is for this request alone."""
        if self._passed is None:
            from sts_emulator.serving.asgi import PassedConnection

            self._passed = PassedConnection(self, self._acceptor.shared)
        self._passed.read(data, app)

    def _bare_call(self, data: bytes) -> tuple[Request, int] | None:
        """The call without a body that has come, where calls pass by the door."""
        bare = messages.read_bare(data, self._client, self._scheme) if self._front.has_door else None
        return (bare, 0) if bare is not None else None

    def _go_on(self, request: Request, data: bytes) -> None:
        """Head and body come apart from clients such as Go's."""
        self._received += data
        self._missing -= len(data)
        if self._missing > 0:
            return
        self._begun, whole = None, bytes(self._received)
        if self._missing < 0 or self.flow.write_paused:
            self._pass_on(whole)
        else:
            request.body = whole.partition(b"\r\n\r\n")[2]
            self._take(request, whole)

    def _take(self, request: Request, data: bytes) -> None:
        if self._looks is None or request.signed_path == HEALTH:  # which asks for no state
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
        elif answer is None:
            self._pass_on(data)
        elif callable(answer):
            self._begin_answer()
            self._direct = Direct(self, request)
            self._direct.begin(answer, self._acceptor.tasks)
        else:
            self._answer_later(request, data, answer)

    def _answer_later(self, request: Request, data: bytes, pending: Response | Awaitable[Response]) -> None:
        """What has to wait goes on as an application of its own, which uvicorn runs for this one request."""

        async def app(scope: Any, receive: Any, send: Any) -> None:
            try:
                response = pending if isinstance(pending, Response) else await pending
                await self._events.settled()
            except UnavailableError as error:
                response = self._front.refuse(request, error)
            except asyncio.CancelledError:  # the server ends, and has waited for this as long as it does
                response = Response(503, [("connection", "close")], b"")
            await send_answer(scope, receive, send, response)

        self._pass_on(data, app)

    def _begin_answer(self) -> None:
        self._is_held = True
        if self._front.collector is not None:
            self._front.collector.count_call()

    def answered(self) -> None:
        """All of an answer that was given piece by piece has been written."""
        self._is_held, self._direct = False, None
        self._go_on_behind()

    def _send_refusal(self, request: Request, error: UnavailableError) -> None:
        self._send(messages.write(self._front.refuse(request, error)))

    def _send(self, answer: bytes) -> None:
        self._is_held = False
        if self.transport.is_closing():  # its client has left: uvloop would raise that before others had their answers
            return
        self.transport.write(answer)
        if self.ends or self._later:
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

    def look(self) -> None:
        """Give up a call that is half sent and does not go on, and who never sends one; uvicorn's part looks itself.

        Whoever has had nothing to do for long is let go.
        """
        if self.transport.is_closing():
            return
        if self._arrivals == self._seen and (self._begun is not None or not self._arrivals):
            self.transport.abort()
            return
        is_idle = self._arrivals == self._seen and not self._is_held
        if is_idle and (self._passed is None or not self._passed.is_reading()):
            self._idle_looks += 1
        else:
            self._idle_looks = 0
        if self._idle_looks > IDLE // PATIENCE:  # before the first of these it may have become idle just now
            self.transport.close()
            return
        self._seen = self._arrivals
        self._next_look = self.loop.call_later(self._patience, self.look)

    def shutdown(self) -> None:
        """The server stops: what was answered leaves before."""
        self._events.settle()
        self.ends = True
        if self._passed is not None and self._passed.is_answering():
            self._passed.announce_end(self._passed.cycle)
        elif not self._is_held:
            self.loop.call_later(LAST, self._leave)

    def _leave(self) -> None:
        """Close, unless an answer does it that is still awaited."""
        if not self._is_held and (self._passed is None or not self._passed.is_answering()):
            self.transport.close()


def _peer(transport: asyncio.Transport) -> str:
    """The address of the client; "" where there is none, or it has gone already."""
    try:
        peer = transport.get_extra_info("peername")
    except OSError:
        return ""
    return str(peer[0]) if isinstance(peer, tuple) else ""
