"""What ASGI brings, as the wire reads it: a body of bounded size, and headers by lower-case name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ANSWER: Final = "emulator.answer"
"""In a scope: what sends an answer whole, and so without the two messages that ASGI makes of it; see serving.direct."""


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The request's body; None when not all of it was read: it is larger than the limit, or its client has left.

    INVARIANT: half a body is none: what a client did not come to say is not carried out, and nobody hears the answer.
    """
    chunks, size, is_whole = [], 0, False
    while not is_whole:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit or message["type"] == "http.disconnect":
            return None
        is_whole = not message.get("more_body")
    return b"".join(chunks) if len(chunks) > 1 else chunks[0]


def headers_of(scope: Scope) -> dict[str, str]:
    """The headers; the values of a repeated one are joined with ","."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers
