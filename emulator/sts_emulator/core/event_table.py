"""Events in a state's table: written before answers leave, read by id and by page, streamed whoever wrote them.

What one turn of the event loop records is one commit, and the answers wait for it: `hold`. A state that takes nothing
for some seconds has the calls of those answers refused instead: no answer leaves without its event.
"""

from __future__ import annotations

import asyncio
import json
import logging
import marshal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import field
from functools import partial
from itertools import chain, islice
from typing import Any, cast

from sts_emulator.core import clock
from sts_emulator.core.events import Event, Listener, Refuse, Send, copy_id
from sts_emulator.core.health import Health
from sts_emulator.core.store import (
    SHARED,
    Elsewhere,
    EventRow,
    NewEvents,
    NotAtHandError,
    Store,
    UnavailableError,
)
from sts_emulator.core.threads import afterwards
from sts_emulator.core.world import World
from sts_emulator.policy.light_dataclass import dataclass

KEPT_IN_STATE = 100_000  # per world
POLL = 0.1  # seconds between two looks for what other processes wrote, while somebody listens
SOON, RETRY = 0.001, 0.05  # seconds until a write is tried again: another process holds the lock, or the disk is full
LONGEST_WAIT = 3.0  # seconds that answers wait for a state that takes none; then their calls are refused
SLOW = (
    0.05  # seconds that a commit may take before the next one does not wait for it; until then they had better be few
)
WRITERS = 4  # commits at the same time, where they are round trips
BATCH = 500
MOST_IN_ROW = 1_000
_PLACES = 12  # bits of a position that tell the place in a row: each event has two, and the first is its copy's

log = logging.getLogger("emulator")

FORMAT = 4  # marshal's since Python 3.4, which every later one reads

Item = tuple[str, float, dict[str, Any], dict[str, Any] | None]
"""What is written of an event: id, time, record, and what is different of it in another account's trail."""


@dataclass(slots=True, eq=False)
class TableEvent:
    """An event that was read from the table."""

    id: str
    world: str
    at: float
    body: dict[str, Any]
    size: int
    position: int = 0
    other_account: str = ""
    beside: int = 1
    """How many stand in its row."""

    def record(self) -> dict[str, Any]:
        """See Event."""
        return dict(self.body)

    def elsewhere(self) -> dict[str, Any]:
        """See Event; a copy in another trail is an event of its own here."""
        return {}


@dataclass(slots=True, eq=False)
class Turn:
    """What was recorded in one turn of the loop, and the answers that wait for it."""

    events: list[Event]
    answers: list[tuple[Send, Refuse]]
    since: float = field(default_factory=clock.monotonic)
    rows: list[NewEvents] | None = None
    """What is written of it, once it has been tried."""


