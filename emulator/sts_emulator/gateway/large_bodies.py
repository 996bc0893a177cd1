"""What a large body costs is paid beside the loop, so that nobody else waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sts_emulator.core.beside import beside

_LARGE: Final = 8_192
"""Bytes of a body that hundreds of keys fit into: each is read, mapped and signed for."""

Result = TypeVar("Result")


def is_large(body: bytes) -> bool:
    """Whether it is worth a thread's while."""
    return len(body) > _LARGE


async def worked(body: bytes, work: Callable[[], Result]) -> Result:
    """What `work` on a body returns; it must read no world, and write nothing that others know."""
    return await beside(work) if is_large(body) else work()
