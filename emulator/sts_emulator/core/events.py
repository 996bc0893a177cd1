"""What happened: every attempt, allowed or denied, kept in order, read one by one, and handed to whoever listens."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any, Protocol

from sts_emulator.core.store import UnavailableError

if TYPE_CHECKING:
    from sts_emulator.core.world import World

KEPT_IN_MEMORY = 1_000  # per world, and their copies: bounds memory whatever the load (docs/performance.md)
MOST_BYTES = 256 << 20  # of all worlds, in memory; beyond, a world's new event costs it old ones,
KEPT_AT_LEAST = 50  # but for its newest
SLICE = 50  # events that a scan looks at before others have their turn: less than five milliseconds

Listener = Callable[["Event"], None]
Send = Callable[[], object]
Refuse = Callable[[UnavailableError], object]


class Event(Protocol):
    """One attempt.

    Its record is made when somebody reads it, because most are never read. In it a decision is kept as the question
    that was asked; who tells the record to somebody has it answered then (vending.record.told).
    """

    @property
    def id(self) -> str:
        """The request id that the client was given."""

    @property
    def world(self) -> str:
        """The name of the world in which it was made."""

    @property
    def at(self) -> float:
        """When, by the world's clock."""

    @property
    def size(self) -> int:
        """About how many bytes it takes."""

    @property
    def other_account(self) -> str:
        """Whose trail has a copy of it, if there is one."""

    def record(self) -> dict[str, Any]:
        """The record as JSON-ready data."""

    def elsewhere(self) -> dict[str, Any]:
        """What is different of it in that other trail."""

    def __hash__(self) -> int:
        """Each is itself, for what is remembered of it."""


class Copy:
    """An event in the trail of the other account: made of it when somebody looks."""

    def __init__(self, event: Event) -> None:
        self.id, self.world, self.at, self.size = copy_id(event.id), event.world, event.at, event.size
        self.other_account = ""
        self.original = event

    def record(self) -> dict[str, Any]:
        """See Event."""
        return {**self.original.record(), **self.original.elsewhere()}

    def elsewhere(self) -> dict[str, Any]:
        """See Event; there is no third trail."""
        return {}


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

    def gather(self) -> None:
        """Begin a turn that ends with `settle`, and not with that of the loop."""

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
        self.gather = self._kept.gather
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


class Ring:
    """The newest events of a world. Where one has a copy, that stands before it."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()

    def get(self, identifier: str) -> Event | None:
        """The event of that id."""
        other = copy_id(identifier)
        for event in reversed(self.events):
            if event.id == identifier:
                return event
            if event.id == other and event.other_account:
                return Copy(event)
        return None

    def before(self, event: Event | None) -> Iterator[Event]:
        """What came before an event, newest first, or all; nothing, when it is not kept any more."""
        older = reversed(self.events)
        if event is not None:
            original = _original(event)
            if any(kept is original for kept in older) and event.other_account:
                yield Copy(event)
        for kept in older:
            yield kept
            if kept.other_account:
                yield Copy(kept)

    def behind(self, event: Event) -> Iterator[Event]:
        """What came after an event, oldest first; all, when it is not kept any more."""
        original = _original(event)
        newer = list(takewhile(lambda kept: kept is not original, reversed(self.events)))
        if event is not original:
            yield original
        for kept in reversed(newer):
            yield from _with_copy(kept)


def _original(event: Event) -> Event:
    return event.original if isinstance(event, Copy) else event


def _with_copy(event: Event) -> tuple[Event, ...]:
    return (Copy(event), event) if event.other_account else (event,)


class Rings:
    """The newest events of each world, in memory. A copy in another account's trail takes none: see Copy.

    What is kept is cold memory when it leaves, and costs each later call: so an event is few objects.
    """

    def __init__(self) -> None:
        self._rings: dict[str, Ring] = {}
        self._size = 0
        self._listeners: list[Listener] = []

    def append(self, event: Event, world: World | None = None) -> None:  # noqa: ARG002 - memory takes everything
        ring = self._rings.get(event.world)
        if ring is None:
            ring = self._rings[event.world] = Ring()
        events, size = ring.events, self._size + event.size
        events.append(event)
        while len(events) > KEPT_IN_MEMORY or (size > MOST_BYTES and len(events) > KEPT_AT_LEAST):
            size -= events.popleft().size
        self._size = size
        if self._listeners:
            for told in _with_copy(event):
                for listener in self._listeners:
                    listener(told)

    def get(self, world: str, identifier: str) -> Event | None:
        return self._ring(world).get(identifier)

    def newest(self, world: str, limit: int, before: Event | None = None) -> list[Event]:
        return list(islice(self._ring(world).before(before), limit))

    def page(self, world: str, after: Event, limit: int) -> list[Event]:
        return list(islice(self._ring(world).behind(after), limit))

    def position(self) -> int:
        """See Kept; here everything is told as it comes."""
        return 0

    def watch(self, listener: Listener, position: int) -> Callable[[], None]:  # noqa: ARG002 - there are no positions in memory
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def waits(self) -> bool:
        """See Kept; nothing is durable in memory."""
        return False

    def hold(self, send: Send, refuse: Refuse) -> None:  # noqa: ARG002 - memory refuses nothing
        """See Kept; nothing is durable in memory."""
        send()

    def gather(self) -> None:
        """See Kept; nothing is held."""

    def settle(self) -> None:
        """See Kept; nothing is held."""

    async def settled(self) -> None:
        """See Kept."""

    def drop(self, world: str) -> None:
        self._size -= sum(event.size for event in self._rings.pop(world, Ring()).events)

    def close(self) -> None:
        """See Kept."""

    def _ring(self, world: str) -> Ring:
        return self._rings.get(world) or Ring()
