"""Events in a state's table: written before answers leave, read by id and by page, streamed whoever wrote them.

What one turn of the event loop records is one commit, and the answers wait for it: `hold`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import marshal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sts_emulator.core import clock
from sts_emulator.core.events import Event, Listener
from sts_emulator.core.store import EventRow, NewEvent, Store, UnavailableError

KEPT_IN_STATE = 100_000  # per world
POLL = 0.1  # seconds between two looks for what other processes wrote, while somebody listens
RETRY = 0.05  # seconds until a write is tried again that another process's lock, or a full disk, prevented
LONGEST_BACKLOG = 10_000
"""Events that wait for a state that takes none; from then on calls are refused, for none may go without its event."""
LAST_CHANCE = 5.0  # seconds that a server which ends tries to write what is left
BATCH = 500

log = logging.getLogger("emulator")

FORMAT = 4  # marshal's since Python 3.4, which every later one reads


@dataclass(slots=True, eq=False)
class TableEvent(Event):
    """An event that was read from the table, and where it stands there."""

    position: int = 0


class EventTable:
    """See core.events.Kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: list[Event] = []
        self._rows: list[NewEvent] = []  # rendered, not yet written
        self._held: list[Callable[[], object]] = []  # answers that leave at the end of the turn
        self._turn_ends = False
        self._tries_again = False
        self._failing = False
        self._listeners: list[Listener] = []
        self._seen = 0

    def append(self, event: Event) -> None:
        """Keep an event.

        Raises:
            UnavailableError: the state has taken no event for long; this one could not be kept.
        """
        if self._failing and len(self._pending) + len(self._rows) >= LONGEST_BACKLOG:
            raise UnavailableError("the state takes no events")
        self._pending.append(event)
        if self._turn_ends or self._tries_again:
            return
        try:
            asyncio.get_running_loop().call_soon(self.settle)
            self._turn_ends = True
        except RuntimeError:  # no loop is running: no turn ends, and whoever records closes the log at the end
            self.flush()

    def hold(self, send: Callable[[], object]) -> None:
        """See Kept. While the state takes nothing, answers leave and events wait."""
        if self._turn_ends:
            self._held.append(send)
        else:
            send()

    def settle(self) -> None:
        """See Kept."""
        self._turn_ends = False
        try:
            if not self._tries_again and not self.flush():
                self._try_again_soon()
        finally:
            held, self._held = self._held, []
            for send in held:
                send()

    def _try_again_soon(self) -> None:
        with contextlib.suppress(RuntimeError):  # as above
            asyncio.get_running_loop().call_later(RETRY, self._try_again)
            self._tries_again = True

    def _try_again(self) -> None:
        self._tries_again = False
        if not self.flush():
            self._try_again_soon()

    def flush(self) -> bool:
        """Write what is pending. A state that is locked or full is not waited for: it is tried again soon."""
        if not self._pending and not self._rows:
            return True
        pending, self._pending = self._pending, []
        for event in pending:
            try:
                self._rows.append(NewEvent(event.world, event.id, event.at, _dumps(event.record())))
            except Exception:  # a mistake of ours must not keep the others from being written
                log.exception("event %s cannot be rendered", event.id)
        try:
            self._store.append_events(self._rows, KEPT_IN_STATE)
        except UnavailableError as reason:
            if not self._failing:
                log.warning("events cannot be written (%s): they are kept, and tried again", reason)
            self._failing = True
            return False
        if self._failing:
            log.warning("events are written again")
        self._failing = False
        self._rows = []
        if self._listeners:
            self._announce()
        return True

    def get(self, world: str, identifier: str) -> Event | None:
        self.flush()
        row = self._store.event(world, identifier)
        if row is not None:
            return _event(row)
        return next((event for event in self._unwritten(world) if event.id == identifier), None)

    def newest(self, world: str, limit: int, before: Event | None = None) -> list[Event]:
        self.flush()
        unwritten = self._unwritten(world)[::-1] if before is None else []
        position = before.position if isinstance(before, TableEvent) else None
        rows = self._store.events_before(world, position, max(0, limit - len(unwritten)))
        return [*unwritten[:limit], *map(_event, rows)]

    def page(self, world: str, after: Event, limit: int) -> list[Event]:
        if not isinstance(after, TableEvent):  # not written yet: nothing can lie behind it but what is neither
            return []
        self.flush()
        events = [_event(row) for row in self._store.events_after(world, after.position, limit)]
        return [*events, *self._unwritten(world)][:limit]

    def watch(self, listener: Listener) -> Callable[[], None]:
        """See Kept. What other processes write comes too."""
        if not self._listeners:
            self._seen = self._store.last_event()
            asyncio.get_running_loop().call_later(POLL, self._poll)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _poll(self) -> None:
        if self._listeners:
            self._announce()
            asyncio.get_running_loop().call_later(POLL, self._poll)

    def _announce(self) -> None:
        rows = self._store.events_since(self._seen, BATCH)
        for row in rows:
            self._seen = row.position
            event = _event(row)
            for listener in self._listeners:
                listener(event)

    def drop(self, world: str) -> None:
        """See Kept; the store drops what is written, together with the world."""
        self._pending = [event for event in self._pending if event.world != world]
        self._rows = [row for row in self._rows if row.world != world]

    def close(self) -> None:
        """Write what is left, and wait some seconds for that if need be."""
        end = clock.monotonic() + LAST_CHANCE
        while not self.flush() and clock.monotonic() < end:
            time.sleep(RETRY)
        if self._rows:
            log.error("%d events were not written", len(self._rows))

    def _unwritten(self, world: str) -> list[Event]:
        """What the table could not take yet, oldest first."""
        return [Event(row.id, row.world, row.at, partial(_loads, row.body)) for row in self._rows if row.world == world]


def _event(row: EventRow) -> TableEvent:
    return TableEvent(row.id, row.world, row.at, partial(_loads, row.body), row.position)


def _dumps(record: dict[str, Any]) -> str | bytes:
    """A record of plain data; a quarter of what JSON costs, and of a call's whole cost that is a tenth.

    Who could forge a state file has root's keys already: they are in it.
    """
    try:
        return marshal.dumps(record, FORMAT)
    except ValueError:  # something that is nearly plain, such as a text of a class of its own
        return json.dumps(record)


def _loads(body: str | bytes) -> dict[str, object]:
    record: dict[str, object] = json.loads(body) if isinstance(body, str) else marshal.loads(body)  # noqa: S302 - as above
    return record
