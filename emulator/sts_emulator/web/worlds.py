"""The worlds of the server: each with a link to its console; made, from a scenario if wanted, and deleted."""

from __future__ import annotations

from functools import partial

from sts_emulator.core import clock
from sts_emulator.core.contention import when_free
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import UnavailableError
from sts_emulator.core.world import DEFAULT
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.serving.front import apply_scenario
from sts_emulator.web.frame import HOME, refused, view
from sts_emulator.wire.http import Response


@page("GET", "/_emulator/worlds", refusal=refused, own=True)
def list_worlds(visit: Visit) -> Response:
    return _list(visit)


@page("POST", "/_emulator/worlds", refusal=refused, own=True)
async def create(visit: Visit) -> Response:
    """Make one, with what a scenario declares; with a mistake in it none is made."""
    name, scenario = visit.posted.get("name", "").strip(), visit.posted.get("scenario", "")
    worlds = visit.server.worlds
    try:
        world = worlds.create(name)
    except ValueError as bad:
        return _list(visit, wrong=str(bad), name=name, scenario=scenario)
    if world is None:
        return _list(visit, wrong=f"world `{name}` exists", name=name, scenario=scenario)
    if scenario.strip():
        try:
            await apply_scenario(visit.server, world, scenario)
        except ValueError as mistakes:
            await when_free(partial(worlds.delete, name))
            return _list(visit, wrong=str(mistakes), name=name, scenario=scenario)
        except UnavailableError:
            await when_free(partial(worlds.delete, name))
            raise
    return render.redirect(f"/w/{name}{HOME}/")


@page("POST", "/_emulator/worlds/delete", refusal=refused, own=True)
def delete(visit: Visit) -> Response:
    """Delete one: its credentials stop working."""
    name = visit.posted.get("name", "")
    if name == DEFAULT:
        raise AwsError("Refused", "The default world cannot be deleted.", status=409)
    if not visit.server.worlds.delete(name):
        raise AwsError("NotFound", f"There is no world `{name[:80]}`.", status=404)
    visit.server.events.drop(name)
    return render.redirect(f"{HOME}/worlds")


def _list(visit: Visit, wrong: str = "", name: str = "", scenario: str = "") -> Response:
    own = visit.base_url.removesuffix(visit.root)
    worlds = [
        {
            "name": known.name,
            "url": own if known.name == DEFAULT else f"{own}/w/{known.name}",
            "console": f"{HOME}/" if known.name == DEFAULT else f"/w/{known.name}{HOME}/",
            "time": clock.iso(known.now()),
            "offset": known.offset,
        }
        for listed in visit.server.worlds.names()
        if (known := visit.server.worlds.get(listed)) is not None
    ]
    return view(
        visit,
        "worlds.html",
        "worlds",
        status=400 if wrong else 200,
        listed=worlds,
        wrong=wrong,
        name=name,
        scenario=scenario,
    )
