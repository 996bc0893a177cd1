"""A world's clock, with what moving it ends, and the faults that its calls meet."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sts_emulator.core import clock
from sts_emulator.core.faults import misspelt
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.web.attempts import attempt
from sts_emulator.web.frame import HOME, refused, view
from sts_emulator.wire import dispatch
from sts_emulator.wire.http import Response

UNITS: Final[Mapping[str, int]] = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
FURTHEST: Final = 10**9
LOOKED: Final = 300
"""Attempts in which sessions are looked for, whose end a moved clock brings."""
SPOILT: Final = ("", "hang", "drop", "lose", "half")

_EXPIRATION: Final = "%b %d, %Y, %I:%M:%S %p"  # docs/aws/cloudtrail.md, "Members of a record"
_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,3})?")


@page("GET", "/_emulator/world", refusal=refused, own=True)
async def show(visit: Visit) -> Response:
    """Time and faults; with `amount` and `unit` what a move of the clock would end."""
    return await _page(visit)


@page("POST", "/_emulator/world/clock", refusal=refused, own=True)
async def move(visit: Visit) -> Response:
    """Move the clock."""
    try:
        seconds = _seconds(visit.posted)
    except ValueError as wrong:
        return await _page(visit, wrong=str(wrong))
    visit.world.advance(seconds)
    return render.redirect(f"{visit.root}{HOME}/world")


@page("POST", "/_emulator/world/consistency", refusal=refused, own=True)
async def slow_news(visit: Visit) -> Response:
    """Let news about principals, policies and keys travel for some seconds."""
    given = visit.posted.get("seconds", "")
    if not _NUMBER.fullmatch(given) or not 0 <= float(given) <= UNITS["hours"]:
        return await _page(visit, wrong="seconds are a number from 0 to 3600")
    visit.world.change_settings(lambda row: {**row, "eventual_consistency": float(given)})
    return render.redirect(f"{visit.root}{HOME}/world")


@page("POST", "/_emulator/world/faults", refusal=refused, own=True)
async def add_fault(visit: Visit) -> Response:
    """One more fault, checked as the control API checks it."""
    api: Any = await asyncio.to_thread(importlib.import_module, "sts_emulator.console.api")
    given = {name: text.strip() for name, text in visit.posted.items() if text.strip()}
    try:
        fault = api.Fault.model_validate_strings(given, strict=False)  # a form has text alone
    except ValueError as mistakes:
        return await _page(visit, wrong=_complaint(mistakes), posted=visit.posted)
    names = {**dispatch.operations(), **dict.fromkeys(visit.server.endpoints, ())}
    if wrong := misspelt(fault.service, fault.operation, names):
        return await _page(visit, wrong=wrong, posted=visit.posted)
    visit.world.change_settings(lambda row: {**row, "faults": [*row["faults"], fault.model_dump()]})
    return render.redirect(f"{visit.root}{HOME}/world")


@page("POST", "/_emulator/world/faults/remove", refusal=refused, own=True)
async def remove_fault(visit: Visit) -> Response:
    """Take one away, or all."""
    number = visit.posted.get("number", "")
    kept = [fault for index, fault in enumerate(visit.world.settings["faults"]) if number and str(index) != number]
    visit.world.change_settings(lambda row: {**row, "faults": kept})
    return render.redirect(f"{visit.root}{HOME}/world")


def _complaint(mistakes: Any) -> str:
    """What pydantic has to say, in a line."""
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, mistake["loc"])), mistake["msg"]))) for mistake in mistakes.errors()
    )


def _seconds(given: Mapping[str, str]) -> float:
    """Raises ValueError: what is wrong."""
    amount, unit = given.get("amount", "").strip(), given.get("unit", "seconds")
    if unit not in UNITS or not _NUMBER.fullmatch(amount) or abs(float(amount) * UNITS[unit]) > FURTHEST:
        raise ValueError(f"`{amount[:40]}` {unit[:40]}: write a number of seconds, minutes, hours or days")
    return float(amount) * UNITS[unit]


async def _page(visit: Visit, wrong: str = "", posted: Mapping[str, str] | None = None) -> Response:
    query, moved = visit.query, None
    if "amount" in query and not wrong:
        try:
            moved = _seconds(query)
        except ValueError as mistake:
            wrong = str(mistake)
    now = visit.world.now()
    return view(
        visit,
        "world.html",
        "world",
        status=400 if wrong else 200,
        wrong=wrong,
        now=clock.iso(now),
        offset=visit.world.offset,
        moved=None if moved is None else clock.iso(now + moved),
        amount=query.get("amount", "1"),
        unit=query.get("unit", "hours"),
        units=list(UNITS),
        ends=[end async for end in _ends(visit, now, now + (moved or 0))],
        consistency=visit.world.settings.get("eventual_consistency", 0.0),
        faults=[_said(fault) for fault in visit.world.settings["faults"]],
        services=sorted({*dispatch.operations(), *visit.server.endpoints}),
        spoilt=SPOILT,
        posted=posted or {},
    )


def _said(fault: JsonObject) -> JsonObject:
    """What a fault says beyond what is so anyhow."""
    return {name: value for name, value in fault.items() if value and not (name == "rate" and value == 1)}


async def _ends(visit: Visit, now: float, then: float) -> AsyncIterator[Mapping[str, Any]]:
    """The newest sessions: how long they last, now and then."""
    looked = 0
    async for event in visit.server.events.scan(visit.world.name):
        looked += 1
        if looked > LOOKED:
            return
        known = attempt(event)
        credentials = known.credentials
        if credentials is None or known.is_copy:
            continue
        try:
            end = datetime.strptime(str(credentials.get("expiration")), _EXPIRATION).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
        yield {
            "id": known.id,
            "who": credentials.get("accessKeyId", ""),
            "role": known.whose or known.who,
            "end": clock.iso(end),
            "now": end <= now,
            "then": end <= then,
        }
