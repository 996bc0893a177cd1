"""The control API's gate: foreign pages are refused before a body is read, no body is large, no answer loads more.

Nor does one leave before what it tells of is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import UnavailableError
from sts_emulator.pages import guard, render, tokens
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Server
from sts_emulator.wire.asgi import App, Receive, Scope, Send, headers_of, read_body

UNAVAILABLE: Final = "the state is unavailable"
LARGEST: Final = 4 << 20
"""Bytes of a body; the largest are scenarios."""

_HEADERS: Final = [
    (b"content-security-policy", render.NOTHING.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
]


class Guarded:
    """An application whose paths under `/_emulator` are for the machine's own user."""

    def __init__(self, app: App, server: Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI event stream."""
        if scope["type"] != "http" or not scope["path"].startswith("/_emulator"):
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
            body = await _read(receive)
        except AwsError as refusal:
            await _refuse(send, refusal)
            return
        await self._app(scope, _replaying(body, receive), self._settled(_with_headers(send)))

    def _check(self, scope: Scope) -> None:
        headers, settings = headers_of(scope), self._server.settings
        guard.check_host(headers, settings, scope["scheme"])
        guard.check_origin(headers, scope["method"])
        world, part = _place(scope["path"])
        guard.check_token(headers, settings, scope["method"], world, part)
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > LARGEST:
            raise _too_large()

    def _settled(self, send: Send) -> Send:
        """Keep an answer back until its event is written; where it cannot be, all that is told is that."""
        is_refused = False

        async def sending(message: Mapping[str, Any]) -> None:
            nonlocal is_refused
            if message["type"] == "http.response.start":
                try:
                    await self._server.events.settled()
                except UnavailableError as error:
                    is_refused = True
                    self._server.health.failed(error)
                    await _refuse(send, AwsError("Unavailable", UNAVAILABLE, status=503))
            if not is_refused:
                await send(message)

        return sending


def _place(path: str) -> tuple[str, str]:
    """The world that a path is about, or all of them, and what of it."""
    name, _, part = path.partition("/api/worlds/")[2].partition("/")
    return name or tokens.ALL, part


async def _read(receive: Receive) -> bytes:
    body = await read_body(receive, LARGEST)
    if body is None:
        raise _too_large()
    return body


def _too_large() -> AwsError:
    return AwsError("TooLarge", f"the body is larger than {LARGEST} bytes", status=413)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """The body once, in one piece, and then whatever else happens."""
    waiting = [body]

    async def replay() -> JsonObject:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay


def _with_headers(send: Send) -> Send:
    """Let an answer load nothing and stand in no frame, unless it says itself what it loads."""

    async def sending(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            added = [(name, value) for name, value in _HEADERS if name not in given]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending


async def _refuse(send: Send, refusal: AwsError) -> None:
    body = json.dumps({"detail": refusal.message}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *([(b"www-authenticate", guard.CHALLENGE.encode())] if refusal.code == "Unauthorized" else []),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": refusal.status or 400, "headers": headers})
    await send({"type": "http.response.body", "body": body})
