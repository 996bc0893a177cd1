"""Learning what other processes wrote: one look at a shared state serves all requests that wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from sts_emulator.core import clock
from sts_emulator.core.events import EventLog
from sts_emulator.core.health import Health
from sts_emulator.core.store import Elsewhere, Store, UnavailableError

Go = Callable[[UnavailableError | None], object]


class Looks(Protocol):
    """A request goes on after a look that began when it was there, so that it sees all that was answered before."""

    def age(self) -> float:
        """Seconds since the last look began; zero before the first."""

    def then(self, go: Go) -> None:
        """Call `go` after a look: with None, or with why there could be none."""

    async def wait(self) -> None:
        """Wait for a look. Raises UnavailableError."""


class LooksNearby:
    """At what is embedded: all that has come in a turn of the loop goes on together, and its events are one commit."""

    def __init__(self, store: Store, events: EventLog) -> None:
        self._store = store
        self._events = events
        self._waiting: list[Go] = []

    def age(self) -> float:
        """See Looks; nothing is old."""
        return 0.0

    def then(self, go: Go) -> None:
        """See Looks."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._look)
        self._waiting.append(go)

    async def wait(self) -> None:
        """See Looks; whoever asks the store itself finds what is there now."""

    def _look(self) -> None:
        served, self._waiting = self._waiting, []
        self._store.look()
        _go_on(self._events, served, None)


class LooksElsewhere:
    """At a database: `fresh` is for how many seconds a look is good enough for those who come later."""

    def __init__(self, store: Elsewhere, events: EventLog, health: Health, fresh: float = 0.0) -> None:
        self._store = store
        self._events = events
        self._health = health
        self._fresh = fresh
        self._waiting: list[Go] = []
        self._is_looking = False
        self._last = float("-inf")

    def age(self) -> float:
        """See Looks."""
        return max(clock.monotonic() - self._last, 0.0) if self._last > 0 else 0.0

    def then(self, go: Go) -> None:
        """See Looks."""
        if self._fresh and clock.monotonic() - self._last < self._fresh:
            go(None)
            return
        self._waiting.append(go)
        if not self._is_looking:
            self._look()

    async def wait(self) -> None:
        """See Looks."""
        looked: asyncio.Future[UnavailableError | None] = asyncio.get_running_loop().create_future()
        self.then(lambda error: None if looked.done() else looked.set_result(error))
        error = await looked
        if error is not None:
            raise error

    def _look(self) -> None:
        self._is_looking = True
        served, self._waiting = self._waiting, []
        self._store.look_soon(partial(self._looked, served, clock.monotonic()))

    def _looked(self, served: list[Go], began: float, error: UnavailableError | None) -> None:
        if error is None:
            self._last = began
        else:
            self._health.failed(error)
        # Once these are served, and no sooner: who has come meanwhile shares the next look, which costs time itself.
        asyncio.get_running_loop().call_soon(self._look_again)
        _go_on(self._events, served, error)

    def _look_again(self) -> None:
        self._is_looking = False
        if self._waiting:
            self._look()


def _go_on(events: EventLog, served: list[Go], error: UnavailableError | None) -> None:
    """Have all go on who waited for a look; what they record is one commit."""
    rest = iter(served)
    events.gather()
    try:
        for go in rest:
            go(error)
    except BaseException:  # a mistake of ours with one must not keep the others waiting
        asyncio.get_running_loop().call_soon(_go_on, events, list(rest), error)
        raise
    finally:
        events.settle()
