"""Servers in the background: a log and a locked file each, by which they are found again and ended.

The server inherits the lock and holds it as long as it lives, so that no process which was given the same number later
is taken for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sts_emulator.cli.errors import CommandError
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.settings import state_folder

END_LIMIT = 30.0  # seconds that a server has to end
PAUSE = 0.05
_PRIVATE = 0o600  # the log holds root credentials


@dataclass(frozen=True)
class Background:
    """The server in the background at one port, if there is one."""

    port: int

    @property
    def log(self) -> Path:
        """What it has printed."""
        return state_folder() / f"{self.port}.log"

    @property
    def _lock(self) -> Path:
        return state_folder() / f"{self.port}.json"

    def pid(self) -> int | None:
        """Its process, or None where none lives."""
        with suppress(OSError, ValueError, KeyError), self._lock.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(json.load(file)["pid"])
        return None

    def start(self, flags: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start it. Raises CommandError where one lives already."""
        self._lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._lock, "a+", opener=_private) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError(f"one is being started on port {self.port} at this moment") from None
            with open(self.log, "w", opener=_private) as log:
                process = subprocess.Popen(  # noqa: S603 - this program itself
                    [sys.executable, "-m", "sts_emulator", "serve", *flags],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(file.fileno(),),
                )
            file.truncate(0)
            file.write(json.dumps({"pid": process.pid}))
            return process

    def end(self) -> None:
        """End it, and wait until it is gone. Raises CommandError."""
        pid = self.pid()
        if pid is None:
            raise CommandError(f"nothing in the background on port {self.port}; only what `start` started is ended")
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        until = time.monotonic() + END_LIMIT
        while self.pid() is not None:
            if time.monotonic() > until:
                raise CommandError(f"process {pid} does not end; `kill -9 {pid}` makes it")
            time.sleep(PAUSE)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, _PRIVATE)
