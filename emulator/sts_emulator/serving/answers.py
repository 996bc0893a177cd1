"""How an answer leaves by ASGI, whole or as a fault wants it spoilt."""

from __future__ import annotations

from typing import Final

from sts_emulator.wire import messages
from sts_emulator.wire.asgi import Receive, Scope, Send
from sts_emulator.wire.http import Response

TRANSPORT: Final = "emulator.transport"
"""In a scope: the connection's transport, which only our own sockets give to their application."""


async def send_answer(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    """Send an answer as ASGI events, and none that a fault holds back."""
    if response.fault is not None and response.fault.answer:
        await _spoil(scope, receive, response, response.fault.answer)
        return
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    headers.append((b"content-length", str(len(response.body)).encode()))
    headers.append((b"date", messages.date(response).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})


async def _spoil(scope: Scope, receive: Receive, response: Response, how: str) -> None:
    """Say nothing, or close the connection: where we do not own the socket, the client waits until it gives up."""
    transport = scope.get(TRANSPORT)
    if transport is not None and how != "hang":
        if how == "half":
            whole = messages.write(response)
            transport.write(whole[: len(whole) - len(response.body) // 2 - 1])
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass  # the rest of its request
