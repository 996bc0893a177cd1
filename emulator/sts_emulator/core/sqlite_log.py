"""The log of an SQLite file: what was committed is brought into the file beside the loop, which waits for no disk.

SQLite's own checkpoints come in the middle of whichever commit made the log long enough, and wait for the disk there.
Source: https://www.sqlite.org/wal.html, "Checkpointing" and "Avoiding Excessively Large WAL Files".
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading

from sts_emulator.core import sqlite_file

ROWS = 4_000  # that one process writes until it looks after the log
LONGEST = 65_536  # pages of the log: then it begins again at its start, for which writers wait
TRIES = 100  # to do that while nobody writes
PAUSE = 0.005  # seconds


class Log:
    """Counts what this process writes, and looks after the log."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._rows = 0
        self._tending: threading.Thread | None = None
        self._ends = threading.Event()

    def wrote(self, rows: int) -> None:
        """So many rows were committed."""
        self._rows += rows
        if self._rows >= ROWS and (self._tending is None or not self._tending.is_alive()):
            self._rows = 0
            self._tending = threading.Thread(target=self._tend, name="log")
            self._tending.start()

    def _tend(self) -> None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite_file.connect(self._path)) as db:
            _, pages, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if pages < LONGEST:
                return  # it begins again by itself once all is copied; what came meanwhile is copied next time
            for _ in range(TRIES):
                (is_busy, *_) = db.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                if not is_busy or self._ends.wait(PAUSE):
                    break
            # Whoever writes first to the new log waits for the disk.
            db.execute(f"PRAGMA user_version = {sqlite_file.VERSION}")

    def close(self) -> None:
        """Wait until it is done."""
        self._ends.set()
        if self._tending is not None:
            self._tending.join()
