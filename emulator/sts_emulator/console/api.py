"""The control API under `/_emulator/api`: worlds, time, faults, events, explanations, credentials and scenarios.

It is for the machine's own user, so that no web page can drive it: see `console.guarded`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Body, FastAPI, HTTPException, Query, Request, Response
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import Field, model_validator
from starlette.routing import compile_path
from starlette.types import ASGIApp

from sts_emulator.accounts import documents, trigger_hooks
from sts_emulator.catalogue import APIS
from sts_emulator.console import inspection, people
from sts_emulator.console.dependencies import REFUSALS, Beside, Strict, TheServer, TheWorld, server_of
from sts_emulator.console.guarded import UNAVAILABLE, Guarded
from sts_emulator.console.reference import reference_page
from sts_emulator.core import clock
from sts_emulator.core.contention import when_free
from sts_emulator.core.events import Event
from sts_emulator.core.faults import Spoilt, misspelt
from sts_emulator.core.spelling import meant
from sts_emulator.core.store import UnavailableError
from sts_emulator.core.terminal import printable
from sts_emulator.core.world import DEFAULT, WORLD_NAME, World
from sts_emulator.vending import record
from sts_emulator.vending.context import Server
from sts_emulator.wire import dispatch, models

log = logging.getLogger("emulator")

SHOWN = 10  # names that a refusal lists
STREAM_BACKLOG = 1_000  # events that a slow reader of the stream may lag behind before it is cut off


class NewWorld(Strict):
    """A world to create: a DNS label."""

    name: str = Field(json_schema_extra={"pattern": f"^{WORLD_NAME.pattern}$"})
    scenario: str | None = Field(default=None, description="a scenario as YAML, applied to the new world")


class Clock(Strict):
    """Move a world's clock. The clock is real time plus an offset and never stands still."""

    advance_seconds: float = Field(ge=-(10**10), le=10**10)


class EventualConsistency(Strict):
    """How long news about principals, their policies and keys are not known to those who decide about calls."""

    seconds: float = Field(ge=0, le=3600)


class Fault(Strict):
    """What goes wrong with matching calls and visits: with `times` of them, or a share of all (`rate`).

    After `delay_seconds` one fails with `code` or `status`, or is carried out; `answer` says that its answer never
    comes (`hang`), or that the connection is closed before it is carried out (`drop`), after it (`lose`), or in the
    middle of the answer (`half`); `date_offset_seconds` makes the answer's Date wrong.
    """

    service: str = Field(default="*", description="a service (`sts`) or an endpoint (`imds`); may be a pattern")
    operation: str = Field(default="*", description="an operation (`Assume*`) or a path below the endpoint")
    code: str = ""
    message: str = ""
    status: int | None = Field(default=None, ge=400, le=599)
    delay_seconds: float = Field(default=0, ge=0, le=3600)
    answer: Spoilt = ""
    date_offset_seconds: float = Field(default=0, ge=-(10**9), le=10**9)
    rate: float = Field(default=1, gt=0, le=1)
    times: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not (self.code or self.status or self.delay_seconds or self.answer or self.date_offset_seconds):
            raise ValueError("nothing goes wrong: say code, status, delay_seconds, answer or date_offset_seconds")
        return self


ApplyScenario = Callable[[Server, World, str], Awaitable[None]]
"""Brings a world to what a scenario's text declares; raises ValueError with its mistakes."""


def create_api(server: Server, apply_scenario: ApplyScenario) -> ASGIApp:
    """The FastAPI application that serves everything under `/_emulator`."""
    app = _new_app("sts-emulator control API")
    _mount(app, server, apply_scenario)
    return app


def create_app(server: Server, front: Any, apply_scenario: ApplyScenario) -> FastAPI:
    """An ordinary FastAPI application with the AWS endpoint mounted, to run under any ASGI server."""
    app = _new_app("sts-emulator")
    _mount(app, server, apply_scenario)
    app.mount("/", front)
    return app


def _new_app(title: str) -> FastAPI:
    api = FastAPI(
        title=title,
        docs_url=None,  # FastAPI's own page loads its scripts from other hosts
        redoc_url=None,
        openapi_url="/_emulator/openapi.json",
        description="Worlds, time, faults, events and explanations of a running sts-emulator.",
    )
    api.add_exception_handler(UnavailableError, _unavailable)
    api.add_exception_handler(405, _not_allowed)
    api.add_exception_handler(RequestValidationError, _unreadable)
    return api


async def _unavailable(request: Request, reason: Exception) -> JSONResponse:
    server_of(request).health.failed(reason)
    return JSONResponse({"detail": UNAVAILABLE}, 503)


