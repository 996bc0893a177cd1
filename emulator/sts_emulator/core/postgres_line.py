"""What the event loop asks PostgreSQL itself: nobody waits for an answer, and no thread is woken to bring one.

A thread costs the loop two switches of Python's lock and a wake-up for each question, more than the question does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg

from sts_emulator.core.postgres_pool import SILENCE, Connection, Pool, Raw, raw_rows, send, unavailable
from sts_emulator.core.store import UnavailableError
from sts_emulator.policy.light_dataclass import dataclass

MOST = 5  # connections that are made at the same time: commits of events, and a look

Outcome = list[Raw] | UnavailableError
Done = Callable[[Outcome], object]


@dataclass(slots=True, eq=False)
class _Question:
    statement: bytes
    values: Sequence[bytes]
    done: Done
    is_first: bool = True
    """Whether it is put for the first time."""


class Line:
    """Questions of one loop; each has a connection of its own until it is answered."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._idle: list[_Wire] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: ThreadPoolExecutor | None = None

    def ask(self, statement: bytes, values: Sequence[bytes], done: Done) -> None:
        """Have `done` called with the rows of one statement, which is a transaction by itself and may be run twice."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # connections of one that has ended are of no use
            self.close()
            self._loop = loop
        self._ask(_Question(statement, values, done))

    def _ask(self, question: _Question) -> None:
        if self._idle:
            self._put(question, self._idle.pop())
            return
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MOST, "line")
        taking = asyncio.get_running_loop().run_in_executor(self._threads, self._pool.take)
        taking.add_done_callback(partial(self._taken, question))

    def _taken(self, question: _Question, taken: asyncio.Future[Connection]) -> None:
        error = taken.exception()
        if error is None:
            self._put(question, _Wire(taken.result(), self._lost))
        else:
            question.done(error if isinstance(error, UnavailableError) else UnavailableError(str(error)))

    def _put(self, question: _Question, wire: _Wire) -> None:
        wire.ask(question.statement, question.values, partial(self._answered, question, wire))

    def _answered(self, question: _Question, wire: _Wire, outcome: list[Raw] | psycopg.Error) -> None:
        if wire.is_open:
            self._idle.append(wire)
        if isinstance(outcome, list):
            question.done(outcome)
        elif question.is_first and isinstance(outcome, psycopg.OperationalError) and not wire.is_silent:
            self.close()  # as in Pool: all may have died, when the database was started anew
            question.is_first = False
            self._ask(question)
        else:
            if wire.is_silent:
                self._pool.note_silence()
            question.done(unavailable(outcome))

    def _lost(self, wire: _Wire) -> None:
        if wire in self._idle:
            self._idle.remove(wire)
        self._pool.give(wire.connection)
        self._pool.drain()  # the others may have died with it

    def close(self) -> None:
        """Close what nobody waits for."""
        while self._idle:
            self._idle[-1].close()


class _Wire:
    """A connection whose answers the loop takes as they come."""

    def __init__(self, connection: Connection, lost: Callable[[_Wire], None]) -> None:
        self.connection = connection
        self.is_open, self.is_silent = True, False
        self._is_long = False
        self._lost = lost
        self._pgconn = connection.pgconn
        self._socket = connection.pgconn.socket
        self._loop = asyncio.get_running_loop()
        self._done: Callable[[list[Raw] | psycopg.Error], None] | None = None
        self._results: list[psycopg.pq.abc.PGresult] = []
        self._patience: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._socket, self._read)

    def ask(self, statement: bytes, values: Sequence[bytes], done: Callable[[list[Raw] | psycopg.Error], None]) -> None:
        """Have `done` called with the rows, or with why there are none; one question at a time."""
        self._done, self._results = done, []
        self._patience = self._loop.call_later(SILENCE, self._give_up)
        try:
            send(self._pgconn, statement, values)
            self._flush()
        except psycopg.Error as error:
            self._end(error)

    def _flush(self) -> None:
        """Send the rest of a long question as the database takes it."""
        try:
            is_left = bool(self._pgconn.flush())
        except psycopg.Error as error:
            self._end(error)
            return
        if is_left != self._is_long:
            self._is_long = is_left
            if is_left:
                self._loop.add_writer(self._socket, self._flush)
            else:
                self._loop.remove_writer(self._socket)

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    break
                self._results.append(result)
            else:
                return
            rows = raw_rows(self._results[-1]) if self._results else []
        except psycopg.Error as error:
            self._end(error)
        else:
            self._tell(rows)

    def _give_up(self) -> None:
        """The connection is of no use afterwards: the answer may still come."""
        self.is_silent = True
        self.close()
        self._tell(psycopg.OperationalError(f"the database has not answered for {SILENCE:g} seconds"))

    def _end(self, error: psycopg.Error) -> None:
        if self._pgconn.status != psycopg.pq.ConnStatus.OK:
            self.close()
        self._tell(error)

    def _tell(self, outcome: list[Raw] | psycopg.Error) -> None:
        done, self._done = self._done, None
        if done is not None:
            assert self._patience is not None, "it was asked"
            self._patience.cancel()
            done(outcome)

    def close(self) -> None:
        """Give the connection back, for nobody else."""
        if self.is_open:
            self.is_open = False
            if not self._loop.is_closed():
                self._loop.remove_reader(self._socket)
                self._loop.remove_writer(self._socket)
            self._pgconn.finish()
            self._lost(self)
