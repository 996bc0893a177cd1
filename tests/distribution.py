"""How tests are handed out to workers (`-n 2 --dist loadfile`): file by file, those that take longest first; and ports."""

from __future__ import annotations

import os
from typing import Any

import pytest

from sts_emulator import shared_server

# Each file of a room uses a server that takes a second or more to start, and starts once a worker.
TOGETHER = ("tests/gateway/", "tests/labs/")
# What takes long to start or to ask; who waits for it leaves room for the others.
SLOW = {"another_door", "builder", "chromium", "door", "moto", "pooler", "postgres", "school", "sdk", "serve", "state"}


def unit(nodeid: str) -> str:
    """What one worker does as a whole: a file, or a room."""
    path = nodeid.partition("::")[0]
    return next((room for room in TOGETHER if path.startswith(room)), path)


def slow_first(items: list[pytest.Item]) -> None:
    """Put units in order, so that at the end no worker is alone with a long one."""
    slow = {unit(item.nodeid) for item in items if SLOW & set(getattr(item, "fixturenames", ()))}
    items.sort(key=lambda item: unit(item.nodeid) not in slow)


def divide_ports() -> None:
    """Give this worker ports that no other takes: not even between choosing one and listening there."""
    first, end = shared_server.PORTS
    share = (end - first) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first += share * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    shared_server.PORTS = (first, first + share)


def scheduler(config: pytest.Config, log: Any) -> Any:
    """xdist's own for files, with these units, in the order in which they were collected."""
    from xdist.scheduler import LoadFileScheduling

    class ByUnit(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit(nodeid)

    config.option.loadscopereorder = False
    return ByUnit(config, log)
