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
from dataclasses import field
from functools import partial
from itertools import islice
from typing import Any

from sts_emulator.core import clock
from sts_emulator.core.events import Event, Listener, Refuse, Send, copy_id
from sts_emulator.core.health import Health
from sts_emulator.core.store import EventRow, NewEvent, Store, UnavailableError
from sts_emulator.core.threads import afterwards
from sts_emulator.core.world import World
from sts_emulator.policy.values import dataclass

KEPT_IN_STATE = 100_000  # per world
POLL = 0.1  # seconds between two looks for what other processes wrote, while somebody listens
SOON, RETRY = 0.001, 0.05  # seconds until a write is tried again: another process holds the lock, or the disk is full
LONGEST_WAIT = 3.0  # seconds that answers wait for a state that takes none; then their calls are refused
SLOW = (
    0.05  # seconds that a commit may take before the next one does not wait for it; until then they had better be few
)
WRITERS = 4  # commits at the same time, where they are round trips
BATCH = 500

log = logging.getLogger("emulator")

FORMAT = 4  # marshal's since Python 3.4, which every later one reads


@dataclass(slots=True, eq=False)
class TableEvent:
    """An event that was read from the table; its position is twice that of its row, and one more behind its copy."""

    id: str
    world: str
    at: float
    body: dict[str, Any]
    size: int
    position: int = 0
    other_account: str = ""

    def record(self) -> dict[str, Any]:
        """See Event."""
        return dict(self.body)

    def elsewhere(self) -> dict[str, Any]:
        """See Event; a copy in another trail is an event of its own here."""
        return {}


@dataclass(slots=True)
class Turn:
    """What was recorded in one turn of the loop, and the answers that wait for it."""

    events: list[Event]
    answers: list[tuple[Send, Refuse]]
    since: float = field(default_factory=clock.monotonic)


class EventTable:
    """See core.events.Kept."""

    def __init__(self, store: Store, health: Health | None = None) -> None:
        self._store = store
        self._health = Health() if health is None else health
        self._pending: list[Event] = []
        self._held: list[tuple[Send, Refuse]] = []
        self._turn_ends = False
        self._turns: list[Turn] = []  # oldest first
        self._writing = 0
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
        if world is not None and world.attach(partial(_row, event), KEPT_IN_STATE):
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
        if self._pending or self._held:
            self._turns.append(Turn(self._pending, self._held))
            self._pending, self._held = [], []
            self._write()

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
        if not self._turns or self._writing >= (WRITERS if is_slow else 1):
            return
        turns, self._turns = self._turns, []
        self._writing += 1
        self._began = now
        if self._threads is None:
            self._wrote(turns, self._try(turns))
        else:
            asyncio.get_running_loop().run_in_executor(self._threads, self._try, turns).add_done_callback(
                lambda done: self._wrote(turns, done.result())
            )

    def _try(self, turns: list[Turn]) -> UnavailableError | None:
        try:
            self._store.append_events(_rows([event for turn in turns for event in turn.events]), KEPT_IN_STATE)
        except UnavailableError as error:
            return error
        return None

    def _wrote(self, turns: list[Turn], error: UnavailableError | None) -> None:
        self._writing -= 1
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

    def get(self, world: str, identifier: str) -> Event | None:
        row = self._store.event(world, identifier) or self._store.event(world, copy_id(identifier))
        return None if row is None else next((event for event in _read(row) if event.id == identifier), None)

    def newest(self, world: str, limit: int, before: Event | None = None) -> list[Event]:
        if not isinstance(before, TableEvent):
            rows, end = self._store.events_before(world, None, limit), None
        else:
            end = before.position
            rows = self._store.events_before(world, (end + 1) // 2, limit)
        events = (event for row in rows for event in reversed(_read(row)))
        return list(islice((event for event in events if end is None or event.position < end), limit))

    def page(self, world: str, after: Event, limit: int) -> list[Event]:
        assert isinstance(after, TableEvent), "whoever has an event has it from here"
        rows = self._store.events_after(world, (after.position - 1) // 2, limit + 1)  # its own may be among them
        events = (event for row in rows for event in _read(row))
        return list(islice((event for event in events if event.position > after.position), limit))

    def position(self) -> int:
        return 2 * self._store.last_event() + 1

    def watch(self, listener: Listener, position: int) -> Callable[[], None]:
        """See Kept. What other processes write comes too."""
        if not self._listeners:
            self._seen = position // 2
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
        """Write what is left."""
        self.settle()
        if self._threads is not None:
            self._threads.shutdown(wait=True)


def _tell(written: asyncio.Future[UnavailableError | None], error: UnavailableError | None) -> None:
    if not written.done():
        written.set_result(error)


def _rows(events: list[Event]) -> list[NewEvent]:
    """A mistake of ours in one must not keep the others from being written."""
    rows = []
    for event in events:
        try:
            rows.append(_row(event))
        except Exception:
            log.exception("event %s cannot be rendered", event.id)
    return rows


def _row(event: Event) -> NewEvent:
    record = event.record()
    body = (record, event.elsewhere()) if event.other_account else record
    return NewEvent(event.world, event.id, event.at, _dumps(body))


def _read(row: EventRow) -> list[TableEvent]:
    """The event of a row, behind its copy in another account's trail, if there is one: that shares most with it."""
    body, position = _loads(row.body), 2 * row.position
    if isinstance(body, dict):
        return [TableEvent(row.id, row.world, row.at, body, len(row.body), position)]
    record, different = body
    return [
        TableEvent(copy_id(row.id), row.world, row.at, {**record, **different}, len(row.body), position),
        TableEvent(row.id, row.world, row.at, record, len(row.body), position + 1),
    ]


def _dumps(body: Any) -> str | bytes:
    """What is written of an event, plain data; a quarter of what JSON costs.

    Who could forge a state file has root's keys already: they are in it.
    """
    try:
        return marshal.dumps(body, FORMAT)
    except ValueError:  # something that is nearly plain, such as a text of a class of its own
        return json.dumps(body)


def _loads(body: str | bytes) -> Any:
    return json.loads(body) if isinstance(body, str) else marshal.loads(body)  # noqa: S302 - who could forge it has root's keys
