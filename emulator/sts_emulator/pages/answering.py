"""The life of a visit: route, guard, fault, answer, refusal. What it does as a call is recorded by `Visit.attempt`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Mapping
from functools import partial

from sts_emulator.core import faults
from sts_emulator.core.contention import when_free
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import UnavailableError
from sts_emulator.core.world import World
from sts_emulator.pages import guard, refusals, routes, tokens
from sts_emulator.pages.routes import Page
from sts_emulator.pages.visit import Visit
from sts_emulator.vending.context import Server
from sts_emulator.wire.http import Request, Response
from sts_emulator.wire.injected import Met

log = logging.getLogger("emulator")


def answer(server: Server, world: World, request: Request, base_url: str) -> Response | Awaitable[Response]:
    """Answer one visit. The size of the request was checked by whoever read it."""
    visit = Visit(server, world, request, base_url)
    page: Page | None = None
    try:
        page, values = routes.match(request.method, request.raw_path)
        _guard(visit, page)
        fault = None if page.own else faults.take(world, *_place(request))
    except UnavailableError:  # nothing is done yet: whoever has asked asks again
        raise
    except Exception as error:  # noqa: BLE001 - told to the visitor, or logged whole
        return _failure(visit, page, error)
    if fault is None:
        return _carry_out(visit, page, values)

    def carry_out() -> Awaitable[Response]:
        return server.run(partial(_carry_out_late, visit, page, values))

    return Met(fault, partial(_misfortune, visit, page), carry_out)


async def _carry_out_late(visit: Visit, page: Page, values: Mapping[str, str]) -> Response:
    """A visit whose fault was but a delay, in the world as it is now."""
    visit.world = visit.server.worlds.get(visit.world.name) or visit.world
    return await _carry_out(visit, page, values)


async def _carry_out(visit: Visit, page: Page, values: Mapping[str, str]) -> Response:
    """What the page answers; where another process has locked the state, once it is free, as calls wait for that."""
    try:
        if visit.request.method == "POST" and not visit.server.worlds.store.remote:
            _check_lock(visit)  # before anything: what a page counts and records is not undone when it begins again
        return await _answered(visit, page, values)
    except UnavailableError:
        again = partial(_answered_again, visit, page, values)
    try:
        return await when_free(again)
    except UnavailableError as error:
        return _failure(visit, page, error)


async def _answered_again(visit: Visit, page: Page, values: Mapping[str, str]) -> Response:
    _check_lock(visit)
    visit.world = visit.server.worlds.get(visit.world.name) or visit.world
    return await _answered(visit, page, values)


def _check_lock(visit: Visit) -> None:
    """Raises UnavailableError while another process has locked the state."""
    visit.server.worlds.store.begin(visit.world.name).rollback()


async def _answered(visit: Visit, page: Page, values: Mapping[str, str]) -> Response:
    """What the page answers. Raises UnavailableError where it has written nothing, and may begin again."""
    try:
        answered = page.answer(visit, **values)
        response: Response = await answered if inspect.isawaitable(answered) else answered
    except UnavailableError as error:
        if visit.server.worlds.store.remote or visit.world.has_written:
            return _failure(visit, page, error)
        raise
    except Exception as error:  # noqa: BLE001 - told to the visitor, or logged whole
        return _failure(visit, page, error)
    return response


def _place(request: Request) -> tuple[str, str]:
    """What faults call a page: the first segment of its path, and what stands below."""
    first, _, below = request.raw_path[1:].partition("/")
    return first, below


_OF_ALL = ("/_emulator/worlds", "/_emulator/class")
"""Pages about all worlds, whichever world's address they are asked for at."""


def _guard(visit: Visit, page: Page) -> None:
    request = visit.request
    if not page.own_hosts:
        guard.check_host(request.headers, visit.server.settings, request.scheme)
    if not page.foreign:
        guard.check_origin(request.headers, request.method)
    if page.own or page.trusted:
        name = tokens.ALL if request.raw_path.startswith(_OF_ALL) else visit.world.name
        guard.check_token(request.headers, visit.server.settings, request.method, name, request.raw_path)


def _misfortune(visit: Visit, page: Page, error: AwsError) -> Response:
    """An injected error as the page would tell its own; without a status of its own it is the server's fault."""
    return page.refusal(visit, AwsError(error.code, error.message, status=error.status or 503))


def _failure(visit: Visit, page: Page | None, error: Exception) -> Response:
    if page is not None and isinstance(error, page.mistakes):
        error = AwsError("Refused", str(error), status=getattr(error, "status", 400))
    if isinstance(error, UnavailableError):
        visit.server.health.failed(error)
        error = AwsError("ServiceUnavailable", "the state is unavailable", status=503)
    if not isinstance(error, AwsError):
        log.error("%s %s failed inside", visit.request.method, visit.request.signed_path, exc_info=error)
        error = AwsError("InternalFailure", "internal failure", status=500)
    refusal = refusals.as_json if page is None else page.refusal
    response = refusal(visit, error)
    if error.code == "Unauthorized" and page is not None and (page.own or page.trusted):
        response.headers.append(("www-authenticate", guard.CHALLENGE))
    return response
