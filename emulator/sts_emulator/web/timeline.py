"""The timeline: what was attempted in a world, newest first, a hundred at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Final
from urllib.parse import urlencode

from sts_emulator.core.errors import AwsError
from sts_emulator.core.events import Event
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.web.attempts import ALLOWED, Attempt, attempt
from sts_emulator.web.frame import refused, view
from sts_emulator.wire.http import Response

PAGE: Final = 100
LOOKED: Final = 5_000
"""Attempts that a filter looks at for one page; then it says how far it came."""
LONGEST: Final = 500
"""Characters of a filter."""

_EXACT: Final[Mapping[str, Callable[[Attempt], str]]] = {
    "method": lambda known: known.method,
    "operation": lambda known: known.operation,
    "outcome": lambda known: known.outcome,
}
_PART: Final[Mapping[str, Callable[[Attempt], str]]] = {
    "principal": lambda known: known.principal,
    "role": lambda known: known.role,
    "decided": lambda known: known.decided,  # last, as it costs more than all others
}
FIELDS: Final = (*_EXACT, *_PART)
DEAR: Final = "decided"
LOOKED_DEARLY: Final = 1_000
"""The same for a filter that has each question answered again."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which attempts are shown. `only` and `without` name texts by field; `text` occurs anywhere."""

    only: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    text: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """What a query asks for; several texts are separated by commas, but of what decided, which has some itself."""
        only = {name: texts for name in FIELDS if (texts := _texts(name, query.get(name, "")))}
        without = {name: texts for name in FIELDS if (texts := _texts(name, query.get(f"not_{name}", "")))}
        return cls(only, without, query.get("q", "").strip()[:LONGEST].lower())

    def __bool__(self) -> bool:
        return bool(self.only or self.without or self.text)

    @property
    def most(self) -> int:
        """How many attempts it looks at for one page."""
        return LOOKED_DEARLY if DEAR in self.only or DEAR in self.without else LOOKED

    def takes(self, known: Attempt) -> bool:
        """Whether an attempt is shown."""
        return (
            (not self.text or known.has(self.text))
            and all(_is(known, name, texts) for name, texts in self.only.items())
            and not any(_is(known, name, texts) for name, texts in self.without.items())
        )

    def parts(self) -> Iterator[tuple[str, str, str]]:
        """(parameter, words, value) of each part of it."""
        for name, texts in self.only.items():
            yield name, f"{name} is", ", ".join(texts)
        for name, texts in self.without.items():
            yield f"not_{name}", f"{name} is not", ", ".join(texts)
        if self.text:
            yield "q", "text", self.text


def _texts(name: str, given: str) -> tuple[str, ...]:
    parts = [given[:LONGEST]] if name == DEAR else given[:LONGEST].split(",")
    return tuple(filter(None, (text.strip().lower() for text in parts)))


def _is(known: Attempt, name: str, texts: tuple[str, ...]) -> bool:
    if name in _EXACT:
        return _EXACT[name](known).lower() in texts
    value = _PART[name](known).lower()
    return any(text in value for text in texts)


@dataclass(slots=True)
class Sheet:
    """One page: its attempts, and the last that was looked at when there may be more behind it."""

    attempts: list[Attempt] = field(default_factory=list)
    looked: int = 0
    more: str = ""


@page("GET", "/_emulator", refusal=refused, own=True)
async def timeline(visit: Visit) -> Response:
    """A page of attempts."""
    query = visit.query
    wanted = Filter.of(query)
    before = query.get("before", "")
    sheet = await _sheet(visit, wanted, before)
    if query.get("order") == "refused":
        sheet.attempts.sort(key=lambda known: known.outcome == ALLOWED)
    kept = {name: value for name, value in query.items() if value and name != "before"}
    return view(
        visit,
        "timeline.html",
        "",
        sheet=sheet,
        query=query,
        fields=FIELDS,
        seen={name: sorted({_value(known, name) for known in sheet.attempts} - {""})[:PAGE] for name in FIELDS},
        parts=[
            (words, value, urlencode({name: text for name, text in kept.items() if name != parameter}))
            for parameter, words, value in wanted.parts()
        ],
        is_live=not before and not wanted and query.get("order") != "refused",
        older=urlencode({**kept, "before": sheet.more}) if sheet.more else "",
        newest=urlencode(kept) if before else "",
        endpoint=visit.base_url,
    )


def _value(known: Attempt, name: str) -> str:
    return (_EXACT.get(name) or _PART[name])(known)


async def _sheet(visit: Visit, wanted: Filter, before: str) -> Sheet:
    log, world = visit.server.events, visit.world.name
    start: Event | None = None
    if before:
        start = log.get(world, before)
        if start is None:
            raise AwsError("NotFound", "That attempt is not kept any more.", status=404)
    sheet = Sheet()
    if not wanted:
        events = log.newest(world, PAGE + 1, start)
        sheet.attempts = [known for known in map(attempt, events[:PAGE]) if not known.is_copy]
        sheet.more = events[PAGE - 1].id if len(events) > PAGE else ""
        return sheet
    async for event in log.scan(world, start):
        known = attempt(event)
        sheet.looked += 1
        if not known.is_copy and wanted.takes(known):
            sheet.attempts.append(known)
        if len(sheet.attempts) == PAGE or sheet.looked == wanted.most:
            sheet.more = event.id
            break
    return sheet
