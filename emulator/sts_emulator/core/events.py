"""What happened: every attempt, allowed or denied, kept in order, read one by one, and handed to whoever listens."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from sts_emulator.core.store import UnavailableError
from sts_emulator.policy.values import dataclass

if TYPE_CHECKING:
    from sts_emulator.core.world import World

KEPT_IN_MEMORY = 1_000  # per world: bounds memory whatever the load (docs/performance.md)
MOST_BYTES = 256 << 20  # of all worlds, in memory; beyond, a world's new event costs it old ones,
KEPT_AT_LEAST = 50  # but for its newest
COPY_SIZE = 2_000  # what an event's copy in another account's trail takes
SLICE = 50  # events that a scan looks at before others have their turn: less than five milliseconds

Listener = Callable[["Event"], None]
Send = Callable[[], object]
Refuse = Callable[[UnavailableError], object]


@dataclass(slots=True, eq=False)
class Event:
    """One attempt. `id` is the request id that the client was given.

    `render` makes its record on demand, because most are never read. In it a decision is kept as the question that was
    asked; who tells the record to somebody has it answered then (vending.record.told). `size` is about what it takes.
    """

    id: str
    world: str
    at: float
    render: Callable[[], Mapping[str, Any]]
    size: int
    elsewhere: Callable[[], Mapping[str, Any]] | None = None
    """What is different of it in the trail of another account that has it, too."""

    def record(self) -> dict[str, Any]:
        """The record as JSON-ready data."""
        return dict(self.render())


def copy_id(identifier: str) -> str:
    """The id of an event's copy in another account's trail: a `b` where ids have an `a`; of a copy's the event's."""
    return f"{identifier[:19]}{'a' if identifier[19:20] == 'b' else 'b'}{identifier[20:]}"


class Kept(Protocol):
    """Where a log keeps its events: `Rings` in memory, or the table of a state (core.event_table)."""

    def append(self, event: Event, world: World | None = None) -> None:
        """Keep a new event: together with what `world`'s unit has written, if it has and what it did is allowed."""

    def get(self, world: str, identifier: str) -> Event | None:
        """The event of that id; None when it is not kept, or not any more."""

    def newest(self, world: str, limit: int, before: Event | None = None) -> list[Event]:
        """Up to `limit` events, newest first, from the last one or from what came before `before`."""

    def page(self, world: str, after: Event, limit: int) -> list[Event]:
        """Up to `limit` events behind `after`, oldest first."""

    def position(self) -> int:
        """Where the newest event stands: what comes after is new."""

    def watch(self, listener: Listener, position: int) -> Callable[[], None]:
        """Call `listener` with every event behind a position until the returned function is called."""

    def waits(self) -> bool:
        """Whether something that was recorded is not durable yet."""

    def hold(self, send: Send, refuse: Refuse) -> None:
        """Call `send` once what was recorded is durable: now, or with others when this turn of the loop has ended.

        `refuse` is called instead when it cannot be made durable; then it is not kept either.
        """

    def settle(self) -> None:
        """End this turn, and begin to make durable what was recorded in it."""

    async def settled(self) -> None:
        """Wait until what was recorded is durable. Raises UnavailableError when it cannot be made so."""

    def drop(self, world: str) -> None:
        """Forget a deleted world's events."""

    def close(self) -> None:
        """Write what is left."""


class EventLog:
    """Events of all worlds. Nothing is rendered but what is asked for."""

    def __init__(self, kept: Kept | None = None) -> None:
        self._kept: Kept = Rings() if kept is None else kept
        self.record = self._kept.append
        self.get = self._kept.get
        self.newest = self._kept.newest
        self.page = self._kept.page
        self.position = self._kept.position
        self.listen = self._kept.watch
        self.waits = self._kept.waits
        self.hold = self._kept.hold
        self.settle = self._kept.settle
        self.settled = self._kept.settled
        self.drop = self._kept.drop
        self.close = self._kept.close

    def last(self, world: str) -> Event | None:
        """The newest event of a world."""
        return next(iter(self._kept.newest(world, 1)), None)

    async def scan(self, world: str, before: Event | None = None) -> AsyncIterator[Event]:
        """All events of a world, newest first, from what came before `before`; others have their turn in between."""
        from asyncio import sleep  # 20 ms that commands without a server have no use for

        events = self._kept.newest(world, SLICE, before)
        while events:
            for event in events:
                yield event
            await sleep(0)
            events = self._kept.newest(world, SLICE, events[-1])

    async def behind(self, world: str, after: Event, limit: int) -> AsyncIterator[Event]:
        """Up to `limit` events of a world behind `after`, oldest first; others have their turn in between."""
        from asyncio import sleep

        while limit > 0 and (events := self._kept.page(world, after, min(SLICE, limit))):
            for event in events:
                yield event
            await sleep(0)
            after, limit = events[-1], limit - len(events)


class Rings:
    """The newest events of each world, in memory."""

    def __init__(self) -> None:
        self._rings: dict[str, deque[Event]] = {}
        self._size = 0
        self._listeners: list[Listener] = []

    def append(self, event: Event, world: World | None = None) -> None:  # noqa: ARG002 - memory takes everything
        if event.elsewhere is not None:
            copied = partial(_copied, event, event.elsewhere)
            self._append(Event(copy_id(event.id), event.world, event.at, copied, COPY_SIZE))
        self._append(event)

    def _append(self, event: Event) -> None:
        ring = self._rings.get(event.world)
        if ring is None:
            ring = self._rings[event.world] = deque()
        ring.append(event)
        self._size += event.size
        while len(ring) > KEPT_IN_MEMORY or (self._size > MOST_BYTES and len(ring) > KEPT_AT_LEAST):
            self._size -= ring.popleft().size
        for listener in self._listeners:
            listener(event)

    def get(self, world: str, identifier: str) -> Event | None:
        return next((event for event in reversed(self._ring(world)) if event.id == identifier), None)

    def newest(self, world: str, limit: int, before: Event | None = None) -> list[Event]:
        ring = self._ring(world)
        skipped = 0 if before is None else self._behind(ring, before) + 1
        return list(islice(reversed(ring), skipped, skipped + limit))

    def page(self, world: str, after: Event, limit: int) -> list[Event]:
        ring = self._ring(world)
        start = len(ring) - self._behind(ring, after)
        return list(islice(ring, start, start + limit))

    def position(self) -> int:
        """See Kept; here everything is told as it comes."""
        return 0

    def watch(self, listener: Listener, position: int) -> Callable[[], None]:  # noqa: ARG002 - there are no positions in memory
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def waits(self) -> bool:
        """See Kept; nothing is durable in memory."""
        return False

    def hold(self, send: Send, refuse: Refuse) -> None:  # noqa: ARG002 - likewise
        """See Kept; nothing is durable in memory."""
        send()

    def settle(self) -> None:
        """See Kept; nothing is held."""

    async def settled(self) -> None:
        """See Kept."""

    def drop(self, world: str) -> None:
        self._size -= sum(event.size for event in self._rings.pop(world, ()))

    def close(self) -> None:
        """See Kept."""

    def _ring(self, world: str) -> deque[Event]:
        return self._rings.get(world) or deque()

    @staticmethod
    def _behind(ring: deque[Event], event: Event) -> int:
        """How many came after the event; all, when the ring has lost it."""
        return next((count for count, kept in enumerate(reversed(ring)) if kept is event), len(ring))


def _copied(event: Event, elsewhere: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    return {**event.render(), **elsewhere()}
