"""The control API's part about workloads: listeners, what runs as what, and notices to instances."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from pydantic import Field

from sts_emulator.accounts import compute
from sts_emulator.console.dependencies import REFUSALS, Beside, Strict, TheServer, TheWorld
from sts_emulator.network.listeners import Asked, Kind, Listener, ListenerError, Listeners
from sts_emulator.pages import tokens
from sts_emulator.workloads import launch
from sts_emulator.workloads.launch import LaunchError, Wanted
from sts_emulator.workloads.relaying import Relayed, relay

NOTICE_KINDS = Literal["spot-interruption", "rebalance", "maintenance"]


class NewListener(Strict):
    """A listener to open; `workload` is an instance, by id or name."""

    kind: Kind
    workload: str = ""
    port: int = Field(default=0, ge=0, le=65_535)
    relayed: bool = False


class NewWorkload(Strict):
    """What should run: an existing workload by `name`, or a new one with the role `role`."""

    kind: launch.Kind
    role: str = ""
    name: str = ""
    account: str = ""
    options: dict[str, Any] = Field(default_factory=dict)


class Notice(Strict):
    """What an instance is told: a spot interruption, a rebalance recommendation or scheduled maintenance."""

    kind: NOTICE_KINDS


def extend(app: FastAPI, listeners: Listeners, first: str = "") -> None:
    """Add this part to the control API; it is for the machine's own user, as the rest is.

    `first` is where the one worker of several is that opens listeners: what comes here is answered there.
    """
    app.state.listeners = listeners
    app.state.first = first
    app.add_exception_handler(Relayed, _relayed)
    relayed = [Depends(relay)] if first else []
    app.include_router(router, prefix="/_emulator/api/worlds/{world}", dependencies=relayed, responses=REFUSALS)


async def _relayed(_: Request, answered: Exception) -> Response:
    assert isinstance(answered, Relayed), "it is registered for these"
    return answered.response


def _listeners(request: Request) -> Listeners:
    return request.app.state.listeners  # type: ignore[no-any-return]  # set by extend


TheListeners = Annotated[Listeners, Depends(_listeners)]

router = APIRouter(route_class=Beside)


@router.get("/listeners", summary="List a world's listeners")
async def list_listeners(listeners: TheListeners, world: TheWorld) -> list[dict[str, Any]]:
    """Addresses that stand for an instance, for endpoints of tasks and pods, or for AWS's own host names."""
    return [listener.to_json() for listener in listeners.all() if listener.asked.world == world.name]


@router.post("/listeners", status_code=201, summary="Open a listener")
async def open_listener(
    request: Request, server: TheServer, listeners: TheListeners, world: TheWorld, new: NewListener
) -> dict[str, Any]:
    """A socket of its own for an instance's metadata service, an endpoint, TLS under AWS's names, or a proxy to it."""
    workload = new.workload
    if new.port and tokens.is_for_one_world(server.settings, request.headers.get("authorization", "")):
        raise HTTPException(403, "a token for one world opens listeners on any free port: ask for none")
    if new.kind == "imds":
        instance = launch.find_instance(world, workload)
        workload = instance["id"] if instance else workload
    opened = await _open(listeners, Asked(new.kind, world.name, workload, new.port, new.relayed))
    if new.kind in ("aws", "proxy"):
        from sts_emulator.network.tls import authority_pem

        return {**opened.to_json(), "authority": authority_pem(server.settings)}
    return opened.to_json()


@router.delete("/listeners/{port}", status_code=204, summary="Close a listener")
async def close_listener(listeners: TheListeners, world: TheWorld, port: int) -> Response:
    """Connections that are open end with their request."""
    listener = listeners.find(world.name, port)
    if listener is None:
        raise HTTPException(404, f"world `{world.name}` has no listener at port {port}")
    await listeners.close(listener)
    return Response(status_code=204)


@router.get("/workloads", summary="List a world's workloads")
async def list_workloads(world: TheWorld) -> list[dict[str, Any]]:
    """Instances, tasks, clusters and functions, with their roles."""
    return launch.listing(world)


@router.post("/workloads", status_code=201, summary="Start a workload")
async def start_workload(server: TheServer, listeners: TheListeners, world: TheWorld, new: NewWorkload) -> Any:
    """What a program needs to run as this workload: environment variables, files, and where its addresses are."""
    wanted = Wanted(new.kind, new.role, new.name, new.account, new.options)
    try:
        started = await launch.start(server, world, wanted)
    except LaunchError as bad:
        raise HTTPException(422, str(bad)) from None
    opened = {}
    for kind in started.listens:
        asked = Asked(kind, world.name, started.id if kind == "imds" else "", 0, bool(new.options.get("relayed")))
        opened[kind] = (await _open(listeners, asked)).to_json()
    return {**started.to_json(), "listeners": opened}


@router.delete("/workloads/{kind}/{identifier}", status_code=204, summary="Stop a workload")
async def stop_workload(listeners: TheListeners, world: TheWorld, kind: launch.Kind, identifier: str) -> Response:
    """Forget a workload; credentials that it has already live on until they expire."""
    if not launch.stop(world, kind, identifier):
        raise HTTPException(404, f"no {kind} workload `{identifier}`")
    for listener in listeners.all():
        if (listener.asked.world, listener.asked.workload) == (world.name, identifier):
            await listeners.close(listener)
    return Response(status_code=204)


@router.put("/instances/{identifier}/notices", summary="Give an instance a notice")
async def put_notice(world: TheWorld, identifier: str, notice: Notice) -> dict[str, Any]:
    """The instance reads it in its metadata from now on, its time that of the world's clock."""
    instance = launch.find_instance(world, identifier)
    if instance is None:
        raise HTTPException(404, f"no instance `{identifier}`")
    at = int(world.now())
    world.update(compute.INSTANCE, instance["id"], lambda old: {**old, "notices": {**old["notices"], notice.kind: at}})
    return {"instance": instance["id"], "kind": notice.kind, "at": at}


@router.delete("/instances/{identifier}/notices", status_code=204, summary="Take an instance's notices back")
async def delete_notices(world: TheWorld, identifier: str) -> Response:
    """Its metadata says nothing of them any more."""
    instance = launch.find_instance(world, identifier)
    if instance is None:
        raise HTTPException(404, f"no instance `{identifier}`")
    world.update(compute.INSTANCE, instance["id"], lambda old: {**old, "notices": {}})
    return Response(status_code=204)


async def _open(listeners: Listeners, asked: Asked) -> Listener:
    try:
        return await listeners.open(asked)
    except ListenerError as bad:
        raise HTTPException(409, str(bad)) from None
