"""`python measured.py FILE MODULE CLASS SCRIPT …`: a server that notes how much CPU time a few of its calls take in a row.

Nothing outside a process tells its CPU time finer than by the kernel's ticks of some milliseconds. So a server under
this notes its own, as calls come in: what it did between that of one and that of the `CALLS`-th after it, which is what the
last of so many waits for, whatever it was: other calls, the collector, what is done at times. Neither what other programs
and the host of a virtual machine take counts, nor any waiting. `Measure` is the reader's side of it.
"""

from __future__ import annotations

import importlib
import mmap
import runpy
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

CALLS = 8
BEGUN, MOST = range(2)  # places of numbers in the file


class Measure:
    """What a server notes in a file."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(8 * (MOST + 1)))
        self._numbers = numbers(path)

    def begin(self) -> None:
        """Forget what was before."""
        self._numbers[MOST] = 0
        self._numbers[BEGUN] += 1

    def most_ms(self) -> float:
        """The most CPU time in milliseconds that some calls in a row took since then."""
        return self._numbers[MOST] / 1e6


def numbers(path: Path) -> memoryview:
    """Those in a file, which all who look share."""
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("q")


def watch(connection: Any, shared: memoryview) -> None:
    """Have each call that connections of that class read noted."""
    read, came, begun = connection.data_received, deque[int](maxlen=CALLS + 1), 0

    def data_received(self: Any, data: bytes) -> None:
        nonlocal begun
        if shared[BEGUN] != begun:
            begun = shared[BEGUN]
            came.clear()
        came.append(time.thread_time_ns())
        shared[MOST] = max(shared[MOST], came[-1] - came[0])
        read(self, data)

    connection.data_received = data_received


if __name__ == "__main__":
    _, file, module, name, *sys.argv = sys.argv
    watch(getattr(importlib.import_module(module), name), numbers(Path(file)))
    runpy.run_path(sys.argv[0], run_name="__main__")
