"""Where documents live: one table of JSON documents keyed by (world, kind, key), behind one small interface."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

Document = dict[str, Any]
Change = Callable[[Document], Document]


class AlreadyExistsError(Exception):
    """A document with that kind and key exists already."""


class NotFoundError(KeyError):
    """No document with that kind and key."""


class StaleError(Exception):
    """Another process wrote to this world after this request read from it; the request starts again under the lock."""


class Store(Protocol):
    """What a backend gives. Every method but `transaction` may run inside or outside a transaction.

    `uid` is a second, optional name of a document (a unique id or an ARN), indexed per world.
    """

    def transaction(self) -> Any:
        """A context manager: exclusive among writers, all or nothing."""

    def revision(self, world: str) -> int | None:
        """A number that grows with each committed write to the world; None when there is no such world."""

    def get(self, world: str, kind: str, key: str) -> Document | None:
        """The document, or None."""

    def find(self, world: str, kind: str, uid: str) -> tuple[str, Document] | None:
        """Key and document of the one that bears `uid`, or None."""

    def page(self, world: str, kind: str, prefix: str, after: str, limit: int) -> list[tuple[str, Document]]:
        """Up to `limit` documents whose key begins with `prefix` and sorts behind `after`, in key order."""

    def count(self, world: str, kind: str, prefix: str) -> int:
        """How many documents have a key that begins with `prefix`."""

    def add(self, world: str, kind: str, key: str, body: Document, uid: str) -> None:
        """Store a new document. Raises AlreadyExistsError."""

    def update(self, world: str, kind: str, key: str, change: Change) -> Document:
        """Replace a document by `change(document)`, with nothing in between. Raises NotFoundError."""

    def take(self, world: str, kind: str, key: str) -> Document | None:
        """Remove a document and return it; None when somebody else took it first."""

    def worlds(self) -> list[str]:
        """The names of all worlds."""

    def world_row(self, world: str) -> Document | None:
        """The world's own settings, or None."""

    def add_world(self, world: str, row: Document) -> bool:
        """Create a world; False when it exists."""

    def update_world(self, world: str, change: Change) -> Document:
        """Change a world's own settings. Raises NotFoundError."""

    def drop_world(self, world: str) -> bool:
        """Delete a world with all that it holds; False when there was none."""

    def append_events(self, rows: list[tuple[str, str, float, str]], keep: int) -> None:
        """Append (world, event id, time, JSON) rows and keep only the newest `keep` of each world."""

    def read_events(self, world: str) -> list[str]:
        """The JSON of a world's kept events, oldest first."""

    def close(self) -> None:
        """Release the backend."""


SCHEMA = (
    "CREATE TABLE IF NOT EXISTS worlds (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL)",
    (
        "CREATE TABLE IF NOT EXISTS documents (world TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, "
        "uid TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (world, kind, key))"
    ),
    "CREATE INDEX IF NOT EXISTS documents_uid ON documents (world, uid) WHERE uid <> ''",
    (
        "CREATE TABLE IF NOT EXISTS events (world TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, "
        "body TEXT NOT NULL, PRIMARY KEY (world, id))"
    ),
    "CREATE INDEX IF NOT EXISTS events_at ON events (world, at)",
)


