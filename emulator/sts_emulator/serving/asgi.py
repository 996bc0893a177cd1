"""Connections whose requests an ASGI application answers: uvicorn's, bounded, each answer leaving in one write.

Only what needs it loads this, and with it uvicorn.
"""

from __future__ import annotations

import asyncio
import re
import weakref
from typing import Final, Protocol

import uvicorn
from uvicorn.server import ServerState

from sts_emulator.serving.answers import TRANSPORT
from sts_emulator.serving.bounds import BoundedConnection
from sts_emulator.serving.flow import IDLE, FlowControl
from sts_emulator.wire.asgi import App

_OFFER: Final = re.compile(rb"\r\nUpgrade: *h2c(?=\r\n)", re.IGNORECASE)


class Shared:
    """What uvicorn's connections to one application share. `tasks` are those that the server waits for when it ends."""

    def __init__(self, app: App, tasks: set[asyncio.Task[None]]) -> None:
        self.config = uvicorn.Config(
            app,
            interface="asgi3",
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,  # 38 us a request
            log_config=None,  # what is said goes to standard error as it is; configuring takes 2 ms
            server_header=False,
            date_header=False,  # ours is exact: see wire.messages
            # aws:SourceIp is the peer, whatever X-Forwarded-For claims; and IMDS must see that a client sent it
            proxy_headers=False,
            timeout_keep_alive=IDLE,
        )
        self.config.load()
        self.state = ServerState()
        self.state.tasks = tasks


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


class AsgiConnection(BoundedConnection):
    """A bounded connection, each answer leaving in one write; its application finds the transport in the scope."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared.config, shared.state, {})

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


class Line(Protocol):
    """The connection that gives it what it does not answer itself: serving.connection."""

    transport: asyncio.Transport
    flow: FlowControl
    ends: bool


class PassedConnection(AsgiConnection):
    """The part of such a connection: it reads what it is given, writes its answers, and has no timer for idleness."""

    def __init__(self, line: Line, shared: Shared) -> None:
        super().__init__(shared)
        self._line = line
        self._is_between = True  # messages
        self.connection_made(line.transport)
        self.flow = line.flow  # type: ignore[assignment]  # one for both: ours does what uvicorn's does

    def read(self, data: bytes, app: App | None = None) -> None:
        """Read what has come, and have it answered by the usual application, or by one that is for this request."""
        if app is None:
            self.data_received(data)
            return
        usual, self.app = self.app, app
        try:
            self.data_received(data)
        finally:
            self.app = usual

    def is_reading(self) -> bool:
        """Whether what comes next belongs to a request that it has begun to read, or to one behind it."""
        return not self._is_between or bool(self._held) or self._is_refused or self.is_answering()

    def is_answering(self) -> bool:
        """Whether an answer is in progress."""
        return self.cycle is not None and not self.cycle.response_complete

    def on_message_begin(self) -> None:
        """From here on bytes belong to a message."""
        self._is_between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It is the last one when the server ends."""
        super().on_headers_complete()
        if self._line.ends:
            self.announce_end(self.cycle)

    def on_message_complete(self) -> None:
        """That message has ended."""
        super().on_message_complete()
        self._is_between = True

    def on_response_complete(self) -> None:
        """An answer has left."""
        super().on_response_complete()
        self._unset_keepalive_if_required()