async def _unreadable(request: Request, error: Any) -> Response:
    """What is refused is repeated in the answer, unless half a character or no number is in it: JSON has neither."""
    try:
        return await request_validation_exception_handler(request, error)
    except ValueError:
        told = [{name: mistake[name] for name in ("type", "loc", "msg")} for mistake in error.errors()]
        return Response(json.dumps({"detail": told}), 422, media_type="application/json")


async def _not_allowed(request: Request, _: Exception) -> JSONResponse:
    """Each method of a path is a route of its own: the framework would tell of the first alone."""
    described: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    there = (calls for path, calls in described.items() if compile_path(path)[0].match(request.scope["path"]))
    methods = sorted({method.upper() for calls in there for method in calls})
    return JSONResponse({"detail": "Method Not Allowed"}, 405, {"allow": ", ".join(methods)})


def _mount(app: FastAPI, server: Server, apply_scenario: ApplyScenario) -> None:
    app.state.server = server
    app.state.apply_scenario = apply_scenario
    others = (importlib.import_module(module).router for module in APIS)
    for part in (router, people.router, inspection.router, *others):
        app.include_router(part, prefix="/_emulator/api", responses=REFUSALS)
    app.add_api_route("/_emulator/docs", reference_page, include_in_schema=False)
    app.add_middleware(Guarded, server=server)


router = APIRouter(route_class=Beside)


@router.get("/worlds", summary="List the worlds")
async def list_worlds(server: TheServer) -> list[str]:
    """Names in order; `default` is always there."""
    return server.worlds.names()


@router.post("/worlds", status_code=201, summary="Create a world")
async def create_world(request: Request, server: TheServer, new: NewWorld) -> dict[str, Any]:
    """An isolated namespace with its own accounts, time, faults and keys; optionally seeded from a scenario."""
    try:
        world = server.worlds.create(new.name)
    except ValueError as bad:
        raise HTTPException(422, str(bad)) from None
    if world is None:
        raise HTTPException(409, f"world `{new.name}` exists")
    if new.scenario is not None:
        try:
            await _apply(request, world, new.scenario)
        except (HTTPException, UnavailableError):
            await when_free(partial(server.worlds.delete, new.name))
            raise
    return _describe(world)


@router.get("/worlds/{world}", summary="Describe a world")
async def get_world(world: TheWorld) -> dict[str, Any]:
    """Its time, offset and faults."""
    return _describe(world)


@router.delete("/worlds/{world}", status_code=204, summary="Delete a world")
async def delete_world(server: TheServer, world: str) -> Response:
    """All that it held is gone, and its credentials stop working. The default world cannot be deleted."""
    if world == DEFAULT:
        raise HTTPException(409, "the default world cannot be deleted")
    if not server.worlds.delete(world):
        raise HTTPException(404, f"no world `{world}`{meant(world, server.worlds.names())}")
    server.events.drop(world)
    return Response(status_code=204)


@router.post("/worlds/{world}/clock", summary="Advance a world's clock")
async def advance(world: TheWorld, change: Clock) -> dict[str, Any]:
    """Everything with business meaning (token and session expiry, aws:CurrentTime) follows this clock at once."""
    world.advance(change.advance_seconds)
    return _describe(world)


@router.put("/worlds/{world}/eventual-consistency", summary="Let news travel for some seconds")
async def set_eventual_consistency(world: TheWorld, change: EventualConsistency) -> dict[str, Any]:
    """New principals, policies and keys are unknown for so many seconds of the world's clock; 0: all counts at once."""
    world.change_settings(lambda row: {**row, "eventual_consistency": change.seconds})
    return _describe(world)


@router.put("/worlds/{world}/faults", summary="Replace a world's faults")
async def set_faults(server: TheServer, world: TheWorld, faults: list[Fault]) -> dict[str, Any]:
    """Faults to inject; an empty list removes them all. A name that nothing has is a 422 with the nearest one."""
    declared = [fault.model_dump() for fault in faults]
    names: dict[str, Collection[str]] = {**dispatch.operations(), **dict.fromkeys(server.endpoints, ())}
    if server.settings.upstream:
        names |= _operations_behind(fault.service for fault in faults)
    for fault in faults:
        if wrong := misspelt(fault.service, fault.operation, names):
            raise HTTPException(422, wrong)
    world.change_settings(lambda row: {**row, "faults": declared})
    return _describe(world)


def _operations_behind(services: Iterable[str]) -> dict[str, Collection[str]]:
    """The operations of services that may be at an upstream, as far as they are named."""
    known: dict[str, Collection[str]] = {}
    for name in services:
        with contextlib.suppress(KeyError):
            known[name] = models.foreign(name).operations
    return known


@router.get("/worlds/{world}/hooks", summary="Read what plays Lambda triggers")
async def get_hooks(world: TheWorld) -> dict[str, str]:
    """URLs by the ARN of a Lambda function that a user pool may name."""
    return trigger_hooks.hooks(world)