class SqliteStore:
    """The embedded backend: SQLite through the standard library, in memory or in a file that processes may share."""

    def __init__(self, path: str = ":memory:") -> None:
        import sqlite3

        # INVARIANT: isolation_level None. Python's own implicit transactions are deferred and lost 346 of 1,000
        # read-modify-writes between two processes when measured; BEGIN IMMEDIATE lost none.
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._integrity_error = sqlite3.IntegrityError
        self._depth = 0
        # A store in memory has no other writers: its revisions are known without asking SQLite.
        self._revisions: dict[str, int] | None = {} if path == ":memory:" else None
        if path != ":memory:":
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
        for statement in SCHEMA:
            self._db.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take the write lock, commit at the end, roll back on any exception; nests into the outermost."""
        if self._depth:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            self._forget_revisions()
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._depth = 0

    def revision(self, world: str) -> int | None:
        """See Store."""
        if self._revisions is not None and world in self._revisions:
            return self._revisions[world]
        row = self._db.execute("SELECT revision FROM worlds WHERE name = ?", (world,)).fetchone()
        if row and self._revisions is not None:
            self._revisions[world] = row[0]
        return row[0] if row else None

    def get(self, world: str, kind: str, key: str) -> Document | None:
        """See Store."""
        row = self._db.execute(
            "SELECT body FROM documents WHERE world = ? AND kind = ? AND key = ?", (world, kind, key)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def find(self, world: str, kind: str, uid: str) -> tuple[str, Document] | None:
        """See Store."""
        row = self._db.execute(
            "SELECT key, body FROM documents WHERE world = ? AND uid = ? AND kind = ? AND uid <> ''", (world, uid, kind)
        ).fetchone()
        return (row[0], json.loads(row[1])) if row else None

    def page(self, world: str, kind: str, prefix: str, after: str, limit: int) -> list[tuple[str, Document]]:
        """See Store."""
        rows = self._db.execute(
            "SELECT key, body FROM documents WHERE world = ? AND kind = ? AND key > ? AND key >= ? AND key < ? "
            "ORDER BY key LIMIT ?",
            (world, kind, after, prefix, prefix + "\U0010ffff", limit),
        )
        return [(key, json.loads(body)) for key, body in rows]

    def count(self, world: str, kind: str, prefix: str) -> int:
        """See Store."""
        row = self._db.execute(
            "SELECT COUNT(*) FROM documents WHERE world = ? AND kind = ? AND key >= ? AND key < ?",
            (world, kind, prefix, prefix + "\U0010ffff"),
        ).fetchone()
        return int(row[0])

    def add(self, world: str, kind: str, key: str, body: Document, uid: str) -> None:
        """See Store."""
        with self.transaction():
            try:
                self._db.execute(
                    "INSERT INTO documents (world, kind, key, uid, body) VALUES (?, ?, ?, ?, ?)",
                    (world, kind, key, uid, _dump(body)),
                )
            except self._integrity_error as exc:
                raise AlreadyExistsError(key) from exc
            self._bump(world)

    def update(self, world: str, kind: str, key: str, change: Change) -> Document:
        """See Store."""
        with self.transaction():
            old = self.get(world, kind, key)
            if old is None:
                raise NotFoundError(key)
            new = change(old)
            self._db.execute(
                "UPDATE documents SET body = ? WHERE world = ? AND kind = ? AND key = ?", (_dump(new), world, kind, key)
            )
            self._bump(world)
        return new

    def take(self, world: str, kind: str, key: str) -> Document | None:
        """See Store."""
        with self.transaction():
            row = self._db.execute(
                "DELETE FROM documents WHERE world = ? AND kind = ? AND key = ? RETURNING body", (world, kind, key)
            ).fetchone()
            if row:
                self._bump(world)
        return json.loads(row[0]) if row else None

    def worlds(self) -> list[str]:
        """See Store."""
        return [name for (name,) in self._db.execute("SELECT name FROM worlds ORDER BY name")]

    def world_row(self, world: str) -> Document | None:
        """See Store."""
        row = self._db.execute("SELECT body FROM worlds WHERE name = ?", (world,)).fetchone()
        return json.loads(row[0]) if row else None

    def add_world(self, world: str, row: Document) -> bool:
        """See Store."""
        with self.transaction():
            done = self._db.execute(
                "INSERT INTO worlds (name, revision, body) VALUES (?, 1, ?) ON CONFLICT DO NOTHING RETURNING 1",
                (world, _dump(row)),
            ).fetchone()
        return done is not None

    def update_world(self, world: str, change: Change) -> Document:
        """See Store."""
        with self.transaction():
            old = self.world_row(world)
            if old is None:
                raise NotFoundError(world)
            new = change(old)
            self._db.execute("UPDATE worlds SET body = ?, revision = revision + 1 WHERE name = ?", (_dump(new), world))
            self._forget_revisions()
        return new

    def drop_world(self, world: str) -> bool:
        """See Store."""
        with self.transaction():
            gone = self._db.execute("DELETE FROM worlds WHERE name = ? RETURNING 1", (world,)).fetchone()
            self._db.execute("DELETE FROM documents WHERE world = ?", (world,))
            self._db.execute("DELETE FROM events WHERE world = ?", (world,))
            self._forget_revisions()
        return gone is not None

    def append_events(self, rows: list[tuple[str, str, float, str]], keep: int) -> None:
        """See Store."""
        with self.transaction():
            self._db.executemany(
                "INSERT INTO events (world, id, at, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows
            )
            for world in {row[0] for row in rows}:
                self._db.execute(
                    "DELETE FROM events WHERE world = ? AND at < "
                    "(SELECT at FROM events WHERE world = ? ORDER BY at DESC LIMIT 1 OFFSET ?)",
                    (world, world, keep - 1),
                )

    def read_events(self, world: str) -> list[str]:
        """See Store."""
        return [body for (body,) in self._db.execute("SELECT body FROM events WHERE world = ? ORDER BY at", (world,))]

    def close(self) -> None:
        """See Store."""
        self._db.close()

    def _bump(self, world: str) -> None:
        if not self._db.execute("UPDATE worlds SET revision = revision + 1 WHERE name = ?", (world,)).rowcount:
            raise NotFoundError(world)  # the world was deleted meanwhile: nothing may be left behind in it
        self._forget_revisions()

    def _forget_revisions(self) -> None:
        if self._revisions is not None:
            self._revisions.clear()


def _dump(body: Mapping[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


def open_store(address: str = "") -> Store:
    """The store at `address`: empty for memory, else the path of an SQLite file, which is created when missing."""
    return SqliteStore(address or ":memory:")
