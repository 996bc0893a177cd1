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
from collections.abc import Iterator
from contextlib import AbstractContextManager

import psycopg

from sts_emulator.core import clock, postgres_schema
from sts_emulator.core.postgres_line import Line, Outcome
from sts_emulator.core.postgres_news import Known, News
from sts_emulator.core.postgres_pool import SILENCE, Connection, Pool, Raw, Row, rows_of, unavailable
from sts_emulator.core.postgres_reading import APPEND, LAST_CHARACTER, Reading, appended, plain
from sts_emulator.core.postgres_transaction import PostgresTransaction
from sts_emulator.core.store import (
    SHARED,
    Document,
    EventRow,
    NewEvents,
    Place,
    Told,
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
    "SELECT e.x::text, e.n, w.name, e.id, e.at, e.body, e.count FROM sts_emulator.events e "
    "JOIN sts_emulator.worlds w ON w.number = e.world "
)
# Not by the name of what is joined: without statistics, as in a new database, all of a world's were read and sorted.
_OF_WORLD = "e.world = (SELECT number FROM sts_emulator.worlds WHERE name = %s)"
_SETTLED = "e.x < pg_snapshot_xmin(pg_current_snapshot())"
_BEHIND = "(e.x, e.n) > (%s::text::xid8, %s)"
_TRIM = """
WITH gone AS (DELETE FROM sts_emulator.changes
    WHERE at < now() - interval '1 hour' AND x < pg_snapshot_xmin(pg_current_snapshot()) RETURNING x)
UPDATE sts_emulator.state SET trimmed = (SELECT x FROM gone ORDER BY x DESC LIMIT 1) WHERE EXISTS (SELECT FROM gone)
"""
_MAKE_ROOM = """
DELETE FROM sts_emulator.events e USING sts_emulator.worlds w, LATERAL (
    SELECT x, n FROM (SELECT x, n, count, sum(count) OVER (ORDER BY x DESC, n DESC) AS total
        FROM sts_emulator.events WHERE world = w.number) AS counted
    WHERE total - count >= $1::int ORDER BY x DESC, n DESC LIMIT 1) AS last
WHERE w.name = $2::text AND e.world = w.number AND (e.x, e.n) <= (last.x, last.n)
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
        self._line = Line(self._pool)

    def look(self) -> None:
        self._look("")

    def _look(self, world: str) -> None:
        self._learn(self._pool.ask(self.news.question(world)), world)

    def look_soon(self, told: Told) -> None:
        def learned(outcome: Outcome) -> None:
            if isinstance(outcome, list):
                self._learn(outcome)
            told(None if isinstance(outcome, list) else outcome)

        self._line.ask(self.news.question().encode(), (), learned)

    def _learn(self, rows: list[Raw], world: str = "") -> None:
        ((seen, is_too_late, changes, row),) = rows
        assert seen is not None, "there is always a snapshot"
        self.news.learn((seen.decode(), is_too_late == b"t", changes, row and row.decode()), world)

    def at_hand(self) -> AbstractContextManager[None]:
        return self._pool.at_hand()

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
            return self._begun(world)
        except BaseException:
            self.end(world)
            raise

    def _begun(self, world: str, *, again: bool = True) -> PostgresTransaction:
        connection, began = self._pool.take(), clock.monotonic()
        try:
            return self._open(connection, world)
        except psycopg.Error as error:
            is_dead = connection.closed and clock.monotonic() - began < SILENCE
            self._pool.give(connection)
            if not (is_dead and again):
                raise unavailable(error) from error
        self._pool.drain()  # as in Pool: it may have died there, with all others
        return self._begun(world, again=False)

    def _open(self, connection: Connection, world: str) -> PostgresTransaction:
        """In one round trip: begin, wait for other processes, and learn what they wrote until then."""
        text = _BEGIN.format(patience=int(self.patience * 1000), lock=_lock_of(world)) + self.news.question(world)
        connection.patience = self.patience + 3.0
        try:
            rows = rows_of(connection, text)
        finally:
            del connection.patience  # again that of all
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

    def append_events(self, events: list[NewEvents], keep: int) -> None:
        if events:
            self._pool.ask(APPEND, appended(events))
            for world in self._crowded(events, keep):
                self._pool.ask(_MAKE_ROOM, (keep.to_bytes(4), world.encode()))

    def append_events_soon(self, events: list[NewEvents], keep: int, told: Told) -> None:
        def written(outcome: Outcome) -> None:
            told(None if isinstance(outcome, list) else outcome)
            if isinstance(outcome, list):
                for world in self._crowded(events, keep):  # if it fails, the next time comes soon
                    self._line.ask(_MAKE_ROOM.encode(), (keep.to_bytes(4), world.encode()), lambda _: None)

        if events:
            self._line.ask(APPEND.encode(), appended(events), written)
        else:
            told(None)

    def _crowded(self, events: list[NewEvents], keep: int) -> Iterator[str]:
        """Worlds that may have too many: looked at now and then, because counting takes time."""
        for world in {row.world for row in events}:
            appended = self._appended.get(world, 0) + sum(row.holds for row in events if row.world == world)
            self._appended[world] = appended if appended < min(keep, LOOKED_AT_EVERY) else 0
            if not self._appended[world]:
                yield world

    def event_rows(self, world: str, identifier: str) -> list[EventRow]:
        given = plain(world), plain(identifier)
        rows = self._rows(f"{_EVENTS} WHERE {_OF_WORLD} AND e.id = %s", *given) or self._rows(
            f"{_EVENTS} WHERE {_OF_WORLD} AND e.id > %s AND e.id < %s AND e.count > 1 AND position(%s IN e.body) > 0",
            *(given[0], given[1][:SHARED], given[1][:SHARED] + LAST_CHARACTER, given[1].encode()),
        )
        return list(map(_event, rows))

    def events_after(self, world: str, position: int, limit: int) -> list[EventRow]:
        where = f"WHERE {_OF_WORLD} AND {_BEHIND} AND {_SETTLED}"
        return self._events(limit, where, "", plain(world), *_place_of(position))

    def events_before(self, world: str, position: int | None, limit: int) -> list[EventRow]:
        if position is None:
            return self._events(limit, f"WHERE {_OF_WORLD}", "DESC", plain(world))
        where = f"WHERE {_OF_WORLD} AND (e.x, e.n) < (%s::text::xid8, %s)"
        return self._events(limit, where, "DESC", plain(world), *_place_of(position))

    def events_since(self, position: int, limit: int) -> list[EventRow]:
        return self._events(limit, f"WHERE {_BEHIND} AND {_SETTLED}", "", *_place_of(position))

    def _events(self, limit: int, where: str, order: str, *values: str | int) -> list[EventRow]:
        """The rows at these places, until they hold so many events."""
        order = f"ORDER BY e.x {order}, e.n {order}"
        total = f"sum(e.count) OVER ({order} ROWS UNBOUNDED PRECEDING) - e.count AS before"
        rows = self._rows(
            f"SELECT * FROM ({_EVENTS.replace(' FROM', f', {total} FROM', 1)} {where} {order} LIMIT %s) AS e "
            "WHERE before < %s",
            *(*values, limit, limit),
        )
        return list(map(_event, rows))

    def last_event(self) -> int:
        (mark,) = self._rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")[0]
        return (int(mark) << _ORDINAL_BITS) - 1

    def close(self) -> None:
        self._line.close()
        self._pool.close()

    def _rows(self, statement: str, *values: object) -> list[Row]:
        return self._pool.run(statement, values)


def _lock_of(world: str) -> int:
    """The number under which a world's writers take turns; two worlds with the same one wait for each other in vain."""
    return int.from_bytes(hashlib.blake2b(world.encode(), digest_size=8, person=b"stse").digest(), signed=True)


def _event(row: Row) -> EventRow:
    transaction, ordinal, world, identifier, at, body, count, *_ = row
    told = body[1:].decode() if body[:1] == b"t" else body[1:]
    return EventRow(int(transaction) << _ORDINAL_BITS | ordinal, world, identifier, at, told, count)


def _place_of(position: int) -> tuple[str, int]:
    return str(position >> _ORDINAL_BITS), position & ((1 << _ORDINAL_BITS) - 1)
