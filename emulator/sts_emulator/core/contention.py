"""Waiting for a state that another process has locked."""

from __future__ import annotations

import asyncio
import inspect
from typing import Final

from sts_emulator.core import clock
from sts_emulator.core.store import UnavailableError
from sts_emulator.core.threads import Value, Work

LONGEST_WAIT: Final = 3.0  # seconds that a call waits for such a state


async def when_free(work: Work[Value]) -> Value:
    """What `work` returns, or what comes of awaiting it, tried again until the state takes a write.

    Others have their turn meanwhile. Raises UnavailableError when it takes too long.
    """
    end, pause = clock.monotonic() + LONGEST_WAIT, 0.005
    while True:
        try:
            made = work()
            return await made if inspect.isawaitable(made) else made
        except UnavailableError:
            if clock.monotonic() > end:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, 0.05)
