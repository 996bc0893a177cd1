"""The embedded backend: SQLite through the standard library, in memory or in a file that processes may share."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from sts_emulator.core import clock, sqlite_file
from sts_emulator.core.sqlite_log import Log
from sts_emulator.core.store import (
    SHARED,
    AlreadyExistsError,
    Change,
    Document,
    EventRow,
    NewEvents,
    NotFoundError,
    Place,
    UnavailableError,
)

Row = tuple[str, str, str, str]
"""A document as it is kept: its kind, key, unique id and text."""

MEMORY = ":memory:"
PATIENCE = 30.0  # seconds
NO_MORE_WAITING = 0.3  # seconds that nobody waits for a lock after somebody has waited in vain
LOOKED_AT_EVERY = 200  # events of a world, until it is seen whether it has too many
MOST_GONE = 1_000  # rows of them that go at once
_LAST_CHARACTER = "\U0010ffff"
_APPEND = "INSERT INTO events (world, id, at, body, count, number) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_NUMBER = """
SELECT COALESCE((SELECT number FROM events WHERE world = name ORDER BY position DESC LIMIT 1), 0)
FROM worlds WHERE name = ?
"""
_MAKE_ROOM = """
DELETE FROM events WHERE position IN (SELECT position FROM
    (SELECT position, number FROM events WHERE world = ? ORDER BY position LIMIT ?) WHERE number <= ?)