@router.put("/worlds/{world}/hooks", summary="Say what plays Lambda triggers")
async def set_hooks(server: TheServer, world: TheWorld, hooks: dict[str, str]) -> dict[str, str]:
    """URLs by ARN, in place of those before: on this machine, or a host that `serve --hook-host` names."""
    for arn, url in hooks.items():
        if wrong := trigger_hooks.fault(arn, url, server.settings):
            raise HTTPException(422, wrong)
    if len(hooks) > trigger_hooks.MOST:
        raise HTTPException(422, f"more than {trigger_hooks.MOST} hooks")
    trigger_hooks.replace(world, hooks)
    return trigger_hooks.hooks(world)


@router.get("/worlds/{world}/accounts", summary="List a world's accounts")
async def list_accounts(world: TheWorld) -> list[dict[str, Any]]:
    """Accounts with their users' and roles' names."""
    return [
        {
            "id": account["id"],
            "name": account.get("name", ""),
            "alias": account.get("alias", ""),
            "users": [user["name"] for user in world.page(documents.USER, f"{account['id']}/")],
            "roles": [role["arn"] for role in world.page(documents.ROLE, f"{account['id']}/")],
        }
        for account in world.page(documents.ACCOUNT)
    ]


@router.get("/worlds/{world}/credentials", summary="Long-term credentials of root or a user")
async def get_credentials(world: TheWorld, account: str | None = None, user: str = "") -> dict[str, Any]:
    """The active access key of an account's root, or of `user`; the first account when none is named."""
    if account is None:
        accounts = world.page(documents.ACCOUNT, limit=1)
        if not accounts:
            raise HTTPException(404, "this world has no accounts; apply a scenario first")
        account = accounts[0]["id"]
    keys = {
        key["user"].lower(): key
        for key in reversed(world.page(documents.ACCESS_KEY))
        if key["account"] == account and key["status"] == "Active"
    }
    if key := keys.get(user.lower()):
        return {"account": account, "access_key_id": key["id"], "secret_access_key": key["secret"]}
    if world.get(documents.ACCOUNT, account) is None:
        known = [there["id"] for there in world.page(documents.ACCOUNT)]
        raise HTTPException(404, f"no account `{account}`{meant(account, known) or f'; there are {_some(known)}'}")
    users = [there["name"] for there in world.page(documents.USER, f"{account}/")]
    if user and user.lower() not in map(str.lower, users):
        near = meant(user, users) or f"; there are {_some(users)}"
        raise HTTPException(404, f"account `{account}` has no user `{user}`{near}")
    holder = f"user `{user}`" if user else "root"
    raise HTTPException(404, f"{holder} of account `{account}` has no active access key")


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:SHOWN])}{', …' if len(names) > SHOWN else ''}" if names else "none"


@router.get("/worlds/{world}/mfa-code", summary="The code that a virtual MFA device shows")
async def get_mfa_code(world: TheWorld, serial: str) -> dict[str, str]:
    """By the world's clock, as a phone would show it; a code that was used already is passed over."""
    from sts_emulator.accounts import people

    device = world.find(people.KIND, serial)
    if device is None:
        near = meant(serial, (known["arn"] for known in world.page(people.KIND)))
        raise HTTPException(404, f"no virtual MFA device `{serial}`{near}")
    return {"serial": serial, "code": people.next_code(device, world.now())}


@router.get("/worlds/{world}/notifications", summary="What SNS topics would have received")
async def list_notifications(world: TheWorld, topic: str | None = None) -> list[dict[str, Any]]:
    """SNS messages, oldest first, of one topic (its ARN) or all: there is no SNS here to deliver them."""
    return [dict(message) for message in world.page(documents.NOTIFICATION, f"{topic}/" if topic else "")]


@router.post("/worlds/{world}/scenario", summary="Apply a scenario")
async def apply_scenario(request: Request, world: TheWorld, text: Annotated[str, Body(media_type="text/yaml")]) -> Any:
    """Create or update what the YAML declares, all or nothing; a mistake is a 422 with `line: what is wrong`."""
    await _apply(request, world, text)
    return _describe(world)


@router.get("/worlds/{world}/events", summary="Read a world's events")
async def list_events(
    server: TheServer,
    world: TheWorld,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    after: str | None = None,
    outcome: Literal["allowed", "denied", "failed"] | None = None,
) -> StreamingResponse:
    """CloudTrail-shaped records, oldest first: the newest `limit`, or those behind the event id `after`."""
    if after is None:
        events = await _newest(server, world, limit, outcome)
    else:
        start = record.find(server.events, world.name, after)
        if start is None:
            raise HTTPException(404, f"no event `{after}`")
        events = [event async for event in server.events.behind(world.name, start, limit) if _came_to(event, outcome)]
    return StreamingResponse(_array(events), media_type="application/json")


