"""The composition root: a server made of the catalogue, and `handle`, the life of a request in eight visible steps."""

from __future__ import annotations

import binascii
import contextlib
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sts_emulator.catalogue import METHODS, SERVICES
from sts_emulator.core import clock, faults
from sts_emulator.core.backends import open_store
from sts_emulator.core.contention import when_free
from sts_emulator.core.errors import AwsError
from sts_emulator.core.event_table import EventTable
from sts_emulator.core.events import EventLog
from sts_emulator.core.health import Health
from sts_emulator.core.store import NotAtHandError, StaleError, UnavailableError, UnusableError
from sts_emulator.core.threads import Beside
from sts_emulator.core.world import DEFAULT, PENDING, World, Worlds
from sts_emulator.pages import routes
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.serving import sockets
from sts_emulator.serving.front import SHOWING, Front, apply_scenario, plant
from sts_emulator.settings import Settings
from sts_emulator.vending import authenticate
from sts_emulator.vending.context import LARGEST_EXCHANGE, NOTHING, Context, Server
from sts_emulator.vending.record import new_request_id, record
from sts_emulator.wire import dispatch, protocols, validate
from sts_emulator.wire.http import Request, Response
from sts_emulator.wire.injected import Met
from sts_emulator.wire.models import Operation, Service

if TYPE_CHECKING:
    from sts_emulator.serving.workers import Worker

log = logging.getLogger("emulator")

UNAVAILABLE = "The request has failed due to a temporary failure of the server."  # AWS's, IAM API common errors


def modules_by_service() -> dict[str, tuple[str, ...]]:
    """Which modules hold the operations of which service, over all methods and other services."""
    table: dict[str, tuple[str, ...]] = {}
    for method in METHODS + SERVICES:
        for service, modules in method.operations.items():
            table[service] = table.get(service, ()) + modules
    return table


PAGES = {place: modules for method in METHODS + SERVICES for place, modules in method.pages.items()}


def create_server(settings: Settings) -> Server:
    """The shared state of one emulator: its store, worlds and event log; the default world exists afterwards."""
    dispatch.register_modules(modules_by_service())
    routes.register_modules(PAGES)
    store = open_store(settings.state, durable=settings.durable)
    health = Health()
    server = Server(
        settings,
        Worlds(store),
        EventLog(EventTable(store, health) if settings.state else None),
        health,
        tuple(page.lstrip("/") for page in PAGES if not page.startswith(("*", "_"))),
        _used(settings.record),
        beside=Beside() if store.remote else None,
    )
    server.worlds.create(DEFAULT)
    return server


def _used(path: str) -> Callable[[Context, AwsError | None], None] | None:
    """What is told of each call, where a recording is wished for. Raises UnusableError: it cannot be written."""
    if not path:
        return None
    from sts_emulator.vending.usage import UsageFile

    try:
        return UsageFile(Path(path)).note
    except OSError as error:
        raise UnusableError(f"--record {path}: {(error.strerror or 'cannot be written').lower()}") from None


def handle(
    server: Server, world: World, request: Request, base_url: str, *, faulty: bool = True
) -> Response | Awaitable[Response]:
    """Answer one AWS API call, at once unless it waits for something. Step 1, finding the world, is the caller's."""
    request_id, operation, ctx = new_request_id(), None, None
    try:
        service, operation = dispatch.match(request)  # 2
        ctx = _context(server, world, request, base_url, service, operation, request_id)
        if faulty and world.settings["faults"] and (fault := faults.take(world, service.name, operation.name)):  # 3
            later = partial(_handle_later, server, world, request, base_url)
            return Met(fault, partial(_failure, Call(request, request_id, operation, ctx)), partial(server.run, later))
        if service.name in SHOWING and PENDING in world.settings:
            try:
                plant(server, world)
            except UnavailableError:
                return _handle_planted(ctx, request, operation)
        # 4; before the parameters are looked at (docs/aws/sts.md, "Order of processing")
        authenticate.authenticate(ctx, request, service, operation)
        parameters = ctx.parameters = protocols.parse(operation, request)  # 5
        validate.validate(operation, parameters)  # 6
        return _run(ctx, request, operation, parameters)  # 7 and 8, in one unit
    except (NotAtHandError, UnavailableError):  # nothing is done yet: whoever has asked asks again, or refuses
        raise
    except Exception as error:  # noqa: BLE001 - told to the client, or logged whole
        return _failure(Call(request, request_id, operation, ctx), error)


