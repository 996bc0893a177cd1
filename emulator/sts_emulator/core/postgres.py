"""The shared backend: PostgreSQL, for any number of replicas, with or without a pooler in between.

Writers of one world take turns, those of different worlds do not. What holds the turn is no row, and it ends before
the commit is durable (`PostgresTransaction.commit`): so the commits of all writers are made durable together, by the
database's own group commit. What other replicas have written is learned by one look at `changes` (core.postgres_news).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading

import psycopg

from sts_emulator.core import postgres_schema
from sts_emulator.core.postgres_news import Known, News
from sts_emulator.core.postgres_pool import Connection, Pool, Row, rows_of, unavailable
from sts_emulator.core.postgres_reading import APPEND, Reading, appended, plain
from sts_emulator.core.postgres_transaction import PostgresTransaction
from sts_emulator.core.store import (
    Document,
    EventRow,
    NewEvent,
    Place,
    UnavailableError,
)

PATIENCE = 30.0  # seconds
LOOKED_AT_EVERY = 200  # events of a world, until it is seen whether it has too many
TRIMMED_EVERY = 500  # commits of this process, until old changes are dropped
LOOKS = 3  # for a world that is not known: one that was slower than another is of no use
_ORDINAL_BITS = 20  # of a position: its transaction's id stands above

_BEGIN = """
BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = {patience};
SET LOCAL idle_in_transaction_session_timeout = 60000; SELECT pg_advisory_xact_lock({lock});
"""
_EVENTS = (
    "SELECT e.x::text, e.n, w.name, e.id, e.at, e.body FROM sts_emulator.events e "
    "JOIN sts_emulator.worlds w ON w.number = e.world "
)
_SETTLED = "e.x < pg_snapshot_xmin(pg_current_snapshot())"
_BEHIND = "(e.x, e.n) > (%s::text::xid8, %s)"
_TRIM = """
WITH gone AS (DELETE FROM sts_emulator.changes
    WHERE at < now() - interval '1 hour' AND x < pg_snapshot_xmin(pg_current_snapshot()) RETURNING x)
UPDATE sts_emulator.state SET trimmed = (SELECT x FROM gone ORDER BY x DESC LIMIT 1) WHERE EXISTS (SELECT FROM gone)
"""
_MAKE_ROOM = """
DELETE FROM sts_emulator.events e USING sts_emulator.worlds w, LATERAL (
    SELECT x, n FROM sts_emulator.events WHERE world = w.number ORDER BY x DESC, n DESC OFFSET %s LIMIT 1) AS last
