"""The instructor's page: who of a class is where, what they have tried, and a way to everybody's timeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.labs import learning, shelf
from sts_emulator.labs.seats import classes
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.web.attempts import attempt
from sts_emulator.web.frame import HOME, refused, view
from sts_emulator.wire.http import Response

LAST: Final = 3
"""Attempts of each learner that are shown."""


@page("GET", "/_emulator/class", refusal=refused, own=True)
def list_classes(visit: Visit) -> Response:
    """The classes of this server."""
    return view(visit, "classes.html", "class", listed=classes(visit.server.worlds.names()))


@page("GET", "/_emulator/class/{name}", refusal=refused, own=True)
def show(visit: Visit, name: str) -> Response:
    """One class; a browser that is left alone asks again every few seconds."""
    worlds = classes(visit.server.worlds.names()).get(name)
    if worlds is None:
        raise AwsError("NotFound", f"There is no class `{name[:80]}` on this server.", status=404)
    learners = [_learner(visit, world) for listed in worlds if (world := visit.server.worlds.get(listed)) is not None]
    return view(
        visit,
        "class.html",
        "class",
        name=name,
        labs=[(lab, shelf.lab(lab).title) for lab in shelf.names()],
        learners=learners,
        solved=sum(learner["solved"] for learner in learners),
    )


def _learner(visit: Visit, world: World) -> Mapping[str, object]:
    labs = learning.overview(world)
    newest = visit.server.events.newest(world.name, LAST)
    return {
        "world": world.name,
        "home": f"/w/{world.name}{HOME}",
        "labs": labs,
        "solved": sum(lab["state"] == "solved" for lab in labs),
        "current": next((lab for lab in labs if lab["is_current"]), None),
        "attempts": [attempt(event) for event in newest],
        "seen": clock.iso(newest[0].at) if newest else "",
    }
