"""Learning what other replicas wrote: one look at a database elsewhere serves all requests that wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from sts_emulator.core import clock
from sts_emulator.core.health import Health
from sts_emulator.core.store import Store, UnavailableError

Go = Callable[[UnavailableError | None], object]


class Looks:
    """A request goes on after a look that began when it was there, so that it sees all that was answered before.

    `fresh` is for how many seconds a look is good enough for those who come later.
    """

    def __init__(self, store: Store, health: Health, fresh: float = 0.0) -> None:
        self._store = store
        self._health = health
        self._fresh = fresh
        self._threads = ThreadPoolExecutor(1, "look")
        self._waiting: list[Go] = []
        self._is_looking = False
        self._last = float("-inf")

    def age(self) -> float:
        """Seconds since the last look began; zero before the first."""
        return max(clock.monotonic() - self._last, 0.0) if self._last > 0 else 0.0

    def then(self, go: Go) -> None:
        """Call `go` after a look: with None, or with why there could be none."""
        if self._fresh and clock.monotonic() - self._last < self._fresh:
            go(None)
            return
        self._waiting.append(go)
        if not self._is_looking:
            self._look()

    async def wait(self) -> None:
        """Wait for a look. Raises UnavailableError."""
        looked: asyncio.Future[UnavailableError | None] = asyncio.get_running_loop().create_future()
        self.then(lambda error: None if looked.done() else looked.set_result(error))
        error = await looked
        if error is not None:
            raise error

    def _look(self) -> None:
        self._is_looking = True
        served, self._waiting = self._waiting, []
        began = clock.monotonic()
        asyncio.get_running_loop().run_in_executor(self._threads, self._store.look).add_done_callback(
            partial(self._looked, served, began)
        )

    def _looked(self, served: list[Go], began: float, done: asyncio.Future[None]) -> None:
        reason = done.exception()
        error = None
        if reason is None:
            self._last = began
        else:
            error = reason if isinstance(reason, UnavailableError) else UnavailableError(str(reason))
            self._health.failed(error)
        # Once these are served, and no sooner: who has come meanwhile shares the next look, which costs time itself.
        asyncio.get_running_loop().call_soon(self._look_again)
        for go in served:
            go(error)

    def _look_again(self) -> None:
        self._is_looking = False
        if self._waiting:
            self._look()
