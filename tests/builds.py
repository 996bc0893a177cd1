"""What is built for tests in other languages: by one worker of a run at a time, since they share folders and caches."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT = 3_600  # seconds; the SDK for Rust takes minutes on two idle cores
PLACE = Path(__file__).parents[1] / "build"


@contextmanager
def alone() -> Iterator[None]:
    """Maven's folder of what it has downloaded, for one, is not made for two at once."""
    PLACE.mkdir(exist_ok=True)
    with (PLACE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
