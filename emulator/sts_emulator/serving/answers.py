"""How an answer leaves by ASGI, whole or as a fault wants it spoilt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
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
    if response.stream is not None and scope["method"] != "HEAD":
        headers.append((b"date", messages.date(response).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await _flow(receive, send, response.stream)
        return
    headers.append((b"content-length", str(len(response.body)).encode()))
    headers.append((b"date", messages.date(response).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else response.body})


async def _flow(receive: Receive, send: Send, chunks: AsyncGenerator[bytes, None]) -> None:
    """Send what comes until it ends, or the reader has gone."""

    async def sending() -> None:
        async with aclosing(chunks):
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def leaving() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = {asyncio.ensure_future(sending()), asyncio.ensure_future(leaving())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