"""
_INSERT = "INSERT INTO documents (world, kind, key, uid, body) VALUES (?, ?, ?, ?, ?)"
_NOBODY_WAITS = contextlib.nullcontext()
_EVENT_COLUMNS = "SELECT position, world, id, at, body, count FROM events"


class _Reading:
    """The reading half of both the store and its transactions; see core.store.Reads."""

    _db: sqlite3.Connection

    def revision(self, world: str) -> int | None:
        row = self._row("SELECT revision FROM worlds WHERE name = ?", (world,))
        return None if row is None else row[0]

    def get(self, world: str, kind: str, key: str) -> Document | None:
        row = self._row("SELECT body FROM documents WHERE world = ? AND kind = ? AND key = ?", (world, kind, key))
        return json.loads(row[0]) if row else None

    def find(self, world: str, kind: str, uid: str) -> tuple[str, Document] | None:
        row = self._row(
            "SELECT key, body FROM documents WHERE world = ? AND uid = ? AND kind = ? AND uid <> ''", (world, uid, kind)
        )
        return (row[0], json.loads(row[1])) if row else None

    def page(self, world: str, kind: str, prefix: str, after: str, limit: int) -> list[tuple[str, Document]]:
        rows = self._rows(
            "SELECT key, body FROM documents WHERE world = ? AND kind = ? AND key > ? AND key >= ? AND key < ? "
            "ORDER BY key LIMIT ?",
            (world, kind, after, prefix, prefix + _LAST_CHARACTER, limit),
        )
        return [(key, json.loads(body)) for key, body in rows]

    def count(self, world: str, kind: str, prefix: str) -> int:
        (number,) = self._rows(
            "SELECT COUNT(*) FROM documents WHERE world = ? AND kind = ? AND key >= ? AND key < ?",
            (world, kind, prefix, prefix + _LAST_CHARACTER),
        )
        return int(number[0])

    def worlds(self) -> list[str]:
        return [name for (name,) in self._rows("SELECT name FROM worlds ORDER BY name", ())]

    def world_row(self, world: str) -> Document | None:
        row = self._row("SELECT body FROM worlds WHERE name = ?", (world,))
        return json.loads(row[0]) if row else None

    def _row(self, statement: str, values: tuple[Any, ...]) -> Any:
        try:
            return self._db.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            raise _unavailable(error) from error

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _unavailable(error) from error


class SqliteStore(_Reading):
    """See core.store.Store.

    A file has a connection for reading, one for units and one for events, so that a reader sees what was committed
    while another thread writes. Memory has one connection only: there a reader waits until the writer is done.
    """

    def __init__(self, path: str = MEMORY, *, durable: bool = False) -> None:
        self._path = path
        self._lock = threading.RLock()  # one writer a process; SQLite itself allows one in all
        self._writing = False
        self._patience = PATIENCE
        self._locked_until = 0.0
        self._revisions: dict[str, int] = {}  # known until somebody writes, or who looks wants to know of others
        self._log: Log | None = None
        if path == MEMORY:
            self._db = self._writer = self._event_writer = sqlite_file.connect(path)
            sqlite_file.create(self._db)
        else:
            self._db = sqlite_file.open_file(path)
            self._writer = sqlite_file.connect(path, PATIENCE)
            self._event_writer = sqlite_file.connect(path, 0)
            self._log = Log(path)
            for connection in (self._writer, self._event_writer):
                connection.execute("PRAGMA wal_autocheckpoint = 0")
                if durable:
                    connection.execute("PRAGMA synchronous = FULL")

    @property
    def patience(self) -> float:
        return self._patience

    @patience.setter
    def patience(self, seconds: float) -> None:
        self._patience = seconds
        self._writer.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    remote = False

    def look(self) -> None:
        """See Store; a store in memory has no other writers, and of a file's documents each is read as it is now."""
        if self._log is not None:
            self._revisions.clear()

    def probe(self) -> None:
        with self._at_once() as db:
            db.execute(f"PRAGMA user_version = {sqlite_file.VERSION}")

    def is_known(self, world: str) -> bool:  # noqa: ARG002 - nothing is far away
        return True

    def documents(self, world: str) -> list[Row]:
        """All documents of a world as they are kept, in the order of their keys."""
        return self._rows("SELECT kind, key, uid, body FROM documents WHERE world = ? ORDER BY kind, key", (world,))

    def settings(self, world: str) -> str:
        """A world's own row as it is kept. Raises NotFoundError."""
        row = self._row("SELECT body FROM worlds WHERE name = ?", (world,))
        if row is None:
            raise NotFoundError(world)
        return str(row[0])

    def load(self, world: str, settings: str, rows: list[Row]) -> None:
        """Take in a world of another store."""
        self._db.execute("INSERT INTO worlds (name, revision, body) VALUES (?, 1, ?)", (world, settings))
        self._db.executemany(_INSERT, [(world, *row) for row in rows])

    def changed(self, world: str, since: int | None) -> set[Place] | None:  # noqa: ARG002 - it is not written down
        return None

    def revision(self, world: str) -> int | None:
        """See Reads."""
        known = self._revisions.get(world)
        if known is None:
            known = super().revision(world)
            if known is not None:
                self._revisions[world] = known
        return known

    def begin(self, world: str) -> SqliteTransaction:  # noqa: ARG002 - SQLite has one writer, whatever its world
        if clock.monotonic() < self._locked_until:
            self._locked_until = clock.monotonic() + NO_MORE_WAITING
            with self._at_once():  # raises, unless the lock is free again
                self._locked_until = 0.0
        self._take_lock(self._patience)
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            self.end()
            self._locked_until = clock.monotonic() + NO_MORE_WAITING
            raise _unavailable(error) from error
        return SqliteTransaction(self, self._writer)

    def _take_lock(self, seconds: float) -> None:
        if not self._lock.acquire(timeout=seconds):
            raise UnavailableError("another thread is writing")
        if self._writing:  # the same thread: units of two requests may not be interleaved
            self._lock.release()
            raise UnavailableError("another unit is writing")
        self._writing = True

    def committed(self, rows: int) -> None:
        """So many rows were written. For transactions."""
        if self._log is not None:
            self._log.wrote(rows)

    def end(self) -> None:
        """Let the next writer in. For transactions."""
        self._revisions.clear()
        self._writing = False
        self._lock.release()

    def append_events(self, events: list[NewEvents], keep: int) -> None:
        with self._at_once() as db:
            self.insert_events(db, events, keep)
        self.committed(sum(row.holds for row in events))

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[sqlite3.Connection]:
        """A transaction of its own, which waits for nobody. Raises UnavailableError."""
        self._take_lock(0)
        db = self._event_writer
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        except sqlite3.Error as error:
            _roll_back(db)
            raise _unavailable(error) from error
        finally:
            self.end()

    def insert_events(self, db: sqlite3.Connection, events: list[NewEvents], keep: int) -> None:
        """Append events inside a transaction, and drop what is too old now and then. For transactions.

        The newest event of a world has the number of how many it ever had: nobody needs to count.
        """
        step = min(keep, LOOKED_AT_EVERY)
        for row in events:
            before = db.execute(_NUMBER, (row.world,)).fetchone()
            if before is None:  # there is no such world
                continue
            number = before[0] + row.holds
            db.execute(_APPEND, (*row, number))
            if number // step != before[0] // step:
                db.execute(_MAKE_ROOM, (row.world, MOST_GONE, number - keep))

    def event_rows(self, world: str, identifier: str) -> list[EventRow]:
        # With a plus, so that SQLite goes by the ids: by itself it goes through all events of the world.
        rows = self._rows(f"{_EVENT_COLUMNS} WHERE id = ? AND world = ?", (identifier, world)) or self._rows(
            f"{_EVENT_COLUMNS} WHERE id > ? AND id < ? AND +world = ? AND count > 1 AND instr(body, ?)",
            (identifier[:SHARED], identifier[:SHARED] + _LAST_CHARACTER, world, identifier.encode()),
        )
        return [EventRow(*row) for row in rows]

    def events_after(self, world: str, position: int, limit: int) -> list[EventRow]:
        return self._events(limit, "WHERE world = ? AND position > ? ORDER BY position", world, position)

    def events_before(self, world: str, position: int | None, limit: int) -> list[EventRow]:
        if position is None:
            return self._events(limit, "WHERE world = ? ORDER BY position DESC", world)
        return self._events(limit, "WHERE world = ? AND position < ? ORDER BY position DESC", world, position)

    def events_since(self, position: int, limit: int) -> list[EventRow]:
        return self._events(limit, "WHERE position > ? ORDER BY position", position)

    def _events(self, limit: int, places: str, *values: str | int) -> list[EventRow]:
        """The rows at these places, until they hold so many events."""
        rows: list[EventRow] = []
        try:
            with self._turn(), contextlib.closing(self._db.execute(f"{_EVENT_COLUMNS} {places}", values)) as cursor:
                while limit > 0 and (row := cursor.fetchone()) is not None:
                    rows.append(EventRow(*row))
                    limit -= rows[-1].holds
        except sqlite3.Error as error:
            raise _unavailable(error) from error
        return rows

    def last_event(self) -> int:
        return int(self._row("SELECT COALESCE(MAX(position), 0) FROM events", ())[0])

    def close(self) -> None:
        if self._log is not None:
            self._log.close()
        for connection in {self._db, self._writer, self._event_writer}:
            connection.close()

    def _row(self, statement: str, values: tuple[Any, ...]) -> Any:
        with self._turn():
            return super()._row(statement, values)

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._turn():
            return super()._rows(statement, values)

    def _turn(self) -> AbstractContextManager[object]:
        """The reader's turn: memory has one connection, whose writer goes first."""
        return self._lock if self._log is None else _NOBODY_WAITS


