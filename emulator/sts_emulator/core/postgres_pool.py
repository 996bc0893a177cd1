"""Connections to PostgreSQL: none waits longer than a caller can, and a lost database is told as such at once."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from sts_emulator.core import clock
from sts_emulator.core.store import NotAtHandError, UnavailableError

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGconn, PGresult

SILENCE = 3.0  # seconds that a database may be silent; a stopped one still acknowledges what TCP sends it
NO_MORE_WAITING = 0.3  # seconds that nobody asks a database that has just been silent
MOST = 32  # connections of one process

logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)  # what it says for each attempt, we say once

Row = tuple[Any, ...]
Raw = tuple[bytes | None, ...]
Answer = TypeVar("Answer")


class Connection(psycopg.Connection[Row]):
    """A connection that gives up on a silent database."""

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """See psycopg. The connection is of no use afterwards: the answer may still come."""
        limit = getattr(self, "patience", SILENCE) if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit)
        except psycopg.errors._WaitTimeout as silent:  # noqa: SLF001 - has no public name
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the database has not answered for {limit:g} seconds") from silent

    patience: float = SILENCE


class Pool:
    """The connections of one process.

    They keep nothing in their sessions (no settings, no prepared statements), so that a pooler may stand between which
    gives each transaction another one of its own.
    """

    def __init__(self, address: str) -> None:
        given = {"autocommit": True, "prepare_threshold": None, "connect_timeout": 3, "tcp_user_timeout": 5000}
        self._pool = ConnectionPool(
            address,
            connection_class=Connection,
            kwargs=given,
            min_size=0,
            max_size=MOST,
            timeout=SILENCE,
            reconnect_timeout=0.1,  # who needs a connection asks for one: nobody tries in vain in between
            open=True,
        )
        self._silent_until = 0.0
        self._last_taken = 0.0
        self._hurried = 0

    def note_silence(self) -> None:
        """Nobody asks the database for a moment."""
        self._silent_until = clock.monotonic() + NO_MORE_WAITING

    def drain(self) -> None:
        """Begin anew: the connections may have died with their database."""
        self._pool.drain()

    @contextlib.contextmanager
    def at_hand(self) -> Iterator[None]:
        """Within, this thread may wait for nothing: NotAtHandError is raised instead."""
        self._hurried = threading.get_ident()
        try:
            yield
        finally:
            self._hurried = 0

    def take(self) -> Connection:
        """A connection, for `give` to take back."""
        began = clock.monotonic()
        if began < self._silent_until:
            raise UnavailableError("the database does not answer")
        try:
            connection = self._pool.getconn()
        except (PoolTimeout, psycopg.Error) as error:
            if self._last_taken < began:  # else it is back: who waited in vain came too early
                self.note_silence()
            raise UnavailableError("no connection to the database") from error
        self._last_taken = clock.monotonic()
        return connection

    def give(self, connection: Connection) -> None:
        """Give a connection back; what is left open on it is rolled back."""
        self._pool.putconn(connection)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection for the time of a `with` block."""
        connection = self.take()
        try:
            yield connection
        finally:
            self.give(connection)

    def run(self, statement: str, values: tuple[Any, ...] = ()) -> list[Row]:
        """The rows of one statement that is a transaction by itself, and may be run twice.

        A connection may have died in the pool, with all others, when the database was started anew.
        """
        return self._tried(partial(rows_of, statement=statement, values=values))

    def ask(self, statement: str, values: Sequence[bytes] = ()) -> list[Raw]:
        """Likewise, as `raw_rows_of` puts it."""
        return self._tried(partial(raw_rows_of, statement=statement, values=values))

    def _tried(self, ask: Callable[[Connection], Answer]) -> Answer:
        if self._hurried == threading.get_ident():
            raise NotAtHandError
        began = clock.monotonic()
        try:
            return self._with_connection(ask)
        except psycopg.OperationalError as error:
            if clock.monotonic() - began >= SILENCE:
                self.note_silence()
                raise unavailable(error) from error
        except psycopg.Error as error:
            raise unavailable(error) from error
        self.drain()
        try:
            return self._with_connection(ask)
        except psycopg.Error as error:
            raise unavailable(error) from error

    def _with_connection(self, ask: Callable[[Connection], Answer]) -> Answer:
        with self.connection() as connection:
            return ask(connection)

    def close(self) -> None:
        """Close them all; who still waits for a silent database is not waited for."""
        self._pool.close(timeout=0.1)


def rows_of(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> list[Row]:
    """The rows of the last statement of a text of statements."""
    cursor = connection.execute(statement, values or None)
    while cursor.nextset():
        pass
    return cursor.fetchall() if cursor.description else []


def raw_rows_of(connection: Connection, statement: str, values: Sequence[bytes] = ()) -> list[Raw]:
    """The rows of one statement, as texts in bytes; its values are in PostgreSQL's binary form.

    For what each turn of the loop asks: a cursor costs 50 microseconds more, and lists of values 300.
    """
    send(connection.pgconn, statement.encode(), values)
    *_, result = connection.wait(psycopg.generators.execute(connection.pgconn))
    return raw_rows(result)


def send(pgconn: PGconn, statement: bytes, values: Sequence[bytes]) -> None:
    """Send such a statement."""
    if values:
        pgconn.send_query_params(statement, values, param_formats=[psycopg.pq.Format.BINARY] * len(values))
    else:
        pgconn.send_query(statement)


def raw_rows(result: PGresult) -> list[Raw]:
    """Its rows. Raises psycopg.Error."""
    if result.status == psycopg.pq.ExecStatus.FATAL_ERROR:
        raise psycopg.errors.error_from_result(result)
    columns = range(result.nfields)
    return [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]


def unavailable(error: psycopg.Error) -> UnavailableError:
    """In the database's words, on one line."""
    return UnavailableError((str(error).strip() or type(error).__name__).splitlines()[0])