class EventTable:
    """See core.events.Kept."""

    def __init__(self, store: Store, health: Health | None = None) -> None:
        self._store = store
        self._health = Health() if health is None else health
        self._pending: list[Event] = []
        self._held: list[tuple[Send, Refuse]] = []
        self._turn_ends = False
        self._turns: list[Turn] = []  # oldest first
        self._underway: list[list[Turn]] = []
        self._began = 0.0
        self._retry = SOON
        self._threads = ThreadPoolExecutor(WRITERS, "events") if store.remote else None
        self._listeners: list[Listener] = []
        self._seen = 0

    def append(self, event: Event, world: World | None = None) -> None:
        """See Kept.

        Raises:
            UnavailableError: no loop is running, whose turn could end, and the state does not take it now.
        """
        if world is not None and world.attach(lambda: _row(event.world, [_item(event)]), KEPT_IN_STATE):
            return
        if afterwards(partial(self.append, event)):  # else others' answers could settle it, and this one not wait
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._store.append_events(_rows([event]), KEPT_IN_STATE)
            return
        self._pending.append(event)
        if not self._turn_ends:
            self._turn_ends = True
            loop.call_soon(self.settle)

    def waits(self) -> bool:
        """See Kept."""
        return self._turn_ends or bool(self._pending)

    def hold(self, send: Send, refuse: Refuse) -> None:
        """See Kept."""
        if self.waits():
            self._held.append((send, refuse))
        else:
            send()

    def settle(self) -> None:
        """See Kept."""
        self._turn_ends = False
        events, self._pending, answers, self._held = self._pending, [], self._held, []
        if events:
            self._turns.append(Turn(events, answers))
            self._write()
        else:
            for send, _ in answers:
                send()

    async def settled(self) -> None:
        """See Kept."""
        if not self.waits():
            return
        written: asyncio.Future[UnavailableError | None] = asyncio.get_running_loop().create_future()
        self._held.append((partial(_tell, written, None), partial(_tell, written)))
        self.settle()
        error = await written
        if error is not None:
            raise error

    def _write(self) -> None:
        """Write what waits, in one commit."""
        now = clock.monotonic()
        is_slow = now - self._began >= SLOW
        if not self._turns or len(self._underway) >= (WRITERS if is_slow else 1):
            return
        turns, self._turns = _joined(self._turns), []
        self._underway.append(turns)
        self._began = now
        if self._threads is None:
            self._wrote(turns, self._try(turns))
        else:
            self._write_soon(cast("Elsewhere", self._store), turns, self._threads)

    def _try(self, turns: list[Turn]) -> UnavailableError | None:
        try:
            self._store.append_events(_written(turns), KEPT_IN_STATE)
        except UnavailableError as error:
            return error
        return None

    def _write_soon(self, store: Elsewhere, turns: list[Turn], threads: ThreadPoolExecutor) -> None:
        try:
            with store.at_hand():
                rows = _written(turns)
        except NotAtHandError:  # an event names somebody of whom must be read: the loop does not wait for that
            asyncio.get_running_loop().run_in_executor(threads, self._try, turns).add_done_callback(
                lambda done: self._wrote(turns, done.result())
            )
        else:
            store.append_events_soon(rows, KEPT_IN_STATE, partial(self._wrote, turns))

    def _wrote(self, turns: list[Turn], error: UnavailableError | None) -> None:
        self._underway.remove(turns)
        if error is None:
            self._retry = SOON
            self._health.recovered()
            for turn in turns:
                for send, _ in turn.answers:
                    send()
            if self._listeners and self._threads is None:
                self._announce()
            self._write()
            return
        old = [turn for turn in turns if clock.monotonic() - turn.since >= LONGEST_WAIT]
        self._turns = [turn for turn in turns if turn not in old] + self._turns
        if old:  # before, it was but busy: another process of ours writes most of the time
            self._health.failed(error)
        for turn in old:
            for _, refuse in turn.answers:
                refuse(error)
        if self._turns:
            asyncio.get_running_loop().call_later(self._retry, self._write)
            self._retry = min(2 * self._retry, RETRY)

    def gather(self) -> None:
        """See Kept."""
        self._turn_ends = True

    def get(self, world: str, identifier: str) -> Event | None:
        for known in (identifier, copy_id(identifier)):
            for row in self._store.event_rows(world, known):
                for event in _read(row):
                    if event.id == identifier:
                        return event
        return None

    def newest(self, world: str, limit: int, before: Event | None = None) -> list[Event]:
        if not isinstance(before, TableEvent):
            rows, end = self._store.events_before(world, None, limit), None
        else:
            end = before.position
            rows = self._store.events_before(world, (end >> _PLACES) + 1, limit + before.beside)
        events = (event for row in rows for event in reversed(_read(row)))
        return list(islice((event for event in events if end is None or event.position < end), limit))

    def page(self, world: str, after: Event, limit: int) -> list[Event]:
        assert isinstance(after, TableEvent), "whoever has an event has it from here"
        rows = self._store.events_after(world, (after.position >> _PLACES) - 1, limit + after.beside)
        events = (event for row in rows for event in _read(row))
        return list(islice((event for event in events if event.position > after.position), limit))

    def position(self) -> int:
        return ((self._store.last_event() + 1) << _PLACES) - 1

    def watch(self, listener: Listener, position: int) -> Callable[[], None]:
        """See Kept. What other processes write comes too."""
        if not self._listeners:
            self._seen = position >> _PLACES
            asyncio.get_running_loop().call_later(POLL, self._poll)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _poll(self) -> None:
        if not self._listeners:
            return
        loop = asyncio.get_running_loop()
        if self._threads is None:
            self._announce()
            loop.call_later(POLL, self._poll)
        else:
            loop.run_in_executor(self._threads, self._news).add_done_callback(self._polled)

    def _polled(self, done: asyncio.Future[tuple[int, list[Event]]]) -> None:
        if done.exception() is None:
            self._tell(*done.result())
        asyncio.get_running_loop().call_later(POLL, self._poll)

    def _announce(self) -> None:
        self._tell(*self._news())

    def _news(self) -> tuple[int, list[Event]]:
        """What is new, and up to where that is."""
        rows = self._store.events_since(self._seen, BATCH)
        named = [row for row in rows if row.world]  # the last event of a deleted world is nobody's
        return rows[-1].position if rows else self._seen, [event for row in named for event in _read(row)]

    def _tell(self, position: int, events: list[Event]) -> None:
        self._seen = position
        for event in events:
            for listener in self._listeners:
                listener(event)

    def drop(self, world: str) -> None:
        """See Kept; the store drops what is written, together with the world, and takes nothing more for it."""

    def close(self) -> None:
        """Write what is left; what is there already stays as it is."""
        if self._threads is None:
            self.settle()
            return
        left = [*chain(*self._underway), *self._turns, Turn(self._pending, self._held)]
        if not self._health.reason:  # else nobody was answered, and nobody waits for it
            with suppress(UnavailableError):
                self._store.append_events(_written(left), KEPT_IN_STATE)
        self._threads.shutdown(wait=True)