WHERE w.name = %s AND e.world = w.number AND (e.x, e.n) <= (last.x, last.n)
"""


class PostgresStore(Reading):
    """See core.store.Store."""

    remote = True

    def __init__(self, address: str) -> None:
        postgres_schema.prepare(address)
        self._pool = Pool(address)
        self.news = News(self._rows("SELECT pg_current_snapshot()::text")[0][0])
        self.patience = PATIENCE
        self._turns: dict[str, threading.Lock] = {}
        self._holders: dict[str, int] = {}
        self._appended: dict[str, int] = {}
        self._commits = itertools.count(1)

    def look(self) -> None:
        self._look("")

    def _look(self, world: str) -> None:
        ((seen, is_too_late, changes, row),) = self._pool.ask(self.news.question(world))
        assert seen is not None, "there is always a snapshot"
        self.news.learn((seen.decode(), is_too_late == b"t", changes, row and row.decode()), world)

    def probe(self) -> None:
        self._rows("SELECT pg_logical_emit_message(true, 'sts-emulator', '')")

    def is_known(self, world: str) -> bool:
        return self.news.known(world) is not None

    def changed(self, world: str, since: int | None) -> set[Place] | None:
        return self.news.changed(world, since)

    def revision(self, world: str) -> int | None:
        known = self._known(world)
        return None if known is None else known.revision

    def world_row(self, world: str) -> Document | None:
        known = self._known(world)
        return None if known is None else json.loads(known.row)

    def _known(self, world: str) -> Known | None:
        for _ in range(LOOKS):
            if (known := self.news.known(world)) is not None:
                return known
            self._look(world)
        return self.news.known(world)

    def begin(self, world: str) -> PostgresTransaction:
        self._take_turn(world)
        try:
            connection = self._pool.take()
        except BaseException:
            self.end(world)
            raise
        try:
            return self._open(connection, world)
        except psycopg.Error as error:
            self._pool.give(connection)
            self.end(world)
            raise unavailable(error) from error

    def _open(self, connection: Connection, world: str) -> PostgresTransaction:
        """In one round trip: begin, wait for other processes, and learn what they wrote until then."""
        text = _BEGIN.format(patience=int(self.patience * 1000), lock=_lock_of(world)) + self.news.question(world)
        connection.patience = self.patience + 3.0
        try:
            rows = rows_of(connection, text)
        finally:
            connection.patience = Connection.patience
        self.news.learn(rows[0], world)
        for _ in range(LOOKS):
            if (known := self.news.known(world)) is not None:
                return PostgresTransaction(self, connection, world, known.revision)
            rows = rows_of(connection, self.news.question(world))
            self.news.learn(rows[0], world)
        *_, row = rows[0]
        return PostgresTransaction(self, connection, world, None, exists=row is not None)

    def _take_turn(self, world: str) -> None:
        if self._holders.get(world) == threading.get_ident():
            raise UnavailableError("another unit is writing")  # of the same thread: they may not be interleaved
        if not self._turns.setdefault(world, threading.Lock()).acquire(timeout=self.patience):
            raise UnavailableError("another thread is writing")
        self._holders[world] = threading.get_ident()

    def end(self, world: str) -> None:
        """Let this process's next writer in. For transactions."""
        del self._holders[world]
        self._turns[world].release()

    def give(self, connection: Connection) -> None:
        """Take a connection back. For transactions."""
        self._pool.give(connection)

    def committed(self, transaction: int, written: dict[str, set[Place]]) -> None:
        """Take up what a transaction has committed."""
        self.news.wrote(transaction, written)
        if next(self._commits) % TRIMMED_EVERY == 0:
            self._rows(_TRIM)

    def append_events(self, events: list[NewEvent], keep: int) -> None:
        if events:
            self._pool.ask(APPEND, appended(events))
            self._make_room(events, keep)

    def _make_room(self, events: list[NewEvent], keep: int) -> None:
        """Drop a world's oldest events when there are too many; looked at now and then, because counting takes time."""
        for world in {event.world for event in events}:
            appended = self._appended.get(world, 0) + sum(event.world == world for event in events)
            self._appended[world] = appended if appended < min(keep, LOOKED_AT_EVERY) else 0
            if not self._appended[world]:
                self._rows(_MAKE_ROOM, keep, world)

    def event(self, world: str, identifier: str) -> EventRow | None:
        rows = self._rows(f"{_EVENTS} WHERE w.name = %s AND e.id = %s", plain(world), plain(identifier))
        return _event(rows[0]) if rows else None

    def events_after(self, world: str, position: int, limit: int) -> list[EventRow]:
        rows = self._rows(
            f"{_EVENTS} WHERE w.name = %s AND {_BEHIND} AND {_SETTLED} ORDER BY e.x, e.n LIMIT %s",
            *(plain(world), *_place_of(position), limit),
        )
        return list(map(_event, rows))

    def events_before(self, world: str, position: int | None, limit: int) -> list[EventRow]:
        before, values = (
            ("", ()) if position is None else ("AND (e.x, e.n) < (%s::text::xid8, %s)", _place_of(position))
        )
        rows = self._rows(
            f"{_EVENTS} WHERE w.name = %s {before} ORDER BY e.x DESC, e.n DESC LIMIT %s", plain(world), *values, limit
        )
        return list(map(_event, rows))

    def events_since(self, position: int, limit: int) -> list[EventRow]:
        rows = self._rows(
            f"{_EVENTS} WHERE {_BEHIND} AND {_SETTLED} ORDER BY e.x, e.n LIMIT %s", *_place_of(position), limit
        )
        return list(map(_event, rows))

    def last_event(self) -> int:
        (mark,) = self._rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")[0]
        return (int(mark) << _ORDINAL_BITS) - 1

    def close(self) -> None:
        self._pool.close()

    def _rows(self, statement: str, *values: object) -> list[Row]:
        return self._pool.run(statement, values)


def _lock_of(world: str) -> int:
    """The number under which a world's writers take turns; two worlds with the same one wait for each other in vain."""
    return int.from_bytes(hashlib.blake2b(world.encode(), digest_size=8, person=b"stse").digest(), signed=True)


def _event(row: Row) -> EventRow:
    transaction, ordinal, world, identifier, at, body = row
    told = body[1:].decode() if body[:1] == b"t" else body[1:]
    return EventRow(int(transaction) << _ORDINAL_BITS | ordinal, world, identifier, at, told)


def _place_of(position: int) -> tuple[str, int]:
    return str(position >> _ORDINAL_BITS), position & ((1 << _ORDINAL_BITS) - 1)
