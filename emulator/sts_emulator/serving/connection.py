"""One HTTP connection: a call that arrives whole is answered at once, everything else goes the way of ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from sts_emulator.wire import messages
from sts_emulator.wire.http import Request, Response

Answer = Callable[[Request], Response | Awaitable[Response]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
SendAnswer = Callable[[Send, Response], Awaitable[None]]


class Outbox:
    """Answers on their way out: written together when all requests that had arrived are answered.

    A write wakes the client that sleeps, for some 10 us; who is woken with several answers sleeps less often.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[asyncio.Transport, bytes]] = []

    def put(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, data: bytes) -> None:
        """Send `data` before the loop waits for requests again."""
        if not self._waiting:
            loop.call_soon(self.send)
        self._waiting.append((transport, data))

    def send(self) -> None:
        """Send all that waits, in order."""
        waiting, self._waiting = self._waiting, []
        for transport, data in waiting:
            if not transport.is_closing():
                transport.write(data)


class Connection(HttpToolsProtocol):
    """uvicorn's connection with a shortcut.

    What an SDK sends is one small POST at a time, and ASGI (a scope, a task, events for the body and for both halves
    of the answer) costs more than reading it. What the shortcut does not take is uvicorn's, from its first byte.
    """

    def __init__(self, answer: Answer, send_answer: SendAnswer, outbox: Outbox, **given: Any) -> None:
        super().__init__(**given)
        self._answer = answer
        self._send_answer = send_answer
        self._outbox = outbox
        self._between_messages = True
        self._answered = 0.0

    def on_message_begin(self) -> None:
        """From here on bytes belong to a message that uvicorn reads."""
        self._between_messages = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """That message has ended."""
        super().on_message_complete()
        self._between_messages = True

    def data_received(self, data: bytes) -> None:
        """Answer what is a plain call, unless an earlier request or a slow reader must be waited for."""
        if (
            self._between_messages
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and (request := messages.read(data, self.client[0] if self.client else "", self.scheme or "http"))
        ):
            self._take(request, data)
        else:
            self._outbox.send()  # what uvicorn may write at once comes behind it
            super().data_received(data)

    def shutdown(self) -> None:
        """Close the connection, or let it close when its request is answered."""
        self._outbox.send()
        super().shutdown()

    def _take(self, request: Request, data: bytes) -> None:
        answer = self._answer(request)
        if isinstance(answer, Response):
            self._outbox.put(self.loop, self.transport, messages.write(answer))
            self.server_state.total_requests += 1
            self._answered = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._watch(self.timeout_keep_alive)
            return
        # What has to wait goes on as an application of its own, which uvicorn runs for this one request.
        pending, send_answer = answer, self._send_answer

        async def app(_scope: Any, _receive: Any, send: Send) -> None:
            await send_answer(send, await pending)

        usual, self.app = self.app, app
        try:
            super().data_received(data)
        finally:
            self.app = usual

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if nothing was answered for so long: one timer, not a new one for each answer."""
        left = self._answered + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._watch(left)
        else:
            super().timeout_keep_alive_handler()

    def _watch(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)