def _handle_later(server: Server, world: World, request: Request, base_url: str) -> Response | Awaitable[Response]:
    """A call whose fault was but a delay, in the world as it is now."""
    return handle(server, server.worlds.get(world.name) or world, request, base_url, faulty=False)


async def _handle_planted(ctx: Context, request: Request, operation: Operation) -> Response:
    """A call that waits, as every write does, for the state to take what its world's scenario has put off."""
    try:
        await when_free(partial(plant, ctx.server, ctx.world))
    except UnavailableError as error:
        return _failure(Call(request, ctx.request_id, operation, ctx), error)
    answer = _handle_later(ctx.server, ctx.world, request, ctx.base_url)
    return await answer if inspect.isawaitable(answer) else answer


@dataclass(slots=True)
class Call:
    """How far a call has come that fails, for its answer."""

    request: Request
    request_id: str
    operation: Operation | None = None
    ctx: Context | None = None


def _answer(
    ctx: Context,
    request: Request,
    operation: Operation,
    result: Mapping[str, Any] | Awaitable[Mapping[str, Any]] | None,
) -> Response | Awaitable[Response]:
    if inspect.isawaitable(result):
        if ctx.world.is_in_a_hurry:
            getattr(result, "close", lambda: None)()  # a coroutine that has not begun
            raise NotAtHandError
        return _finish(ctx, request, operation, result)
    return _success(ctx, request, operation, result)


def refuse(request: Request, error: UnavailableError) -> Response:
    """The answer to a call that the state cannot serve; its path is without the world's prefix."""
    call = Call(request, new_request_id())
    with contextlib.suppress(Exception):  # what is no call is refused all the same
        _, call.operation = dispatch.match(request)
    return _failure(call, error)


async def _finish(
    ctx: Context, request: Request, operation: Operation, result: Awaitable[Mapping[str, Any]]
) -> Response:
    try:
        return _success(ctx, request, operation, await result)
    except Exception as error:  # noqa: BLE001 - told to the client, or logged whole
        return _failure(Call(request, ctx.request_id, operation, ctx), error)


def _success(ctx: Context, request: Request, operation: Operation, result: Mapping[str, Any] | None) -> Response:
    response = protocols.render(operation, result, ctx.request_id, protocols.wants_json(request))
    if ctx.service == "sts":
        response.headers.append(_extended_request_id(ctx))
    record(ctx, result)
    _keep(ctx, request, response)
    return response


def _keep(ctx: Context, request: Request, response: Response) -> None:
    if len(request.body) <= LARGEST_EXCHANGE and len(response.body) <= LARGEST_EXCHANGE:
        ctx.server.exchanges.append((ctx.request_id, request.message or request, response))


def _failure(call: Call, error: Exception) -> Response:
    """An error in the protocol's shape. What is no AwsError is a mistake of ours: logged whole, and told as such."""
    request = call.request
    if isinstance(error, dispatch.NoAction):
        place = f"{request.signed_path.rstrip('/')}/_emulator/" if _is_a_person(request) else error.location
        return Response(302, [("location", place)], b"")
    if isinstance(error, UnavailableError):  # which takes no event of this either
        if call.ctx is not None:
            call.ctx.server.health.failed(error)
            call.ctx = None
        error = AwsError("ServiceUnavailable", UNAVAILABLE, status=503)
    if not isinstance(error, AwsError):
        told = {"request_id": call.request_id}
        log.error("%s %s failed inside", request.method, request.signed_path, exc_info=error, extra={"told": told})
        error = AwsError(
            "InternalFailure", "The request processing has failed because of an internal error.", status=500
        )
    elif call.ctx is not None:
        record(call.ctx, error=error)
    accept_json = protocols.wants_json(request)
    response = protocols.render_error(None, call.operation, error, call.request_id, accept_json=accept_json)
    if call.ctx is not None:
        if call.ctx.service == "sts":
            response.headers.append(_extended_request_id(call.ctx))
        _keep(call.ctx, request, response)
    return response


