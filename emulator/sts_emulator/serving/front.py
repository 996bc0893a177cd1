"""The ASGI application that `serve` runs: AWS calls and pages answered here, FastAPI behind `/_emulator` when asked."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from sts_emulator.core import clock
from sts_emulator.core.beside import beside
from sts_emulator.core.errors import AwsError
from sts_emulator.core.greeting import GREETING, HEALTH
from sts_emulator.core.looks import Looks, LooksElsewhere, LooksNearby
from sts_emulator.core.metrics import CONTENT_TYPE
from sts_emulator.core.store import NotAtHandError, UnavailableError
from sts_emulator.core.world import DEFAULT, PENDING, World
from sts_emulator.pages import answering, guard, routes
from sts_emulator.pages.tokens import ALL
from sts_emulator.serving.answers import send_answer
from sts_emulator.serving.direct import Passing
from sts_emulator.vending.context import Server
from sts_emulator.vending.record import new_request_id
from sts_emulator.wire import messages, protocols
from sts_emulator.wire.asgi import App, Receive, Scope, Send, headers_of, read_body
from sts_emulator.wire.http import MAX_BODY, Request, Response

if TYPE_CHECKING:
    from sts_emulator.core.store import Elsewhere
    from sts_emulator.gateway.door import Door
    from sts_emulator.serving.collector import Collector

Answer = Response | Awaitable[Response]  # awaitable only where something must be waited for
Handle = Callable[[Server, World, Request, str], Answer]
Refuse = Callable[[Request, UnavailableError], Response]
Find = Callable[[str], World | None]

# Services that can show what is PENDING.
SHOWING = frozenset(
    {
        *("iam", "sso", "sso-admin", "sso-oidc", "identitystore", "signin"),
        *("account-access", "account-access-runtime"),
    }
)
_SHOWING_PARTS = ("accounts", "approve", "identity-center", "scim")  # and parts of the control API

_API = ("/_emulator/api", "/_emulator/docs", "/_emulator/openapi.json")
_CONSOLE = "/_emulator"  # which is no place of a workload's listener
PATIENCE_BESIDE = 2.0  # seconds that such a call waits for another one that writes to its world
PATIENCE = 0.1  # seconds that all wait while one waits for another process's lock
PATIENCE_READY = 1.0  # seconds for which a state may be busy and yet be ready
_MOUNT = "emulator.mount"  # in a scope: the (world, page) of an app that `mounted` made
_TOO_LARGE = AwsError("RequestEntityTooLarge", f"The request is larger than {MAX_BODY} bytes", status=413)


class Front:
    """One emulator on one socket. `handle` answers AWS calls, `refuse` those that the state cannot serve."""

    def __init__(self, server: Server, handle: Handle, refuse: Refuse) -> None:
        self.server = server
        self._handle = handle
        self._refuse = refuse
        self._store = server.worlds.store
        worlds = server.worlds
        self._world: Find = worlds.at_hand if self._store.remote else worlds.get
        self._looked_at: Find = worlds.at_hand if self._store.remote else worlds.looked_at
        self._is_permissive = server.settings.permissive
        self.latest_caller: object = None
        self.collector: Collector | None = None
        self.looks: Looks | None = None
        if self._store.remote:
            store = cast("Elsewhere", self._store)
            self.looks = LooksElsewhere(store, server.events, server.health, server.settings.fresh_ms / 1000)
        elif server.settings.state:
            self.looks = LooksNearby(self._store, server.events)
        self._door = _door(server)
        self.has_door = self._door is not None
        self._api: Any = None
        self.extensions: list[Callable[[Any], None]] = []
        """What else to mount on the FastAPI application behind `/_emulator`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI event stream."""
        try:
            await self._answer_request(scope, receive, send)
        except asyncio.CancelledError as end:  # the server ends, and has waited for this as long as it does
            try:
                await send_answer(scope, receive, send, Response(503, [("connection", "close")], b""))
            except RuntimeError:  # another answer has begun
                raise end from None

    async def _answer_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._door is not None and (scope.get(_MOUNT) or ("", ""))[1] == "":
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
            body = await read_body(receive, MAX_BODY)
            if body is None:
                await send_answer(scope, receive, send, _too_large())
                return
            request.body = body
            receive, service = _again(request.body, receive), door.shared_service(request)
        try:
            world = await self._world_for_door(name) if service else None
        except UnavailableError as error:
            await send_answer(scope, receive, send, door.refuse(service, request, error))
            return
        if world is None:
            await self._serve(scope, receive, send)
            return
        base_url = f"{request.scheme}://{request.headers.get('host', '')}{prefix}"
        request.body = b""
        await door.answer(world, service, request, base_url, scope, receive, send)

    async def _world_for_door(self, name: str) -> World | None:
        """The world as it is now; with a database elsewhere the door reads beside the loop what is not at hand."""
        if self.looks is None or not self._store.remote:
            return self.server.worlds.get(name)
        await self.looks.wait()
        try:
            return self.server.worlds.at_hand(name)
        except NotAtHandError:
            world = await self.server.run(partial(self.server.worlds.get, name))
            if world is not None:
                world.hurry()
            return world

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(_API) and _MOUNT not in scope:
            await self._serve_api(scope, receive, send)
            return
        body = await read_body(receive, MAX_BODY)
        if body is None:
            response = _too_large()
        else:
            request = _request(scope, body)
            response = await self._answer_when_looked(request, scope.get(_MOUNT))
            try:
                await self.server.events.settled()
            except UnavailableError as error:
                response = self.refuse(request, error)
        await send_answer(scope, receive, send, response)

    async def _serve_api(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give a request to the control API, which does beside the loop what may wait for a database elsewhere."""
        try:
            if self.looks is not None:
                await self.looks.wait()
            await self.server.run_when_free(partial(self._plant_for_api, scope["path"]))
            api = await self._loaded_api()
        except UnavailableError as error:
            self.server.health.failed(error)
            await send_answer(scope, receive, send, _json(503, b'{"message":"the state is unavailable"}'))
            return
        await api(scope, receive, send)

    async def _answer_when_looked(self, request: Request, mount: tuple[str, str] | None) -> Response:
        path = request.raw_path
        if path == "/ready":
            return await self._ready()
        if path == "/metrics" and mount is None:
            return self._metrics(request)
        try:
            if self.looks is not None and path != HEALTH:
                await self.looks.wait()
        except UnavailableError as error:
            return self.refuse(request, error)
        answer = self.answer(request, mount)
        try:
            return answer if isinstance(answer, Response) else await answer
        except UnavailableError as error:
            return self.refuse(request, error)

    async def _ready(self) -> Response:
        """Whether the state takes what is written, tried out; why not, where it does not."""
        try:
            await self._probe()
        except UnavailableError as error:
            self.server.health.failed(error)
            told = json.dumps({"status": "unavailable", "reason": self.server.health.reason})
            return _json(503, told.encode())
        self.server.health.recovered()
        return _json(200, b'{"status":"ok"}')

    async def _probe(self) -> None:
        if self._store.remote:
            await self.server.run(self._store.probe)
            return
        end = clock.monotonic() + PATIENCE_READY
        while True:
            try:
                self._store.probe()
            except UnavailableError:
                if clock.monotonic() > end:
                    raise
                await asyncio.sleep(0.02)  # another process writes just now, and then others have their turn
            else:
                return

    def _metrics(self, request: Request) -> Response:
        """What is counted, for whom the control API would answer."""
        headers, settings = request.headers, self.server.settings
        try:
            guard.check_host(headers, settings, request.scheme)
            guard.check_origin(headers, request.method)
            guard.check_token(headers, settings, request.method, ALL, request.raw_path)
        except AwsError as refusal:
            response = _json(refusal.status or 400, json.dumps({"detail": refusal.message}).encode())
            response.headers.append(("www-authenticate", guard.CHALLENGE))
            return response
        lag = self.looks.age() if self.looks is not None else 0.0
        text = self.server.metrics.text(is_available=not self.server.health.reason, lag=lag)
        return Response(200, [("content-type", CONTENT_TYPE)], text.encode())

    def mounted(self, world: str, page: str = "") -> App:
        """This emulator for a listener of its own that stands for one world, and for one page of it (`/imds/…`)."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self({**scope, _MOUNT: (world, page)}, receive, send)

        return app

    def answer_call(self, request: Request) -> Answer | Passing | None:
        """Answer a plain call, or say how it passes by the door; None for what has to go all of the way of ASGI."""
        if self._door is not None:
            name, prefix, request.raw_path = _split_world(request.signed_path)
            if service := self._door.takes(request):
                return self._passing(self._door, service, request, name, prefix)
            if not messages.is_call(request):
                return None
        return self._answer_now(request, None, self._looked_at)

    def _passing(self, door: Door, service: str, request: Request, name: str, prefix: str) -> Passing | None:
        """How a call passes by the door; None where its world is not at hand."""
        try:
            world = self._world(name)
        except (NotAtHandError, UnavailableError):
            return None
        if world is None:
            return None
        base_url = f"{request.scheme}://{request.headers.get('host', '')}{prefix}"
        return partial(door.answer, world, service, request, base_url)

    def answer(self, request: Request, mount: tuple[str, str] | None = None) -> Answer:
        """Answer a request. `mount` is the (world, page) of a listener.

        With a database elsewhere what has been read before suffices for most requests: they are answered at once. The
        others start again beside the loop, where they may wait.
        """
        return self._answer_now(request, mount, self._world)

    def _answer_now(self, request: Request, mount: tuple[str, str] | None, world_of: Find) -> Answer:
        try:
            return self._answer(request, mount, world_of)
        except NotAtHandError:
            return self._answer_again(request, mount)
        except UnavailableError as error:
            return self.refuse(request, error) if self._store.remote else self._answer_again(request, mount)

    def refuse(self, request: Request, error: UnavailableError) -> Response:
        """The answer to a request that the state cannot serve."""
        self.server.health.failed(error)
        request.raw_path = _split_world(request.signed_path)[2]
        if request.raw_path != "/" and routes.is_page(request.method, request.raw_path):
            return _json(503, b'{"message":"the state is unavailable"}')
        return self._refuse(request, error)

    async def _answer_again(self, request: Request, mount: tuple[str, str] | None) -> Response:
        """Where it may wait: beside the loop for a database elsewhere, on it for a file that is locked."""
        try:
            return await self.server.run_when_free(partial(self._answer, request, mount, self.server.worlds.get))
        except UnavailableError as error:
            return self.refuse(request, error)

    def _answer(self, request: Request, mount: tuple[str, str] | None, world_of: Find) -> Answer:
        path = request.signed_path
        name, prefix, rest = _split_world(path) if mount is None else (mount[0], "", mount[1] + path)
        if rest == HEALTH:
            return Response(200, [("content-type", "application/json"), GREETING], b'{"status":"ok"}')
        world = world_of(name)
        if world is None:
            return _json(404, b'{"message":"no such world"}')
        request.raw_path = rest
        base_url = f"{request.scheme}://{request.headers.get('host', '')}{prefix}"
        if mount is not None and rest.startswith(_CONSOLE):
            return _json(404, b'{"message":"no such page"}')
        if rest != "/" and routes.is_page(request.method, rest):
            if world.is_in_a_hurry:  # a page is not made to be started again
                raise NotAtHandError
            if PENDING in world.settings and not rest.startswith(_CONSOLE):  # whose pages plant when they show it
                plant(self.server, world)
            return answering.answer(self.server, world, request, base_url)
        if self._is_permissive:  # no signature tells who asks: a foreign page must not
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

    def begin(self) -> None:
        """All is seeded: from now on others wait while a call waits for its state."""
        self._store.patience = PATIENCE_BESIDE if self._store.remote else PATIENCE

    def end(self) -> None:
        """Nobody calls any more."""
        self.server.events.close()
        self._store.close()


async def apply_scenario(server: Server, world: World, text: str) -> None:
    """Bring a world to what a scenario declares; it is read beside the loop. Raises ValueError with its mistakes."""
    from sts_emulator.scenario import ScenarioError, parse
    from sts_emulator.scenario.drafting import apply_beside

    try:
        await apply_beside(server, world, await beside(partial(parse, text)))
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
