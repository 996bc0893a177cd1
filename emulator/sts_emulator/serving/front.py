"""The ASGI application that `serve` runs: AWS calls and pages answered here, FastAPI behind `/_emulator` when asked."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import UnavailableError
from sts_emulator.core.world import DEFAULT, PENDING, World
from sts_emulator.pages import answering, guard, routes
from sts_emulator.serving.answers import send_answer
from sts_emulator.vending.context import Server
from sts_emulator.vending.record import new_request_id
from sts_emulator.wire import protocols
from sts_emulator.wire.asgi import App, Receive, Scope, Send, headers_of, read_body
from sts_emulator.wire.http import MAX_BODY, Request, Response

if TYPE_CHECKING:
    from sts_emulator.gateway.door import Door

log = logging.getLogger("emulator")

Answer = Response | Awaitable[Response]  # awaitable only where something must be waited for
Handle = Callable[[Server, World, Request, str], Answer]

# Services that can show what is PENDING.
SHOWING = frozenset({"iam", "sso", "sso-admin", "sso-oidc", "identitystore", "signin"})
_SHOWING_PARTS = ("accounts", "approve", "identity-center", "scim")  # and parts of the control API

PATIENCE = 0.1  # seconds that all wait while one waits for another process's lock
_MOUNT = "emulator.mount"  # in a scope: the (world, page) of an app that `mounted` made
_TOO_LARGE = AwsError("RequestEntityTooLarge", f"The request is larger than {MAX_BODY} bytes", status=413)


class Front:
    """One emulator on one socket. `handle` answers AWS calls."""

    def __init__(self, server: Server, handle: Handle) -> None:
        self.server = server
        self._handle = handle
        self._door = _door(server)
        self._api: Any = None
        self.extensions: list[Callable[[Any], None]] = []
        """What else to mount on the FastAPI application behind `/_emulator`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI event stream."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._door is not None and (scope.get(_MOUNT) or ("", ""))[1] == "":
            await self._by_door(self._door, scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _by_door(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a request to the door, if it is one of the door's."""
        request, (mounted, _) = _request(scope, b""), scope.get(_MOUNT) or ("", "")
        name, prefix, rest = (mounted, "", request.raw_path) if mounted else _split_world(request.raw_path)
        request.raw_path = rest
        service = door.service_of(request)
        if not service and door.may_share(request):
            request.body = await read_body(receive, MAX_BODY) or b""
            receive, service = _again(request.body, receive), door.shared_service(request)
        world = self.server.worlds.get(name) if service else None
        if world is None:
            await self._serve(scope, receive, send)
            return
        base_url = f"{request.scheme}://{request.headers.get('host', '')}{prefix}"
        request.body = b""
        await door.answer(world, service, request, base_url, scope, receive, send)
        self.server.events.settle()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/_emulator") and _MOUNT not in scope:
            self._plant_for_api(scope["path"])
            await (await self._loaded_api())(scope, receive, send)
        else:
            body = await read_body(receive, MAX_BODY)
            answer = _too_large() if body is None else self.answer(_request(scope, body), scope.get(_MOUNT))
            response = answer if isinstance(answer, Response) else await answer
            self.server.events.settle()
            await send_answer(scope, receive, send, response)

    def mounted(self, world: str, page: str = "") -> App:
        """This emulator for a listener of its own that stands for one world, and for one page of it (`/imds/…`)."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self({**scope, _MOUNT: (world, page)}, receive, send)

        return app

    def answer_call(self, request: Request) -> Answer | None:
        """Answer a plain call; None for one that goes to the door, which takes it as an ASGI application."""
        if self._door is not None:
            asked = replace(request, raw_path=_split_world(request.raw_path)[2])
            if self._door.service_of(asked) or self._door.shared_service(asked):
                return None
        return self.answer(request)

    def answer(self, request: Request, mount: tuple[str, str] | None = None) -> Answer:
        """Answer a request; its `raw_path` is still the whole path. `mount` is the (world, page) of a listener."""
        try:
            return self._answer(request, mount)
        except UnavailableError as reason:
            log.warning("%s %s: the state is unavailable (%s)", request.method, request.signed_path, reason)
            return _json(503, b'{"message":"the state is unavailable"}')

    def _answer(self, request: Request, mount: tuple[str, str] | None) -> Answer:
        path = request.raw_path
        name, prefix, rest = _split_world(path) if mount is None else (mount[0], "", mount[1] + path)
        if rest == "/health":
            return _json(200, b'{"status":"ok"}')
        world = self.server.worlds.get(name)
        if world is None:
            return _json(404, b'{"message":"no such world"}')
        request.raw_path = rest
        base_url = f"{request.scheme}://{request.headers.get('host', '')}{prefix}"
        if rest != "/" and routes.is_page(rest):
            if PENDING in world.settings:
                plant(self.server, world)
            return answering.answer(self.server, world, request, base_url)
        if self.server.settings.permissive:  # no signature tells who asks: a foreign page must not
            try:
                guard.check_call(request.headers, self.server.settings, request.scheme)
            except AwsError as foreign:
                return protocols.render_error(None, None, foreign, new_request_id())
        return self._handle(self.server, world, request, base_url)

    def _plant_for_api(self, path: str) -> None:
        _, _, below = path.partition("/worlds/")
        name, _, part = below.partition("/")
        world = self.server.worlds.get(name) if part.partition("/")[0] in _SHOWING_PARTS else None
        if world is not None and PENDING in world.settings:
            plant(self.server, world)

    async def _loaded_api(self) -> Any:
        if self._api is None:
            module = await asyncio.to_thread(importlib.import_module, "sts_emulator.console.api")
            if self._api is None:
                self._api = module.create_api(self.server, apply_scenario)
                for extend in self.extensions:
                    extend(self._api)
        return self._api

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.server.worlds.store.patience = PATIENCE
                await send({"type": "lifespan.startup.complete"})
            else:
                self.server.events.close()
                self.server.worlds.store.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def apply_scenario(server: Server, world: World, text: str) -> None:
    """Bring a world to what a scenario declares. Raises ValueError with its mistakes."""
    from sts_emulator.scenario import ScenarioError, apply, parse

    try:
        apply(server, world, parse(text))
    except ScenarioError as mistakes:
        raise ValueError(str(mistakes)) from None


def plant(server: Server, world: World) -> None:
    """Bring a world to what its scenario has put off until somebody looks."""
    from sts_emulator.scenario import later

    later.plant(server, world)


def _door(server: Server) -> Door | None:
    """The door to other emulators, where there are any: it loads then alone. Raises ValueError for a wrong URL."""
    if not server.settings.upstream:
        return None
    from sts_emulator.gateway.door import Door

    return Door.of(server)


def _again(body: bytes, receive: Receive) -> Receive:
    """What brings a body once more, and then what comes after it."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def bring() -> Mapping[str, Any]:
        return waiting.pop() if waiting else await receive()

    return bring


def _too_large() -> Response:
    return protocols.render_error(None, None, _TOO_LARGE, new_request_id())


def _request(scope: Scope, body: bytes) -> Request:
    path = scope["raw_path"].decode("latin-1")
    return Request(
        method=scope["method"],
        raw_path=path,
        signed_path=path,
        query=scope["query_string"].decode("latin-1"),
        headers=headers_of(scope),
        body=body,
        client=scope["client"][0] if scope["client"] else "",
        scheme=scope["scheme"],
    )


def _split_world(path: str) -> tuple[str, str, str]:
    """(world, prefix, rest) of a path: `/w/lab/x` is world `lab` and `/x`; without a prefix, the default world."""
    if not path.startswith("/w/"):
        return DEFAULT, "", path
    name, _, rest = path[3:].partition("/")
    return name, f"/w/{name}", f"/{rest}"


def _json(status: int, body: bytes) -> Response:
    return Response(status, [("content-type", "application/json")], body)
