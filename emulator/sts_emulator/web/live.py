"""The timeline's live part: new attempts are rendered once, a few times a second at most, for all who look at a world.

So that an open page costs nearly nothing: what comes faster than it could be read is counted, not shown.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from sts_emulator.core import clock
from sts_emulator.core.events import Event, EventLog
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Server
from sts_emulator.web.attempts import attempt
from sts_emulator.web.frame import HOME
from sts_emulator.wire.http import Response

SOON: Final = 0.02
"""Seconds until an attempt is told when nothing was told lately."""
LOST: Final = b"event: passed\ndata: some\n\n"
PERIOD: Final = 0.5
"""Seconds between two tellings at least."""
TIMES: Final = 60
"""A telling is not followed by the next before it is this many times as long ago as sending it to all has taken.

Where other processes take the machine, time passes in which this one computes nothing: of a world that is busy it
has to have computed for as long itself.
"""
LATEST: Final = 5.0
"""Seconds after which a busy world's attempts are told at any rate."""
SHOWN: Final = 20
"""Attempts of a telling; of others only their number is told."""
KEPT: Final = 16
"""Tellings that a slow reader may be behind."""
QUIET: Final = 15.0
"""Seconds after which a line is sent that says nothing, so that nobody on the way closes the connection."""
CAUGHT_UP: Final = 100
"""Attempts that are sent to somebody who comes back."""


@dataclass(frozen=True, slots=True)
class Telling:
    """What is sent to everybody, and its number."""

    number: int
    text: bytes


class Feed:
    """The tellings of one world, for as long as somebody listens."""

    def __init__(self, events: EventLog, world: str, root: str, ended: Callable[[], object]) -> None:
        self._events = events
        self._ended = ended
        self._world = world
        self._root = root
        self._new: deque[Event] = deque(maxlen=SHOWN)
        self._number_of_new = 0
        self._tellings: deque[Telling] = deque(maxlen=KEPT)
        self._number = 0
        self._next = asyncio.Event()
        self._cost = 0.0  # seconds that the last telling has taken, all its readers together
        self._timer: asyncio.TimerHandle | None = None
        self._told_at = self._told_when_busy = float("-inf")
        self._readers = 0
        self._keepalive: asyncio.TimerHandle | None = None
        self._stop: Callable[[], None] | None = None

    async def read(self, position: int, missed_before: bytes) -> AsyncGenerator[bytes, None]:
        """What was missed, and everything from a position on."""
        self._begin(position)
        try:
            number = self._number
            yield missed_before or b": listening\n\n"
            while True:
                missed = [known for known in self._tellings if known.number > number]
                if missed and missed[0].number > number + 1:
                    yield LOST
                for telling in missed:
                    number, begun = telling.number, clock.busy()
                    yield telling.text
                    self._cost += clock.busy() - begun
                if number == self._number:
                    await self._next.wait()
        finally:
            self._end()

    def _begin(self, position: int) -> None:
        self._loop = asyncio.get_running_loop()  # the reader's, which is not the one that made this: core.threads
        self._readers += 1
        if self._stop is None:
            self._stop = self._events.listen(self._note, position)
            self._quiet()

    def _end(self) -> None:
        self._readers -= 1
        if not self._readers and self._stop is not None:
            self._stop()
            self._stop = None
            if self._keepalive is not None:
                self._keepalive.cancel()
            self._ended()

    def missed(self, last: str) -> bytes:
        """What came behind the event of that id."""
        event = self._events.get(self._world, last) if last else None
        return b"" if event is None else self._text(self._events.page(self._world, event, CAUGHT_UP)[::-1], 0)

    def _note(self, event: Event) -> None:
        """A new event: nothing but noted, as calls wait for this."""
        if event.world != self._world:
            return
        self._new.append(event)
        self._number_of_new += 1
        if self._timer is None:
            pause = max(PERIOD, TIMES * self._cost)
            self._timer = self._loop.call_at(max(self._loop.time() + SOON, self._told_at + pause), self._tell)

    def _is_early(self) -> bool:
        """Whether more has come than is shown, and to tell of it would be dear for how little was computed since."""
        computed, waited = clock.busy() - self._told_when_busy, self._loop.time() - self._told_at
        return self._number_of_new > SHOWN and computed < TIMES * self._cost and waited < LATEST

    def _tell(self) -> None:
        if self._is_early():
            self._timer = self._loop.call_later(PERIOD, self._tell)
            return
        self._timer = None
        self._told_at, begun = self._loop.time(), clock.busy()
        self._told_when_busy = begun
        events, passed_over = list(self._new)[::-1], self._number_of_new - len(self._new)
        self._new.clear()
        self._number_of_new = 0
        self._send(self._text(events, passed_over))
        self._cost = clock.busy() - begun

    def _send(self, text: bytes) -> None:
        """Wake all readers."""
        self._number += 1
        self._tellings.append(Telling(self._number, text))
        self._next.set()
        self._next = asyncio.Event()

    def _quiet(self) -> None:
        if self._loop.time() - self._told_at >= QUIET:
            self._send(b": quiet\n\n")
        self._keepalive = self._loop.call_later(QUIET, self._quiet)

    def _text(self, events: list[Event], passed_over: int) -> bytes:
        if not events:
            return b""
        rows = [known for known in map(attempt, events) if not known.is_copy]
        html = render.fragment("web/rows.html", attempts=rows, home=f"{self._root}{HOME}")
        lines = "".join(f"data: {line}\n" for line in html.splitlines() if line.strip())
        passed = f"event: passed\ndata: {passed_over}\n\n" if passed_over else ""
        return f"id: {events[0].id}\nevent: attempts\n{lines}\n{passed}".encode("utf-8", "replace")


_FEEDS: Final[WeakKeyDictionary[EventLog, dict[tuple[str, str], Feed]]] = WeakKeyDictionary()


@page("GET", "/_emulator/live", own=True)
def live(visit: Visit) -> Response:
    """New attempts as server-sent events."""
    feed = _feed(visit.server, visit.world.name, visit.root)
    position = visit.server.events.position()
    missed = feed.missed(visit.request.headers.get("last-event-id", "")[:64])
    return render.stream("text/event-stream", feed.read(position, missed))


def _feed(server: Server, world: str, root: str) -> Feed:
    feeds = _FEEDS.setdefault(server.events, {})
    place = world, root
    return feeds.setdefault(place, Feed(server.events, world, root, partial(feeds.pop, place, None)))