def _is_a_person(request: Request) -> bool:
    """Whether a browser looks at the endpoint: AWS's own redirect leads a client to a page about IAM."""
    headers = request.headers
    return (
        request.method in ("GET", "HEAD")
        and "text/html" in headers.get("accept", "")
        and "authorization" not in headers
        and not any(name.startswith("x-amz-") for name in headers)
        and "x-amz-" not in request.query.lower()
    )


def _extended_request_id(ctx: Context) -> tuple[str, str]:
    """STS's second request id: base64 of region, milliseconds and eight characters (docs/aws/wire.md, "Headers")."""
    text = f"1:{ctx.region}:S:{int(clock.real() * 1000)}:R:{ctx.request_id[-8:]}"
    return "x-amz-sts-extended-request-id", binascii.b2a_base64(text.encode(), newline=False).decode()


def _run(
    ctx: Context, request: Request, operation: Operation, parameters: Mapping[str, Any]
) -> Response | Awaitable[Response]:
    """The answer that is made of the operation's result, which is recorded together with what it has written.

    An awaitable result goes on outside the unit: see World.unit.
    """
    function = dispatch.find(ctx.service, ctx.operation)
    if function is None:
        raise AwsError("NotImplemented", f"sts-emulator does not have {ctx.service}:{ctx.operation}", status=501)
    evidence = dict(ctx.evidence) if ctx.evidence else NOTHING
    try:
        with ctx.world.unit():
            result = function(ctx, **parameters)
            return (_success if type(result) is dict else _answer)(ctx, request, operation, result)
    except (StaleError, UnavailableError) as reason:
        again = partial(_run_again, ctx, request, operation, partial(function, ctx, **parameters), evidence)
        if isinstance(reason, StaleError):
            return again()
        if ctx.server.worlds.store.remote:  # which has waited already, beside the others
            raise
        return when_free(again)


def _run_again(
    ctx: Context, request: Request, operation: Operation, function: Callable[[], Any], evidence: Mapping[str, Any]
) -> Response | Awaitable[Response]:
    """From the start, under the lock; its event tells nothing of the run that came to nothing."""
    ctx.decisions.clear()
    ctx.evidence = dict(evidence)
    with ctx.world.unit(lock=True):
        return _answer(ctx, request, operation, function())


def _context(
    server: Server,
    world: World,
    request: Request,
    base_url: str,
    service: Service,
    operation: Operation,
    request_id: str,
) -> Context:
    headers = request.headers
    return Context(  # by place: by name it costs twice as much (docs/performance.md)
        server,
        world,
        service.name,
        operation.name,
        request_id,
        server.settings.region,
        request.client,
        headers.get("user-agent", ""),
        request.scheme == "https",
        headers.get("referer", ""),
        request,
        base_url,
        "",
        None,
        NOTHING,
        [],
        {},
    )


def serve(
    settings: Settings,
    *,
    opening: AbstractContextManager[None] = contextlib.nullcontext(),  # noqa: B008 - it has no state
    ready: Callable[[Server], None] = lambda _: None,
    worker: Worker | None = None,
) -> None:
    """Seed the default world and serve until interrupted; `ready` is called once requests are answered.

    `opening` is entered while the state is opened, which takes seconds where it is large. Of several workers the first
    seeds, when it starts for the first time.

    Raises:
        ScenarioError: a scenario has a mistake; nothing is served then.
    """
    from sts_emulator.scenario.watch import seed

    with opening:
        server = create_server(settings)
    if worker is None or (worker.is_first and not worker.is_again):
        seed(server)
    sockets.serve(Front(server, handle, refuse), ready, worker)


def __getattr__(name: str) -> Any:
    """`sts_emulator.app:app`, made on first use: an ordinary FastAPI application with the wire mounted."""
    if name != "app":
        raise AttributeError(name)
    from sts_emulator.console.api import create_app
    from sts_emulator.scenario.watch import seed

    server = create_server(Settings.from_environment())
    seed(server)
    globals()["app"] = create_app(server, Front(server, handle, refuse), apply_scenario)
    return globals()["app"]
