"""What happened: every attempt, allowed or denied, kept in order and streamed to whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sts_emulator.core.store import Store

KEPT_IN_MEMORY = 1_000  # per world: bounds memory whatever the load (docs/performance.md)
KEPT_IN_STATE = 100_000  # per world, in a state file
FLUSH_EVERY = 100
FLUSH_AFTER = 0.2  # seconds

Listener = Callable[["Event"], None]


@dataclass(slots=True)
class Event:
    """One attempt. `render` makes its CloudTrail-shaped record, on demand, because most are never read."""

    id: str
    world: str
    at: float
    render: Callable[[], Mapping[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The record as JSON-ready data; `eventID` and the world's name included."""
        return {**self.render(), "eventID": self.id, "world": self.world}


class EventLog:
    """Events of all worlds: rings in memory, or the state file's table when there is one."""

    def __init__(self, store: Store, *, persistent: bool = False) -> None:
        self._store = store
        self._persistent = persistent
        self._rings: dict[str, deque[Event]] = {}
        self._pending: list[Event] = []
        self._listeners: list[Listener] = []

    def record(self, event: Event) -> None:
        """Keep an event and hand it to the listeners."""
        if self._persistent:
            self._pending.append(event)
            if len(self._pending) >= FLUSH_EVERY:
                self.flush()
            elif len(self._pending) == 1:
                self._flush_soon()
        else:
            ring = self._rings.get(event.world)
            if ring is None:
                ring = self._rings[event.world] = deque(maxlen=KEPT_IN_MEMORY)
            ring.append(event)
        for listener in self._listeners:
            listener(event)

    def _flush_soon(self) -> None:
        """Other processes on the same file, and a crash, shall not wait for a full batch."""
        with contextlib.suppress(RuntimeError):  # no loop is running: whoever records then flushes at the end
            asyncio.get_running_loop().call_later(FLUSH_AFTER, self.flush)

    def flush(self) -> None:
        """Write what is pending to the state file."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        known = set(self._store.worlds())
        rows = [(e.world, e.id, e.at, json.dumps(e.to_json())) for e in pending if e.world in known]
        self._store.append_events(rows, KEPT_IN_STATE)

    def read(self, world: str) -> list[dict[str, Any]]:
        """A world's events, oldest first."""
        if self._persistent:
            self.flush()
            return [json.loads(body) for body in self._store.read_events(world)]
        return [event.to_json() for event in self._rings.get(world, ())]

    def drop(self, world: str) -> None:
        """Forget a deleted world's events."""
        self._rings.pop(world, None)
        self._pending = [event for event in self._pending if event.world != world]

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every new event until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