class SqliteTransaction(_Reading):
    """See core.store.Transaction."""

    def __init__(self, store: SqliteStore, db: sqlite3.Connection) -> None:
        self._store = store
        self._db = db
        self._before = db.total_changes

    def add(self, world: str, kind: str, key: str, body: Document, uid: str) -> None:
        try:
            self._db.execute(_INSERT, (world, kind, key, uid, _dump(body)))
        except sqlite3.IntegrityError as error:
            raise AlreadyExistsError(key) from error
        except sqlite3.Error as error:
            raise _unavailable(error) from error
        self._count_revision(world)

    def update(self, world: str, kind: str, key: str, change: Change) -> Document:
        old = self.get(world, kind, key)
        if old is None:
            raise NotFoundError(key)
        new = change(old)
        self._write(
            "UPDATE documents SET body = ? WHERE world = ? AND kind = ? AND key = ?", (_dump(new), world, kind, key)
        )
        self._count_revision(world)
        return new

    def take(self, world: str, kind: str, key: str) -> Document | None:
        row = self._row(
            "DELETE FROM documents WHERE world = ? AND kind = ? AND key = ? RETURNING body", (world, kind, key)
        )
        if row is None:
            return None
        self._count_revision(world)
        return json.loads(row[0])  # type: ignore[no-any-return]  # documents are objects

    def replace(self, world: str, settings: str, gone: list[Row], made: list[Row]) -> None:
        """Take some documents away and put others in, and give the world this row."""
        places = [(world, kind, key) for kind, key, _, _ in gone]
        try:
            self._db.executemany("DELETE FROM documents WHERE world = ? AND kind = ? AND key = ?", places)
            self._db.executemany(_INSERT, [(world, *row) for row in made])
        except sqlite3.Error as error:
            raise _unavailable(error) from error
        self._write("UPDATE worlds SET body = ?, revision = revision + 1 WHERE name = ?", (settings, world))

    def add_world(self, world: str, row: Document) -> bool:
        done = self._row(
            "INSERT INTO worlds (name, revision, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING 1",
            # Not from 1: who remembers a deleted world of this name must not take the new one for it.
            (world, int.from_bytes(os.urandom(5)), _dump(row)),
        )
        return done is not None

    def update_world(self, world: str, change: Change) -> Document:
        old = self.world_row(world)
        if old is None:
            raise NotFoundError(world)
        new = change(old)
        self._write("UPDATE worlds SET body = ?, revision = revision + 1 WHERE name = ?", (_dump(new), world))
        return new

    def drop_world(self, world: str) -> bool:
        gone = self._row("DELETE FROM worlds WHERE name = ? RETURNING 1", (world,))
        self._write("DELETE FROM documents WHERE world = ?", (world,))
        # INVARIANT: positions only grow, also for those who follow: the newest event stays, as nobody's.
        self._write("DELETE FROM events WHERE world = ? AND position < (SELECT MAX(position) FROM events)", (world,))
        self._write("UPDATE events SET world = '', body = '' WHERE world = ?", (world,))
        return gone is not None

    def append_events(self, events: list[NewEvents], keep: int) -> None:
        try:
            self._store.insert_events(self._db, events, keep)
        except sqlite3.Error as error:
            raise _unavailable(error) from error

    def commit(self) -> None:
        try:
            self._db.execute("COMMIT")
            self._store.committed(self._db.total_changes - self._before)
        except sqlite3.Error as error:
            _roll_back(self._db)
            raise _unavailable(error) from error
        finally:
            self._store.end()

    def rollback(self) -> None:
        try:
            _roll_back(self._db)
        finally:
            self._store.end()

    def _write(self, statement: str, values: tuple[Any, ...]) -> int:
        try:
            return self._db.execute(statement, values).rowcount
        except sqlite3.Error as error:
            raise _unavailable(error) from error

    def _count_revision(self, world: str) -> None:
        if not self._write("UPDATE worlds SET revision = revision + 1 WHERE name = ?", (world,)):
            raise NotFoundError(world)


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:  # a full disk may have ended it already
        db.execute("ROLLBACK")


def _dump(body: Mapping[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


def _unavailable(error: sqlite3.Error) -> UnavailableError:
    return UnavailableError(str(error))
