"""Long work that shares nothing with others: done beside the loop, one piece at a time, so that nobody else waits."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Result = TypeVar("Result")

TURN = 0.001
"""Seconds that Python lets the work go on when the loop has something to do; Python's own five are a long wait for a
request that has several turns."""


async def beside(work: Callable[[], Result]) -> Result:
    """What `work` returns; it must read no world, and write nothing that others know."""
    from asyncio import get_running_loop

    return await get_running_loop().run_in_executor(_worker(), work)


@cache
def _worker() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor

    sys.setswitchinterval(TURN)
    return ThreadPoolExecutor(1, "beside")
