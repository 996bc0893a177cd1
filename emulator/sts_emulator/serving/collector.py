"""When Python's collector walks over objects, to find those that only hold one another, while nobody is answered.

Calls leave no such objects: what is alive after some of them are events, which others push out. Walks over those are
long, since they are cold memory, and stopped a server with sixty busy worlds for a quarter of a second
(docs/performance.md, "The collector"). So every few calls what is alive is put aside, where no walk comes; everything
is walked over once there is much more of it, and nobody calls.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from typing import Final

THRESHOLDS: Final = (3_000, 10, 1_000)
"""For what is not put aside: by how many objects those alive become more until the new ones are walked over, which
takes a third of a millisecond; after how many such walks what they left is; and after how many of those everything."""

CALLS: Final = 50
"""After so many, what is alive is put aside. An AssumeRole leaves some 25 objects."""

DUE: Final = 400_000
"""Blocks of memory more, and a quarter more, than the last walk over everything left: then there is one once nobody
calls. An AssumeRole's event takes some 40."""

OVERDUE: Final = 4_000_000
"""Then there is one even if somebody calls: that is some 300 MB, more than all events may take."""

EVERY: Final = 1.0  # seconds between two looks
STILL: Final = 0.1  # seconds without a call: nobody calls


class Collector:
    """Python's collector in a process that serves. What is loaded before is put aside, too."""

    def __init__(self) -> None:
        self.calls = 0
        self._left = sys.getallocatedblocks()
        gc.freeze()
        gc.enable()
        gc.set_threshold(*THRESHOLDS)

    def count_call(self) -> None:
        """A call was answered."""
        calls = self.calls = self.calls + 1
        if not calls % CALLS:
            gc.freeze()  # puts aside all that is alive, whatever that is, in no time

    def more(self) -> int:
        """Blocks of memory in use beyond those that the last walk over everything left."""
        return sys.getallocatedblocks() - self._left

    def collect(self) -> None:
        """Walk over everything, and put aside what that leaves: a tenth of a second for a million objects."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._left = sys.getallocatedblocks()

    async def watch(self) -> None:
        """Have everything walked over when that is due, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            if (more := self.more()) < max(DUE, self._left // 4):
                continue
            before = self.calls
            await asyncio.sleep(STILL)
            if self.calls == before or more >= OVERDUE:
                self.collect()
