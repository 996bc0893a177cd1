"""One unit of writing in PostgreSQL, which has the turn among a world's writers from `PostgresStore.begin` on."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from sts_emulator.core.postgres_news import ROW
from sts_emulator.core.postgres_pool import Answer, Connection, Row, raw_rows_of, rows_of, unavailable
from sts_emulator.core.postgres_reading import APPEND, Reading, appended, dump, plain
from sts_emulator.core.store import (
    AlreadyExistsError,
    Change,
    Document,
    NewEvents,
    NotFoundError,
    Place,
    UnavailableError,
)

if TYPE_CHECKING:
    from sts_emulator.core.postgres import PostgresStore

COMMIT = "SELECT pg_current_xact_id()::text; COMMIT; SELECT pg_logical_emit_message(true, 'sts-emulator', '')"
CHANGED = "INSERT INTO sts_emulator.changes (world, kind, key) "


class PostgresTransaction(Reading):
    """See core.store.Transaction."""

    def __init__(
        self, store: PostgresStore, connection: Connection, world: str, revision: int | None, *, exists: bool = True
    ) -> None:
        self._store = store
        self._connection = connection
        self._world = world
        self._revision = revision
        self._exists = exists
        self._written: dict[str, set[Place]] = {}
        self._events = 0
        self._failure: UnavailableError | None = None

    def revision(self, world: str) -> int | None:
        return self._revision if world == self._world else self._store.revision(world)

    def world_row(self, world: str) -> Document | None:
        rows = self._rows("SELECT body FROM sts_emulator.worlds WHERE name = %s", plain(world))
        return json.loads(rows[0][0]) if rows else None

    def add(self, world: str, kind: str, key: str, body: Document, uid: str) -> None:
        self._check(world)
        rows = self._rows(
            "WITH new AS (INSERT INTO sts_emulator.documents (world, kind, key, uid, body) VALUES (%s, %s, %s, %s, %s) "
            f"ON CONFLICT DO NOTHING RETURNING world, kind, key) {CHANGED} SELECT * FROM new RETURNING 1",
            *(world, kind, plain(key), plain(uid), dump(body)),
        )
        if not rows:
            raise AlreadyExistsError(key)
        self._note(world, (kind, key))

    def update(self, world: str, kind: str, key: str, change: Change) -> Document:
        self._check(world)
        old = self.get(world, kind, key)
        if old is None:
            raise NotFoundError(key)
        new = change(old)
        self._rows(
            "WITH new AS (UPDATE sts_emulator.documents SET body = %s WHERE world = %s AND kind = %s AND key = %s "
            f"RETURNING world, kind, key) {CHANGED} SELECT * FROM new",
            *(dump(new), world, kind, plain(key)),
        )
        self._note(world, (kind, key))
        return new

    def take(self, world: str, kind: str, key: str) -> Document | None:
        rows = self._rows(
            "WITH old AS (DELETE FROM sts_emulator.documents WHERE world = %s AND kind = %s AND key = %s "
            f"RETURNING world, kind, key, body), told AS ({CHANGED} SELECT world, kind, key FROM old) "
            "SELECT body FROM old",
            *(world, kind, plain(key)),
        )
        if not rows:
            return None
        self._check(world)
        self._note(world, (kind, key))
        return json.loads(rows[0][0])  # type: ignore[no-any-return]  # documents are objects

    def add_world(self, world: str, row: Document) -> bool:
        rows = self._rows(
            "WITH new AS (INSERT INTO sts_emulator.worlds (name, body) VALUES (%s, %s) ON CONFLICT DO NOTHING "
            f"RETURNING name) {CHANGED} SELECT name, '', '' FROM new RETURNING 1",
            *(world, dump(row)),
        )
        if rows:
            self._note(world, ROW)
            self._exists = True
        return bool(rows)

    def update_world(self, world: str, change: Change) -> Document:
        old = self.world_row(world)
        if old is None:
            raise NotFoundError(world)
        new = change(old)
        self._rows(
            "WITH new AS (UPDATE sts_emulator.worlds SET body = %s WHERE name = %s RETURNING name) "
            f"{CHANGED} SELECT name, '', '' FROM new",
            *(dump(new), world),
        )
        self._note(world, ROW)
        return new

    def drop_world(self, world: str) -> bool:
        self._rows("DELETE FROM sts_emulator.documents WHERE world = %s", world)
        self._rows(
            "DELETE FROM sts_emulator.events WHERE world = (SELECT number FROM sts_emulator.worlds WHERE name = %s)",
            world,
        )
        rows = self._rows(
            "WITH old AS (DELETE FROM sts_emulator.worlds WHERE name = %s RETURNING name) "
            f"{CHANGED} SELECT name, '', '' FROM old RETURNING 1",
            world,
        )
        self._note(world, ROW)
        self._exists = False
        return bool(rows)

    def append_events(self, events: list[NewEvents], keep: int) -> None:  # noqa: ARG002 - the store makes room
        self._run(partial(raw_rows_of, self._connection, APPEND, appended(events, self._events)))
        self._events += len(events)

    def commit(self) -> None:
        """See Transaction.

        INVARIANT: the turn ends with COMMIT, which waits for no disk, and the answer with the flush behind it. What is
        seen by others in between can be lost in a crash, but nothing that followed from it was answered either: whoever
        answers has an event, and its commit makes durable all that came before.
        """
        if self._failure is not None:
            self.rollback()
            raise UnavailableError(f"a statement of this transaction has failed: {self._failure}")
        wrote = bool(self._written or self._events)
        try:
            cursor = self._connection.execute(COMMIT if wrote else "COMMIT")
            transaction = int((cursor.fetchone() or "0")[0]) if wrote else 0
        except psycopg.Error as error:
            raise UnavailableError(f"the outcome of a commit is unknown ({unavailable(error)})") from error
        finally:
            self._end()
        if wrote:
            self._store.committed(transaction, self._written)

    def rollback(self) -> None:
        try:
            if not self._connection.closed:
                self._connection.execute("ROLLBACK")
        except psycopg.Error:
            self._connection.close()  # which rolls back as well
        finally:
            self._end()

    def _end(self) -> None:
        self._store.give(self._connection)
        self._store.end(self._world)

    def _note(self, world: str, place: Place) -> None:
        self._written.setdefault(world, set()).add(place)

    def _check(self, world: str) -> None:
        if not self._exists or world != self._world:
            raise NotFoundError(world)

    def _rows(self, statement: str, *values: object) -> list[Row]:
        return self._run(partial(rows_of, self._connection, statement, values))

    def _run(self, ask: Callable[[], Answer]) -> Answer:
        try:
            return ask()
        except psycopg.Error as error:
            self._failure = unavailable(error)
            raise self._failure from error