def _tell(written: asyncio.Future[UnavailableError | None], error: UnavailableError | None) -> None:
    if not written.done():
        written.set_result(error)


def _written(turns: list[Turn]) -> list[NewEvents]:
    """What is written of turns: rendered once, however often it is tried."""
    for turn in turns:
        if turn.rows is None:
            turn.rows = _rows(turn.events)
    return [row for turn in turns for row in turn.rows or ()]


def _joined(turns: list[Turn]) -> list[Turn]:
    """Turns that nobody has tried to write yet are written as one; the others as they were tried."""
    fresh = [turn for turn in turns if turn.rows is None]
    if len(fresh) <= 1:
        return turns
    events = [event for turn in fresh for event in turn.events]
    answers = [answer for turn in fresh for answer in turn.answers]
    return [*(turn for turn in turns if turn.rows is not None), Turn(events, answers, fresh[0].since)]


def _rows(events: list[Event]) -> list[NewEvents]:
    """A mistake of ours in one must not keep the others from being written."""
    kept: dict[tuple[str, str], list[Item]] = {}
    rows = []
    for event in events:
        try:
            item = _item(event)
        except (NotAtHandError, UnavailableError):
            raise
        except Exception:
            log.exception("event %s cannot be rendered", event.id)
        else:
            kept.setdefault((event.world, event.id[:SHARED]), []).append(item)
    for (world, _), items in kept.items():
        for start in range(0, len(items), MOST_IN_ROW):
            rows += _together(world, items[start : start + MOST_IN_ROW])
    return rows


def _together(world: str, items: list[Item]) -> list[NewEvents]:
    """Events in one row; where there is a mistake in one, each in a row of its own, and that one left out."""
    try:
        return [_row(world, items)]
    except (TypeError, ValueError):
        if len(items) > 1:
            return [row for item in items for row in _together(world, [item])]
        log.exception("event %s cannot be written", items[0][0])
        return []


def _item(event: Event) -> Item:
    return event.id, event.at, event.record(), event.elsewhere() if event.other_account else None


def _row(world: str, items: list[Item]) -> NewEvents:
    """Events in one row, in which what they have in common stands once. Raises TypeError, ValueError."""
    try:
        body = marshal.dumps(items, FORMAT)
    except ValueError:  # something that is nearly plain, such as a text of a class of its own
        body = marshal.dumps(json.loads(json.dumps(items)), FORMAT)
    identifier, at, *_ = items[0]
    return NewEvents(world, identifier, at, body, len(items))


def _read(row: EventRow) -> list[TableEvent]:
    """The events of a row, each behind its copy in another account's trail, if there is one."""
    items, position = _items(row), row.position << _PLACES
    size, events = len(row.body) // len(items), []
    for place, (identifier, at, record, different) in enumerate(items):
        if different is not None:
            told = {**record, **different}
            events.append(
                TableEvent(copy_id(identifier), row.world, at, told, size, position + 2 * place, beside=len(items))
            )
        events.append(TableEvent(identifier, row.world, at, record, size, position + 2 * place + 1, beside=len(items)))
    return events


def _items(row: EventRow) -> list[Item]:
    body = json.loads(row.body) if isinstance(row.body, str) else marshal.loads(row.body)  # noqa: S302 - who could forge it has root's keys
    if isinstance(body, list) and isinstance(row.body, bytes):
        return body
    # As events were written before several stood in one row: a record, with what is different in the other trail.
    record, different = (body, None) if isinstance(body, dict) else body
    return [(row.id, row.at, record, different)]