async def _newest(server: Server, world: World, limit: int, outcome: str | None) -> list[Event]:
    """The newest events (that came to an outcome), oldest first."""
    events: list[Event] = []
    async for event in server.events.scan(world.name):
        if _came_to(event, outcome):
            events.append(event)
            if len(events) == limit:
                break
    return events[::-1]


def _came_to(event: Event, outcome: str | None) -> bool:
    return outcome is None or event.record()["additionalEventData"]["outcome"] == outcome


async def _array(events: list[Event]) -> AsyncIterator[str]:
    """Records as a JSON array, told one by one, with others' turns in between."""
    for number, event in enumerate(events):
        yield ("," if number else "[") + record.text(event)
        await asyncio.sleep(0)
    yield "]" if events else "[]"


@router.get("/worlds/{world}/events/stream", summary="Follow a world's events")
async def stream_events(server: TheServer, world: TheWorld) -> StreamingResponse:
    """Server-sent events, one a record, from now on."""
    return StreamingResponse(_follow(server, world.name, server.events.position()), media_type="text/event-stream")


@router.get("/worlds/{world}/events/{event}", summary="Read one event")
async def get_event(server: TheServer, world: TheWorld, event: str) -> dict[str, Any]:
    """One record by its id, which is the request id that the client was given."""
    return _event(server, world, event)


@router.get("/worlds/{world}/explain/{event}", summary="Why an attempt was allowed or denied")
async def explain_event(
    server: TheServer,
    world: TheWorld,
    event: str,
    form: Annotated[Literal["json", "text"], Query(alias="format")] = "json",
) -> Response:
    """The evidence, and the decision tree of every question that the attempt put to the policy engine."""
    told = _event(server, world, event)
    return JSONResponse(_explanation(told)) if form == "json" else PlainTextResponse(_explanation_text(told))


def _event(server: Server, world: World, identifier: str) -> dict[str, Any]:
    log = server.events
    event = log.last(world.name) if identifier == "last" else record.find(log, world.name, identifier)
    if event is None:
        told = "nothing was attempted yet" if identifier == "last" else f"no event `{identifier}`"
        raise HTTPException(404, f"{told} in world `{world.name}`")
    return record.told(event)


def _explanation(told: dict[str, Any]) -> dict[str, Any]:
    """As data; where no policy was asked, `evidence` says in `refused` what was wrong with the proof."""
    data = told["additionalEventData"]
    return {
        "schema": 1,
        "event": told["eventID"],
        "time": told["eventTime"],
        "operation": told["eventName"],
        "outcome": data["outcome"],
        "error": data.get("told"),
        "evidence": data["evidence"],
        "decisions": data["decisions"],
    }


def _explanation_text(told: dict[str, Any]) -> str:
    from sts_emulator.policy.explaining.report import lines_of, refused_before

    data = told["additionalEventData"]
    is_allowed = bool(data["decisions"]) and all(decision["verdict"] == "allow" for decision in data["decisions"])
    outcome = "failed" if is_allowed and "told" in data and "refused" not in data["evidence"] else data["outcome"]
    lines = [f"{told['eventName'] or told['eventSource']}: {outcome}  ({told['eventTime']}, event {told['eventID']})"]
    if "told" in data:
        lines.append(f"  {data['told']['code']}: {data['told']['message']}")
    if not data["decisions"] and "origin" in data:
        lines.append(f"  origin  {data['origin']}")
    if not data["decisions"]:
        lines += [f"  {line}" for line in refused_before(data["evidence"])]
    elif "refused" in data["evidence"] and is_allowed:
        lines.append(f"  refused, though policies allow it: {data['evidence']['refused']}")
    lines += [line for decision in data["decisions"] for line in lines_of(decision["explanation"])]
    return "\n".join(map(printable, lines)) + "\n"


async def _follow(server: Server, world: str, position: int) -> AsyncIterator[str]:
    queue: asyncio.Queue[Event] = asyncio.Queue(STREAM_BACKLOG)
    stop: Callable[[], None] = server.events.listen(lambda event: _offer(queue, event), position)
    try:
        yield ": listening\n\n"
        while not queue.full():
            event = await queue.get()
            if event.world == world:
                yield f"data: {record.text(event)}\n\n"
    finally:
        stop()


def _offer(queue: asyncio.Queue[Event], event: Event) -> None:
    if not queue.full():
        queue.put_nowait(event)


async def _apply(request: Request, world: World, text: str) -> None:
    try:
        await request.app.state.apply_scenario(server_of(request), world, text)
    except ValueError as mistakes:
        raise HTTPException(422, str(mistakes)) from None


def _describe(world: World) -> dict[str, Any]:
    return {
        "name": world.name,
        "time": clock.iso(world.now()),
        "offset_seconds": world.offset,
        "eventual_consistency_seconds": world.settings.get("eventual_consistency", 0.0),
        "faults": world.settings["faults"],
    }
