"""How an answer leaves by ASGI, whole or as a fault wants it spoilt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.faults import Fault
from sts_emulator.wire import messages
from sts_emulator.wire.http import Response

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

TRANSPORT: Final = "emulator.transport"
"""In a scope: the connection's transport, which only our own sockets give to their application."""


async def meet(
    fault: Fault, fail: Callable[[AwsError], Response], carry_out: Callable[[], Response | Awaitable[Response]]
) -> Response:
    """The answer to a call or visit that meets a fault, marked with it."""
    await asyncio.sleep(fault.delay_seconds)
    if fault.holds_back:
        return Response(503, [], b"", fault)
    if fault.error is not None:
        response = fail(fault.error)
    else:
        answer = carry_out()
        response = answer if isinstance(answer, Response) else await answer
    response.fault = fault
    return response


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
